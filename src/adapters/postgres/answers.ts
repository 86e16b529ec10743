/** Answers that were given under an `Idempotency-Key`: kept by the lane in the transaction of their decision, the first for good. */
import type { Attempt, Told } from '../../app/lane.ts'
import type { Answer } from '../../core/decide.ts'
import type { Queryable } from './database.ts'
import { codeOf } from './outage.ts'

export type KeptAnswer = Told & { readonly requestHash: Uint8Array }

type Named = { readonly scope: string; readonly key: string }
const nameOf = ({ scope, key }: Named): string => `${scope}\n${key}`

export async function keptAnswer(on: Queryable, scope: string, key: string): Promise<KeptAnswer | undefined> {
  const { rows } = await on.query<KeptAnswer>(
    `select request_hash as "requestHash", http_code as "httpCode", body from answer where scope = $1 and key = $2`,
    [scope, key],
  )
  return rows[0]
}

/** Keeps an answer that was given without a decision; the first one under a key stays. */
export const keepAnswer = (on: Queryable, scope: string, key: string, answer: KeptAnswer) =>
  on.query(
    `insert into answer (scope, key, request_hash, http_code, body) values ($1, $2, $3, $4, $5) on conflict do nothing`,
    [scope, key, answer.requestHash, answer.httpCode, JSON.stringify(answer.body)],
  )

/**
 * Looks which attempts of a batch were answered before. Called under the locks of their names and SKUs: the same attempt in another
 * process has those locks first or later, so it sees our answer or we see its.
 */
export async function openAnswers(on: Queryable, attempts: readonly Attempt<Answer>[]) {
  const known = new Set<string>()
  if (attempts.length > 0) {
    const { rows } = await on.query<Named>({
      name: 'open_answers',
      text: 'select scope, key from answer where (scope, key) in (select * from unnest($1::text[], $2::text[]))',
      values: [attempts.map(({ scope }) => scope), attempts.map(({ key }) => key)],
    })
    for (const row of rows) known.add(nameOf(row))
  }
  const kept: (Named & KeptAnswer)[] = []
  return {
    has: (attempt: Named): boolean => known.has(nameOf(attempt)),
    keep({ scope, key, requestHash, tell }: Attempt<Answer>, answer: Answer): void {
      known.add(nameOf({ scope, key }))
      kept.push({ scope, key, requestHash, ...tell(answer) })
    },
    /** Rows go in by name, so that two batches rarely wait for each other in a circle. */
    async save(client: Queryable): Promise<void> {
      if (kept.length === 0) return
      await client.query({
        name: 'save_answers',
        text: `
          insert into answer (scope, key, request_hash, http_code, body)
          select scope, key, request_hash, http_code, body::jsonb
          from unnest($1::text[], $2::text[], $3::bytea[], $4::int[], $5::text[])
            as new (scope, key, request_hash, http_code, body)
          order by scope, key`,
        values: [
          kept.map(({ scope }) => scope),
          kept.map(({ key }) => key),
          kept.map(({ requestHash }) => requestHash),
          kept.map(({ httpCode }) => httpCode),
          kept.map(({ body }) => JSON.stringify(body)),
        ],
      })
    },
  }
}

const UNIQUE = '23505'

/** One key with two contents at once: the other one was kept between our look and our commit. Done again, the look finds it. */
export const isAnsweredMeanwhile = (cause: unknown): boolean =>
  codeOf(cause) === UNIQUE && cause instanceof Error && 'constraint' in cause && cause.constraint === 'answer_pkey'
