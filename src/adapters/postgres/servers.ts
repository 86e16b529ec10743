/**
 * The servers of a `DATABASE_URL`. One, usually; several, separated by commas as PostgreSQL's own clients write them, where a replica
 * may be promoted: then the one is used that is the primary, and looked for anew when it is lost.
 */
import pg from 'pg'

export type Servers = {
  /** How many there are. */
  readonly count: number
  /** The URL of the server that is asked at present. */
  present(): string
  /** That server does not answer, or is no primary: the next one is asked. Without effect when somebody turned away before. */
  turnFrom(url: string): void
}

/** `postgres://user:password@first:5432,second:5432/name?…` */
const SEVERAL = /^([a-z]+:\/\/(?:[^@/?]*@)?)([^@/?]*)(.*)$/

export function serversOf(url: string): Servers {
  const [, before = '', hosts = '', behind = ''] = SEVERAL.exec(url) ?? []
  const urls = hosts.split(',').map((host) => `${before}${host}${behind}`)
  const all = urls.length > 1 ? urls : [url]
  let index = 0
  const present = (): string => all[index % all.length] ?? url
  return {
    count: all.length,
    present,
    turnFrom(from) {
      if (from === present()) index += 1
    },
  }
}

/** What `DATABASE_URL` names is a replica. Coded as PostgreSQL codes a write on one, so that it counts as an outage. */
export class NoPrimary extends Error {
  readonly code = '25006'
  constructor() {
    super('This PostgreSQL is a replica')
    this.name = 'NoPrimary'
  }
}

/** @throws NoPrimary where there are several servers and this is not the primary */
export async function provePrimary(client: Pick<pg.ClientBase, 'query'>, { count }: Servers): Promise<void> {
  if (count === 1) return
  const { rows } = await client.query<{ replica: boolean }>('select pg_is_in_recovery() as replica')
  if (rows[0]?.replica) throw new NoPrimary()
}

type Connected = ((cause: Error) => void) | ((cause: null, client: pg.Client) => void)

/** A class of clients, each of which goes to the server that is asked at present, and turns away from it where it cannot be reached. */
export function clientsOf(servers: Servers) {
  return class extends pg.Client {
    readonly #url: string
    constructor(config?: pg.ClientConfig) {
      const url = servers.present()
      super({ ...config, connectionString: url })
      this.#url = url
    }

    /** This one is of no use: the next client goes elsewhere. */
    turnAway(): void {
      servers.turnFrom(this.#url)
    }

    override connect(): Promise<pg.Client>
    override connect(callback: Connected): void
    override connect(callback?: Connected): Promise<pg.Client> | undefined {
      const connected = super.connect().catch((cause: unknown) => {
        this.turnAway()
        throw cause
      })
      if (!callback) return connected
      connected.then(
        (client) => (callback as (cause: null, client: pg.Client) => void)(null, client),
        (cause: Error) => (callback as (cause: Error) => void)(cause),
      )
      return undefined
    }
  }
}

/** Pools call it for each new connection, before anybody gets it. */
export const verifierOf =
  (servers: Servers) =>
  (client: pg.PoolClient, done: (cause?: Error) => void): void => {
    provePrimary(client, servers).then(
      () => done(),
      (cause: Error) => {
        if ('turnAway' in client && typeof client.turnAway === 'function') client.turnAway()
        done(cause)
      },
    )
  }

/** Waits for the first server of several that answers as the primary; each is tried once. Later connections find theirs anew. */
export async function findPrimary(pool: pg.Pool, { count }: Servers): Promise<void> {
  for (let tried = 1; tried < count; tried += 1) {
    const found = await pool.query('select').then(
      () => true,
      () => false,
    )
    if (found) return
  }
}

/** A client of its own at the primary; each of several servers is tried once. The caller ends it. */
export async function primaryOf(url: string): Promise<pg.Client> {
  const servers = serversOf(url)
  for (let tried = 1; ; tried += 1) {
    const client = new pg.Client({ connectionString: servers.present(), connectionTimeoutMillis: 5_000 })
    try {
      await client.connect()
      await provePrimary(client, servers)
      return client
    } catch (cause) {
      await client.end().catch(() => undefined)
      servers.turnFrom(servers.present())
      if (tried >= servers.count) throw cause
    }
  }
}
