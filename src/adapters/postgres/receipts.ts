/** Which words of received messages the lane has applied: ticked off in the transaction of their decision, so that each counts once. */
import type { Command } from '../../core/decide.ts'
import type { Queryable } from './database.ts'

type Receipt = { readonly inboxId: number; readonly word: number }

/** Locks the inbox rows of a batch, by ascending id, and keeps which of their words are applied. */
export async function openReceipts(on: Queryable, receipts: readonly Receipt[]) {
  const ids = [...new Set(receipts.map(({ inboxId }) => inboxId))]
  const applied = new Map<number, Set<number>>()
  if (ids.length > 0) {
    const { rows } = await on.query<{ id: number; applied: number[] }>({
      name: 'open_receipts',
      text: 'select id, applied from inbox where id = any($1) order by id for update',
      values: [ids],
    })
    for (const row of rows) applied.set(row.id, new Set(row.applied))
  }
  const ticks: { id: number; word: number; verdict: string; waitsFor: string | null }[] = []
  return {
    isApplied: ({ inboxId, word }: Receipt): boolean => applied.get(inboxId)?.has(word) ?? false,
    /** A word whose order is unknown is not applied: its message waits for that order. */
    tick({ inboxId, word }: Receipt, verdict: string, command: Command): void {
      const waits = verdict === 'unknown-order' && command.kind === 'word' && command.word.kind === 'order-line'
      if (!waits) applied.get(inboxId)?.add(word)
      const waitsFor = waits && command.word.kind === 'order-line' ? command.word.order : null
      ticks.push({ id: inboxId, word, verdict, waitsFor })
    },
    async save(client: Queryable): Promise<void> {
      if (ticks.length === 0) return
      await client.query({
        name: 'save_ticks',
        text: SAVE_TICKS,
        values: [
          ticks.map(({ id }) => id),
          ticks.map(({ word }) => word),
          ticks.map(({ waitsFor }) => waitsFor),
          ticks.map(({ verdict }) => verdict),
        ],
      })
    },
  }
}

// The rows are locked by openReceipts. A word waits once, however often it came back, and waits no more once it is applied.
const SAVE_TICKS = `
with ticked as (
  select id,
         coalesce(array_agg(word) filter (where waits_for is null), '{}') as words,
         coalesce(array_agg(word) filter (where waits_for is not null), '{}') as waiting,
         coalesce(array_agg(distinct waits_for) filter (where waits_for is not null), '{}') as waits_for,
         min(verdict) as verdict
  from unnest($1::bigint[], $2::int[], $3::text[], $4::text[]) as tick (id, word, waits_for, verdict)
  group by id
), next as (
  select id,
         inbox.words,
         inbox.applied || ticked.words as applied,
         case
           when inbox.waiting = '{}' and ticked.waiting = '{}' then '{}'
           else array(
             select unnest(inbox.waiting || ticked.waiting)
             except
             select unnest(inbox.applied || ticked.words)
           )
         end as waiting,
         inbox.waits_for || ticked.waits_for as waits_for,
         ticked.verdict
  from ticked
  join inbox using (id)
)
update inbox set
  applied = next.applied,
  waiting = next.waiting,
  waits_for = case when next.waiting = '{}' then '{}' else next.waits_for end,
  verdict = next.verdict,
  state = case
    when cardinality(next.applied) >= next.words then 'done'
    when cardinality(next.applied) + cardinality(next.waiting) >= next.words then 'parked'
    else inbox.state
  end
from next
where inbox.id = next.id`
