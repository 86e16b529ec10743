/**
 * What a process holds as long as it lives, and no longer: advisory locks of one session, which end with the session and with
 * nothing else. So a process that was killed is known to be gone at once, and no clock has to guess.
 */
import pg from 'pg'

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
const BE_ALIVE = 'select pg_advisory_lock_shared(hashtextextended($1, 0))'

/** Opens the session that holds this process's leases. When it breaks, all leases are lost and taken anew if still free. */
export function openLeases(url: string, schema: string): Leases {
  const aliveKey = `${schema}:alive`
  let session: Promise<pg.Client> | undefined
  const held = new Set<string>()
  let entered = false

  const lose = (): void => {
    session = undefined
    held.clear()
  }
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({
      connectionString: url,
      application_name: 'holdfast-leases',
      connectionTimeoutMillis: 2_000,
      keepAlive: true,
    })
    client.on('error', lose)
    client.on('end', lose)
    await client.connect()
    // A process whose session broke lives on: it takes its place again.
    if (entered) await client.query(BE_ALIVE, [aliveKey])
    return client
  }

  return {
    async enter(whenAlone) {
      session ??= connect()
      const client = await session
      const { rows } = await client.query<{ alone: boolean }>(
        'select pg_try_advisory_lock(hashtextextended($1, 0)) as alone',
        [aliveKey],
      )
      if (rows[0]?.alone) await whenAlone()
      await client.query(BE_ALIVE, [aliveKey])
      if (rows[0]?.alone) await client.query('select pg_advisory_unlock(hashtextextended($1, 0))', [aliveKey])
      entered = true
    },

    async holds(name) {
      if (held.has(name)) return true
      session ??= connect()
      try {
        const { rows } = await (await session).query<{ got: boolean }>(
          'select pg_try_advisory_lock(hashtextextended($1, 0)) as got',
          [`${schema}:lease:${name}`],
        )
        if (rows[0]?.got) held.add(name)
        return rows[0]?.got ?? false
      } catch (cause) {
        lose()
        throw cause
      }
    },
    async close() {
      const open = await session?.catch(() => undefined)
      lose()
      await open?.end()
    },
  }
}
