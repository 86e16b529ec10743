/** A Tryton as a pulled system: the dialect `tryton`. Told in `docs/tryton.md`. */
import type { PulledSystem } from '../../../app/pulled.ts'
import { httpCaller } from '../../shopware/http-call.ts'
import { trytonLook } from './look.ts'
import { placesOf } from './places.ts'
import { type ReadPorts, readSkus } from './read.ts'
import { readAtOnce } from './reader.ts'
import { trytonCaller } from './rpc.ts'
import { trytonSession } from './session.ts'

export type TrytonConnection = {
  /** Without the database. */
  readonly url: string
  readonly database: string
  readonly user: string
  readonly password: string
  /** Our warehouses, each with the code or the name of Tryton's. */
  readonly warehouses: Readonly<Record<string, string>>
}

/** Connects when it is first asked; makes no call before. */
export function trytonSystem(connection: TrytonConnection): PulledSystem {
  const { user, password } = connection
  const session = trytonSession(trytonCaller(httpCaller({ allowPrivate: true }), connection), { user, password })
  const look = trytonLook(session)
  let ports: ReadPorts | undefined
  const connect = async (): Promise<ReadPorts> => {
    if (ports) return ports
    const places = await placesOf(session, connection.warehouses)
    const [user] = await readAtOnce(session, 'stock.location', { domain: [], fields: ['_timestamp'] })
    // SQLite stamps whole seconds.
    ports = { session, places, isSnapshot: user?.text('_timestamp').includes('.') ?? false }
    return ports
  }
  return {
    async look(cursor) {
      // Told at once where a warehouse is named wrongly.
      await connect()
      return await look(cursor)
    },
    async read(standing) {
      return await readSkus(await connect(), standing)
    },
  }
}
