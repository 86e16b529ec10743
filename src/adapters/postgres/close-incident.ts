/** Closes an incident by hand: the row, and who did it, in one act. */
import type { Database } from './database.ts'
import { appendEntry } from './ledger.ts'

/**
 * @param configuration version of the rules in force, for the entry
 * @returns the incident's code, or why nothing was closed
 */
export async function closeIncidentByHand(
  database: Database,
  { id, author, configuration }: { readonly id: number; readonly author: string; readonly configuration: number },
): Promise<{ readonly code: string } | 'unknown' | 'closed'> {
  return await database.transaction(async (client) => {
    const { rows } = await client.query<{ code: string; key: string; cause: string }>(
      `update incident set closed_at = clock_timestamp()
       where id = $1 and closed_at is null
       returning code, key, cause`,
      [id],
    )
    const [incident] = rows
    if (!incident) {
      const { rowCount } = await client.query('select from incident where id = $1', [id])
      return rowCount === 0 ? 'unknown' : 'closed'
    }
    await appendEntry(client, {
      stream: 'incidents',
      kind: 'incident-closed',
      actor: author,
      cause: 'decree',
      configuration,
      body: { id, ...incident },
    })
    return { code: incident.code }
  })
}
