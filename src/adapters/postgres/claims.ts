/** Claims that outlived their process. */
import type { Queryable } from './database.ts'

/**
 * Gives back everything that processes of before had claimed, so that nothing waits for a claim to run out after a kill. Only for
 * whoever lives alone: a claim that somebody still works on would be worked on twice, which is harmless but in vain.
 */
export async function releaseClaims(on: Queryable): Promise<void> {
  await on.query(`update inbox set claimed_until = null where state = 'pending' and claimed_until is not null`)
  await on.query('update dirty set claimed_until = null where claimed_until is not null')
}
