/** One process at a time takes care of a shop: a session's advisory locks, which end with the session and with nothing else. */
import pg from 'pg'

export type Leases = {
  /** Takes or keeps the lease of a name; `false` while another process has it. */
  holds(name: string): Promise<boolean>
  close(): Promise<void>
}

/** Opens the session that holds this process's leases. When it breaks, all leases are lost and taken anew if still free. */
export function openLeases(url: string, schema: string): Leases {
  let session: Promise<pg.Client> | undefined
  const held = new Set<string>()

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
    return client
  }

  return {
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
