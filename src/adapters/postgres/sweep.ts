/**
 * Empties what is kept for some days only. What a message said stays in the ledger; its own text goes, and its hash stays, so that
 * the same message is still known when it comes again. Nothing that still waits for somebody is touched.
 */
import type { Queryable } from './database.ts'

/** How long each kind is kept, in days. */
export const KEPT_DAYS = {
  /** Far longer than any client repeats a request. */
  answers: 14,
  /** Longer than a shop's longest retry: a webhook is a hint, and an old one does no harm. */
  webhooks: 40,
  /** Long enough to look into a dispute with a warehouse. */
  messages: 30,
  /** Whose attempts were, once none of their units is open: a day, for those that are just being placed. */
  buyers: 1,
  /** Processes that ended. */
  processes: 30,
} as const

/** Rows of one statement: short enough that nobody waits for it. */
const ROWS_AT_ONCE = 5_000

const SWEEPS = [
  // Reads the table in no order; it holds a fortnight of answers.
  [
    KEPT_DAYS.answers,
    `delete from answer
     where (scope, key) in (
       select scope, key from answer where created_at < clock_timestamp() - make_interval(days => $1) limit $2
     )`,
  ],
  [
    KEPT_DAYS.webhooks,
    `delete from webhook_seen
     where (shopware_shop_id, event_id) in (
       select shopware_shop_id, event_id
       from webhook_seen
       where seen_at < clock_timestamp() - make_interval(days => $1)
       limit $2
     )`,
  ],
  // Primary key of inbox: messages are received in the order of their ids.
  [
    KEPT_DAYS.messages,
    `update inbox set raw = null
     where id in (
       select id
       from inbox
       where raw is not null
         and state in ('done', 'dead')
         and received_at < clock_timestamp() - make_interval(days => $1)
       order by id
       limit $2
     )`,
  ],
  [
    KEPT_DAYS.messages,
    `update dead_letter set raw = null, value = null
     where id in (
       select id
       from dead_letter
       where raw is not null
         and state <> 'open'
         and decided_at < clock_timestamp() - make_interval(days => $1)
       order by id
       limit $2
     )`,
  ],
  // Index: buyer_attempt_held_idx.
  [
    KEPT_DAYS.buyers,
    `delete from buyer_attempt
     where (key, reservation) in (
       select key, reservation
       from buyer_attempt
       where held_at < clock_timestamp() - make_interval(days => $1)
         and not exists (
           select from demand where demand.reservation = buyer_attempt.reservation and ended is null and phase <> 'shipped'
         )
       limit $2
     )`,
  ],
  [
    KEPT_DAYS.processes,
    `delete from process
     where id in (
       select id from process where heartbeat_at < clock_timestamp() - make_interval(days => $1) limit $2
     )
     and heartbeat_at < (select max(heartbeat_at) from process)`,
  ],
] as const

/** One round over every kind. Returns whether any of them has more to do. */
export async function sweep(on: Queryable): Promise<boolean> {
  let more = false
  for (const [days, statement] of SWEEPS) {
    const { rowCount } = await on.query(statement, [days, ROWS_AT_ONCE])
    more ||= rowCount === ROWS_AT_ONCE
  }
  return more
}
