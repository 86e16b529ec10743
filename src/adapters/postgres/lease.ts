/**
 * What a process holds as long as it lives, and no longer: advisory locks of one session, which end with the session and with
 * nothing else. So a process that was killed is known to be gone at once, and no clock has to guess.
 */
import pg from 'pg'
import { oneAtATime } from '../one-at-a-time.ts'
import { provePrimary, serversOf } from './servers.ts'

export type Leases = {
  /**
   * Takes this process's place among the living. When no other one lives, `whenAlone` runs first, and whoever starts at the same
   * moment waits for it: what it finds out is known before anybody acts.
   */
  enter(whenAlone: () => Promise<void>): Promise<void>
  /** Takes or keeps the lease of a name; `false` while another process has it. */
  holds(name: string): Promise<boolean>
  close(): Promise<void>
}

/** The living share this lock, so that whoever gets it alone knows that nobody else lives. Waits while a starting process has it. */
const beAlive = (key: string) => ({
  text: 'select pg_advisory_lock_shared(hashtextextended($1, 0))',
  values: [key],
  query_timeout: ENTERS_WITHIN_MS,
})
const ENTERS_WITHIN_MS = 30_000

/** A server that hangs has lost us: another process may have our leases by now. */
const ANSWERS_WITHIN_MS = 5_000

/** Opens the session that holds this process's leases. When it breaks, all leases are lost and taken anew if still free. */
export function openLeases(url: string, schema: string): Leases {
  const aliveKey = `${schema}:alive`
  const servers = serversOf(url)
  let current: pg.Client | undefined
  let session: Promise<pg.Client> | undefined
  const held = new Set<string>()
  const inTurn = oneAtATime()
  let entered = false

  /** Forgets a session, once: what an older one says when it ends is no news about the present one. */
  const lose = (client: pg.Client): void => {
    if (client !== current) return
    current = undefined
    session = undefined
    held.clear()
    // It may still be open at the other end: a session that we forgot must not keep what we would ask for again.
    client.end().catch(() => undefined)
  }
  const connect = async (): Promise<pg.Client> => {
    const at = servers.present()
    const client = new pg.Client({
      connectionString: at,
      application_name: 'holdfast-leases',
      connectionTimeoutMillis: 2_000,
      query_timeout: ANSWERS_WITHIN_MS,
      keepAlive: true,
    })
    current = client
    client.on('error', () => lose(client))
    client.on('end', () => lose(client))
    try {
      await client.connect()
      await provePrimary(client, servers)
      // A process whose session broke lives on: it takes its place again.
      if (entered) await client.query(beAlive(aliveKey))
      return client
    } catch (cause) {
      servers.turnFrom(at)
      lose(client)
      throw cause
    }
  }
  const openSession = (): Promise<pg.Client> => {
    session ??= connect()
    return session
  }

  /** At the start nobody knows which of several servers is the primary: each is tried. */
  const openFirst = async (): Promise<pg.Client> => {
    for (let tried = 1; ; tried += 1) {
      try {
        return await openSession()
      } catch (cause) {
        if (tried >= servers.count) throw cause
      }
    }
  }

  return {
    async enter(whenAlone) {
      const client = await openFirst()
      const { rows } = await client.query<{ alone: boolean }>(
        'select pg_try_advisory_lock(hashtextextended($1, 0)) as alone',
        [aliveKey],
      )
      if (rows[0]?.alone) await whenAlone()
      await client.query(beAlive(aliveKey))
      if (rows[0]?.alone) await client.query('select pg_advisory_unlock(hashtextextended($1, 0))', [aliveKey])
      entered = true
    },

    // Several loops ask at once, and a session answers one question at a time.
    holds: (name) =>
      inTurn(async () => {
        const client = await openSession()
        try {
          // A lease that we have is asked for as well: only a session that still answers is proof of it.
          const { rows } = await client.query<{ got: boolean }>(
            'select $2 or pg_try_advisory_lock(hashtextextended($1, 0)) as got',
            [`${schema}:lease:${name}`, held.has(name)],
          )
          // The session may have ended between the answer and now.
          if (client !== current) return false
          if (rows[0]?.got) held.add(name)
          return rows[0]?.got ?? false
        } catch (cause) {
          lose(client)
          throw cause
        }
      }),

    async close() {
      const client = await session?.catch(() => undefined)
      if (!client) return
      // Told first, so that the 'end' of this session is no surprise.
      current = undefined
      session = undefined
      held.clear()
      await client.end()
    },
  }
}
