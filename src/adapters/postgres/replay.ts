/** Dead letters sent through the door again: each once, however often somebody asks. */
import { createHash } from 'node:crypto'
import type { DeadLetters, Letter } from '../../app/receive.ts'
import type { Database } from './database.ts'
import { deadLetterById } from './queries.ts'

/** Dead letters as the use case sees them. */
export const deadLettersOn = (database: Database): DeadLetters => ({
  byId: async (id) => await deadLetterById(database.pool, id),
  refile: (letter, words, notes) => refileLetter(database, letter, words, notes),
})

/**
 * Decides an open letter and files its message, in one transaction. A message that was given up takes up where it stood: the
 * words that were applied before stay applied. Under an identity that says something else already, it gets one of its own.
 */
async function refileLetter(
  database: Database,
  { id, source, messageId, raw, receivedAt }: Letter,
  words: number,
  notes: readonly string[],
): Promise<'accepted' | 'repeated' | 'not-open'> {
  return await database.transaction(async (client) => {
    const decided = await client.query(
      `update dead_letter set state = 'replayed', decided_at = clock_timestamp() where id = $1 and state = 'open'`,
      [id],
    )
    if (decided.rowCount !== 1) return 'not-open'
    const text = raw ?? ''
    const contentHash = createHash('sha256').update(text).digest()
    const insert = async (name: string): Promise<boolean> => {
      // It is as old as when it came: a source without any order of its own is read by that.
      const { rowCount } = await client.query(
        `insert into inbox (source, message_id, received_at, content_hash, raw, words, notes)
         values ($1, $2, to_timestamp($3::double precision / 1000), $4, $5, $6, $7)
         on conflict (source, message_id) do nothing`,
        [source, name, receivedAt, contentHash, text, words, notes],
      )
      return rowCount === 1
    }
    if (await insert(messageId)) return 'accepted'
    // Index: inbox_once. Locks the one row.
    const { rows } = await client.query<{ id: number; state: string; content_hash: Buffer }>(
      'select id, state, content_hash from inbox where source = $1 and message_id = $2 for update',
      [source, messageId],
    )
    const [known] = rows
    if (!known?.content_hash.equals(contentHash))
      return (await insert(`${messageId}~replay-${id}`)) ? 'accepted' : 'repeated'
    if (known.state !== 'dead') return 'repeated'
    await client.query(
      `update inbox set state = 'pending', verdict = null, claimed_until = null, attempts = 0, waiting = '{}', waits_for = '{}', raw = $2 where id = $1`,
      [known.id, text],
    )
    return 'accepted'
  })
}
