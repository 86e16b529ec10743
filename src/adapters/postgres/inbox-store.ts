/** The inbox: messages received once, durable before they are acknowledged, and their words applied exactly once. */
import { createHash } from 'node:crypto'
import { BULK_FROM_WORDS, type Inbox, type Size } from '../../app/receive.ts'
import type { Instant } from '../../core/ids.ts'
import { type Database, databaseNow, type Queryable } from './database.ts'
import { type Delivery, type FiledDelivery, identityOf, openFiling } from './filing.ts'

export type NewMessage = {
  readonly messageId: string
  readonly contentHash: Buffer
  readonly raw: string
  readonly words: number
  readonly notes: readonly string[]
}

export type NewDeadLetter = {
  readonly messageId: string
  readonly raw: string
  readonly reason: string
  readonly field?: string
  readonly value?: string
}

/** What became of each message: `conflict` is the same id with other content. */
export type Filed = { readonly messageId: string; readonly outcome: 'new' | 'repeated' | 'conflict' }

export type PendingMessage = {
  readonly id: number
  readonly source: string
  readonly messageId: string
  readonly receivedAt: Instant
  readonly raw: string
  readonly applied: readonly number[]
  readonly attempts: number
}

/** How long a claim lasts: far longer than a batch takes, so that only a dead process loses it. */
const CLAIM_SECONDS = 30
/** How long a message rests that met a busy lane. */
const POSTPONED_SECONDS = 1
/** Text of one claim, in bytes: a backlog of snapshots must not be read into memory at once. */
const CLAIM_BYTES = 8 * 1024 * 1024
/** Words that wait for an order longer than this are dead letters: the order is not ours, or was never placed. */
export const PARKED_AT_MOST_HOURS = 24

/**
 * Files messages and dead letters of one delivery in one transaction: when this returns, they are on disk. Whoever calls it has
 * sorted out messages that share an identity within the delivery.
 */
export async function fileDelivery(
  database: Database,
  source: string,
  messages: readonly NewMessage[],
  deadLetters: readonly NewDeadLetter[],
): Promise<FiledDelivery> {
  const [filed] = await fileDeliveries(database, [{ source, messages, deadLetters }])
  if (!filed) throw new Error('A delivery was filed without a result')
  return filed
}

/** Files several deliveries in one transaction: all of them, or none. No two of them hold a message of one identity. */
export async function fileDeliveries(
  database: Database,
  deliveries: readonly Delivery[],
): Promise<readonly FiledDelivery[]> {
  return await database.transaction((client) => fileWithin(client, deliveries))
}

/** The same within a transaction that does more. */
export async function fileWithin(
  client: Queryable,
  deliveries: readonly Delivery[],
): Promise<readonly FiledDelivery[]> {
  const outcomes = await fileMessages(
    client,
    deliveries.flatMap(({ source, messages }) => messages.map((message) => ({ ...message, source }))),
  )
  const results: FiledDelivery[] = []
  let first = 0
  for (const { source, messages, deadLetters } of deliveries) {
    const filed = outcomes.slice(first, first + messages.length)
    first += messages.length
    const conflicting = messages.filter((_, index) => filed[index]?.outcome === 'conflict')
    const deadLetterIds = await fileDeadLetters(client, source, [
      ...deadLetters,
      ...conflicting.map(({ messageId, raw }) => ({
        messageId,
        raw,
        reason: 'A message with this id was received before, with other content',
        field: 'id',
        value: messageId,
      })),
    ])
    results.push({ filed, deadLetterIds })
  }
  return results
}

type SourcedMessage = NewMessage & { readonly source: string }

async function fileMessages(on: Queryable, messages: readonly SourcedMessage[]): Promise<readonly Filed[]> {
  if (messages.length === 0) return []
  // Constraint inbox_once decides who was first; rows go in by identity, so that two groups cannot wait for each other.
  const { rows } = await on.query<{ source: string; message_id: string }>({
    name: 'file_messages',
    text: `
      insert into inbox (source, message_id, content_hash, raw, words, notes)
      select source, message_id, content_hash, raw, words, coalesce(string_to_array(nullif(notes, ''), E'\\n'), '{}')
      from unnest($1::text[], $2::text[], $3::bytea[], $4::text[], $5::int[], $6::text[])
        as new (source, message_id, content_hash, raw, words, notes)
      order by source, message_id
      on conflict (source, message_id) do nothing
      returning source, message_id`,
    values: [
      messages.map(({ source }) => source),
      messages.map(({ messageId }) => messageId),
      messages.map(({ contentHash }) => contentHash),
      messages.map(({ raw }) => raw),
      messages.map(({ words }) => words),
      messages.map(({ notes }) => notes.join('\n')),
    ],
  })
  const fresh = new Set(rows.map((row) => identityOf(row.source, row.message_id)))
  const isFresh = ({ source, messageId }: SourcedMessage): boolean => fresh.has(identityOf(source, messageId))
  const hashes = await hashesOf(
    on,
    messages.filter((message) => !isFresh(message)),
  )
  return messages.map((message) => {
    const { source, messageId, contentHash } = message
    if (isFresh(message)) return { messageId, outcome: 'new' as const }
    const isSame = hashes.get(identityOf(source, messageId))?.equals(contentHash)
    return { messageId, outcome: isSame ? ('repeated' as const) : ('conflict' as const) }
  })
}

async function hashesOf(on: Queryable, known: readonly SourcedMessage[]): Promise<ReadonlyMap<string, Buffer>> {
  if (known.length === 0) return new Map()
  // Index: inbox_once.
  const { rows } = await on.query<{ source: string; message_id: string; content_hash: Buffer }>(
    `select source, message_id, content_hash
     from inbox
     where (source, message_id) in (select * from unnest($1::text[], $2::text[]))`,
    [known.map(({ source }) => source), known.map(({ messageId }) => messageId)],
  )
  return new Map(rows.map((row) => [identityOf(row.source, row.message_id), row.content_hash]))
}

/** Keeps what cannot be used, whole, with the reason. Returns their ids in order. */
export async function fileDeadLetters(
  on: Queryable,
  source: string,
  letters: readonly NewDeadLetter[],
): Promise<readonly number[]> {
  if (letters.length === 0) return []
  const { rows } = await on.query<{ id: number }>(
    `insert into dead_letter (source, message_id, raw, reason, field, value)
     select $1, message_id, raw, reason, field, value
     from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) as new (message_id, raw, reason, field, value)
     returning id`,
    [
      source,
      letters.map(({ messageId }) => storable(messageId)),
      letters.map(({ raw }) => storable(raw)),
      letters.map(({ reason }) => storable(reason)),
      letters.map(({ field }) => (field === undefined ? null : storable(field))),
      letters.map(({ value }) => (value === undefined ? null : storable(value))),
    ],
  )
  return rows.map(({ id }) => id)
}

/** PostgreSQL's text has no NUL: a letter that holds one, in whatever part, is kept with the escape in its place. */
const storable = (text: string): string => text.replaceAll('\u0000', '\\u0000')

/**
 * Claims the oldest pending messages. A claim is only a courtesy between processes: what makes a word count once is the tick
 * in the lane's transaction.
 */
export async function claimPending(
  on: Queryable,
  limit: number,
  size: Size = 'ordinary',
): Promise<readonly PendingMessage[]> {
  // Index: inbox_pending_idx. Locks the rows it looks at, skipping those of others; takes the first of them whatever its length.
  const { rows } = await on.query<{
    id: number
    source: string
    message_id: string
    received_at: Instant
    raw: string | null
    applied: number[]
    attempts: number
  }>(
    `update inbox set claimed_until = clock_timestamp() + make_interval(secs => $2), attempts = attempts + 1
     where id in (
       select id
       from (
         select id, sum(bytes) over (order by id) - bytes as bytes_before
         from (
           select id, octet_length(raw)::bigint as bytes
           from inbox
           where state = 'pending'
             and (claimed_until is null or claimed_until < clock_timestamp())
             and (words > $3) = $4
           order by id
           limit $1
           for update skip locked
         ) as oldest
       ) as measured
       where coalesce(bytes_before, 0) < $5
     )
     returning id, source, message_id, received_at, raw, applied, attempts`,
    [limit, CLAIM_SECONDS, BULK_FROM_WORDS, size === 'bulk', CLAIM_BYTES],
  )
  return rows
    .map((row) => ({
      id: row.id,
      source: row.source,
      messageId: row.message_id,
      receivedAt: row.received_at,
      raw: row.raw ?? '',
      applied: row.applied,
      attempts: row.attempts,
    }))
    .sort((a, b) => a.id - b.id)
}

/** Makes the claims of messages last longer while their words are worked on. */
export const renewClaims = (on: Queryable, ids: readonly number[]) =>
  on.query(
    `update inbox set claimed_until = clock_timestamp() + make_interval(secs => $2)
     where id = any($1)
       and state = 'pending'`,
    [ids, CLAIM_SECONDS],
  )

/** Gives a claim back, to be taken again in a moment; the attempt does not count. */
export const postponeMessage = (on: Queryable, id: number) =>
  on.query(
    `update inbox set claimed_until = clock_timestamp() + make_interval(secs => $2), attempts = greatest(attempts - 1, 0)
     where id = $1
       and state = 'pending'`,
    [id, POSTPONED_SECONDS],
  )

/** Ends a message that the lane has nothing left of, or that turned out unusable. */
export const closeMessage = (on: Queryable, id: number, state: 'done' | 'dead', verdict: string) =>
  on.query(`update inbox set state = $2, verdict = $3, claimed_until = null where id = $1 and state <> 'done'`, [
    id,
    state,
    verdict,
  ])

/** Makes a message that cannot be applied a dead letter, whole. */
export const giveUpMessage = (on: Queryable, id: number, reason: string) =>
  on.query(
    `with buried as (
       update inbox set state = 'dead', verdict = 'given-up'
       where id = $1 and state = 'pending'
       returning source, message_id, raw
     )
     insert into dead_letter (source, message_id, raw, reason)
     select source, message_id, raw, $2
     from buried`,
    [id, reason],
  )

/** The inbox as the use case sees it. Deliveries that come at once are filed at once, in one transaction. */
export function inboxOn(database: Database): Inbox {
  const file = openFiling((deliveries) => fileDeliveries(database, deliveries))
  return {
    file: (source, messages, deadLetters) =>
      file({
        source,
        messages: messages.map((message) => ({
          ...message,
          contentHash: createHash('sha256').update(message.raw).digest(),
        })),
        deadLetters,
      }),
    claim: (limit, size) => claimPending(database.pool, limit, size),
    renew: (ids) => renewClaims(database.pool, ids),
    postpone: (id) => postponeMessage(database.pool, id),
    close: (id, state, verdict) => closeMessage(database.pool, id, state, verdict),
    giveUp: (id, reason) => giveUpMessage(database.pool, id, reason),
    bury: () => buryParked(database.pool),
    now: () => databaseNow(database.pool),
  }
}

/**
 * Wakes words that were waiting for orders. A message of which other words are still under way is woken too: it must not be
 * parked for an order that has come meanwhile. Index: inbox_waiting_idx. Locks by ascending id, as the lane does.
 */
export const wakeParked = (on: Queryable, orderNumbers: readonly string[]) =>
  on.query(
    `${WAKE}
     where id in (
       select id
       from inbox
       where waits_for <> '{}'
         and waits_for && $1::text[]
         and state in ('pending', 'parked')
       order by id
       for update
     )`,
    [orderNumbers],
  )

const WAKE = `update inbox set state = 'pending', waiting = '{}', waits_for = '{}', claimed_until = null, attempts = 0`

/**
 * Gives up on words whose order never came: they become dead letters, whole. And wakes those whose order is here although nobody
 * told them, because the process that should have was killed in between. An order that was here before the words came is not the one that they
 * wait for: it is another shop's of the same number, or has not their SKU. Returns how many were given up.
 */
export async function buryParked(on: Queryable): Promise<number> {
  const { rowCount } = await on.query(
    `with buried as (
       update inbox set state = 'dead', verdict = 'unknown-order'
       where state = 'parked'
         and received_at < clock_timestamp() - make_interval(hours => $1)
       returning source, message_id, raw, waits_for
     )
     insert into dead_letter (source, message_id, raw, reason, field, value)
     select source, message_id, raw, 'No shop knows this order', 'order', array_to_string(waits_for, ', ')
     from buried`,
    [PARKED_AT_MOST_HOURS],
  )
  await on.query(
    `${WAKE}
     where id in (
       select id
       from inbox
       where state = 'parked'
         and exists (select from demand where order_number = any(waits_for) and placed_at >= received_at)
       order by id
       for update
     )`,
  )
  return rowCount ?? 0
}
