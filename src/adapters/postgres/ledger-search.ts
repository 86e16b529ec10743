/** Searching the ledger: by SKU, actor, cause, kind and time, page by page, in an order that an index has. */
import type { Instant, Sku } from '../../core/ids.ts'
import { streamOfSku } from '../../core/ledger.ts'
import { type Queryable, timestamp } from './database.ts'
import { type FeedPlace, LEDGER_COLUMNS, type LedgerRow } from './queries.ts'

/** What an entry must be; all that is given. Texts match whole, `from` is in it, `to` is not. */
export type LedgerFilter = {
  readonly sku?: Sku
  readonly actor?: string
  readonly cause?: string
  readonly kind?: string
  readonly from?: Instant
  readonly to?: Instant
}

/**
 * Where a page ended. Entries of one SKU follow each other by version; found ones by time; all of them as they became certain, so
 * that whoever reads on misses none.
 */
export type LedgerPlace = { readonly version: number } | { readonly at: Instant; readonly seq: number } | FeedPlace

/** In which order a filter's entries are told. */
export const orderOf = ({ sku, ...others }: LedgerFilter): 'version' | 'time' | 'feed' =>
  sku !== undefined ? 'version' : Object.keys(others).length > 0 ? 'time' : 'feed'

/** Where a row stands in that order. */
export function placeOfRow(filter: LedgerFilter, { version, at, seq, txid }: LedgerRow): LedgerPlace {
  switch (orderOf(filter)) {
    case 'version':
      return { version }
    case 'time':
      return { at: at as Instant, seq }
    case 'feed':
      return { txid, seq }
  }
}

/**
 * Entries that fit a filter, behind a place of the filter's own order, at most `limit`. Takes no lock.
 * Indexes: ledger_entry_one_writer for a SKU; else ledger_entry_actor_idx, _cause_idx, _kind_idx or _at_idx, of several filters the
 * one that PostgreSQL thinks narrowest; without a filter ledger_entry_feed_idx. Months outside from and to are not looked at.
 * What nearly all entries have in common no index knows: they are found by time.
 */
export async function ledgerSearch(
  on: Queryable,
  filter: LedgerFilter,
  { after, limit }: { readonly after: LedgerPlace | undefined; readonly limit: number },
): Promise<readonly LedgerRow[]> {
  const { text, values } = searchQuery(filter, after, limit)
  return (await on.query<LedgerRow>(text, values)).rows
}

/** The query of a search, for whoever wants to see how it is planned. */
export function searchQuery(filter: LedgerFilter, after: LedgerPlace | undefined, limit: number) {
  const values: (string | number)[] = []
  const value = (each: string | number): string => `$${values.push(each)}`
  const order = orderOf(filter)
  const conditions = [...conditionsOf(filter, value), ...placeCondition(order, after, value)]
  const text = `select ${LEDGER_COLUMNS}
     from ledger_entry
     where ${conditions.length > 0 ? conditions.join('\n       and ') : 'true'}
     order by ${ORDER_BY[order]}
     limit ${value(limit)}`
  return { text, values }
}

const ORDER_BY = { version: 'version', time: 'at, seq', feed: 'ledger_entry.txid, seq' } as const

function conditionsOf(filter: LedgerFilter, value: (each: string | number) => string): readonly string[] {
  const { sku, actor, cause, kind, from, to } = filter
  const text = (each: string): string => `${value(each)}::text`
  return [
    ...(sku === undefined ? [] : [`stream = ${text(streamOfSku(sku))}`]),
    ...(actor === undefined ? [] : [`actor = ${text(actor)}`]),
    ...(cause === undefined ? [] : [`left(cause, 100) = left(${text(cause)}, 100)`, `cause = ${text(cause)}`]),
    ...(kind === undefined ? [] : [`kind = ${text(kind)}`]),
    ...(from === undefined ? [] : [`at >= ${value(timestamp(from))}::timestamptz`]),
    ...(to === undefined ? [] : [`at < ${value(timestamp(to))}::timestamptz`]),
  ]
}

function placeCondition(
  order: 'version' | 'time' | 'feed',
  after: LedgerPlace | undefined,
  value: (each: string | number) => string,
): readonly string[] {
  // What is certain only: an entry that commits later under a lower transaction would be skipped for ever.
  const certain = order === 'feed' ? ['ledger_entry.txid < pg_snapshot_xmin(pg_current_snapshot())'] : []
  if (after === undefined) return certain
  if ('version' in after) return [`version > ${value(after.version)}::bigint`]
  if ('at' in after) return [`(at, seq) > (${value(timestamp(after.at))}::timestamptz, ${value(after.seq)}::bigint)`]
  return [`(ledger_entry.txid, seq) > (${value(after.txid)}::xid8, ${value(after.seq)}::bigint)`, ...certain]
}
