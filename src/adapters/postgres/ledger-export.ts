/**
 * The ledger as lines, page by page: whoever reads slowly makes us wait, not grow.
 *
 * The whole ledger, or a whole month, is told in the order in which it is sealed, and the seals stand between its entries: so the
 * file proves itself. What a filter found is told in the order of the filter, and each entry proves itself alone.
 */
import type { Database, Queryable } from './database.ts'
import { csvHead, csvRows } from './ledger-csv.ts'
import { type LedgerFilter, type LedgerPlace, ledgerSearch, placeOfRow } from './ledger-search.ts'
import { pagesOf } from './pages.ts'
import { LEDGER_COLUMNS, type LedgerRow } from './queries.ts'
import { GENESIS } from './seal.ts'

/** Entries read at once: their bodies are all that an export holds. */
const PAGE = 1_000
const SEAL_PAGE = 500

/** The ledger's lines in pieces of one page, each line ended. */
export async function* exportLedger(
  { pool }: Pick<Database, 'pool'>,
  filter: LedgerFilter,
  format: 'ndjson' | 'csv',
): AsyncGenerator<string> {
  if (format === 'csv') {
    yield csvHead()
    const rows = csvRows(pool)
    for await (const page of foundPages(pool, filter)) yield await rows(page)
    return
  }
  if (Object.keys(filter).length === 0) {
    yield* inPieces(linesWithSeals(pool, undefined))
    return
  }
  for await (const page of foundPages(pool, filter)) yield page.map(lineOf).join('')
}

/** One month as it is archived, with its seals. The same bytes whenever it is asked for, once all of it is sealed. */
export const exportMonth = (on: Queryable, month: string): AsyncGenerator<string> => inPieces(linesWithSeals(on, month))

async function* foundPages(on: Queryable, filter: LedgerFilter): AsyncGenerator<readonly LedgerRow[]> {
  let after: LedgerPlace | undefined
  for (;;) {
    const page = await ledgerSearch(on, filter, { after, limit: PAGE })
    if (page.length > 0) yield page
    const last = page.at(-1)
    if (!last || page.length < PAGE) return
    after = placeOfRow(filter, last)
  }
}

/** Many short lines make one piece. */
async function* inPieces(lines: AsyncIterable<string>): AsyncGenerator<string> {
  let piece: string[] = []
  for await (const line of lines) {
    piece.push(line)
    if (piece.length < PAGE) continue
    yield piece.join('')
    piece = []
  }
  if (piece.length > 0) yield piece.join('')
}

/** An entry as anyone can hash it again: the hash is over the other members but itself, as JSON with sorted keys. */
function lineOf({ stream, version, at, kind, actor, cause, configuration, body, hash }: LedgerRow): string {
  const moment = new Date(at).toISOString()
  return `${JSON.stringify({ stream, version, at: moment, kind, actor, cause, configuration, body, hash })}\n`
}

type SealRow = {
  readonly no: number
  readonly last_txid: string
  readonly last_seq: number
  readonly month: string
  readonly entries: number
  readonly block: string
  readonly hash: string
  readonly before: string | null
  readonly archived: boolean
}

async function* linesWithSeals(on: Queryable, month: string | undefined): AsyncGenerator<string> {
  const entries = pagesOf(PAGE, (last: LedgerRow | undefined) => entriesAfter(on, month, last))
  for await (const seal of pagesOf(SEAL_PAGE, (last: SealRow | undefined) => sealsAfter(on, month, last))) {
    for (let next = await entries.peek(); next && isCovered(next, seal); next = await entries.peek()) {
      await entries.next()
      yield lineOf(next)
    }
    yield sealLine(seal)
  }
  for await (const entry of entries) yield lineOf(entry)
}

const isCovered = ({ txid, seq }: LedgerRow, seal: SealRow): boolean =>
  BigInt(txid) < BigInt(seal.last_txid) || (txid === seal.last_txid && seq <= seal.last_seq)

/** A seal closes the block of the entries above it. Of a month that was archived only the seals are here. */
function sealLine({ no, month, entries, block, hash, before, archived }: SealRow): string {
  const line = { seal: no, month: month.slice(0, 7), entries, before: before ?? GENESIS.toString('hex'), block, hash }
  return `${JSON.stringify(archived ? { ...line, archived } : line)}\n`
}

const FIRST_OF = (month: string): string => `${month}-01`

// Index: ledger_entry_feed_idx, of the month's own partition where a month is wanted. Takes no lock. Certain entries only.
async function entriesAfter(on: Queryable, month: string | undefined, after: LedgerRow | undefined) {
  const { rows } = await on.query<LedgerRow>(
    `select ${LEDGER_COLUMNS}
     from ledger_entry
     where (ledger_entry.txid, seq) > ($1::xid8, $2::bigint)
       and ledger_entry.txid < pg_snapshot_xmin(pg_current_snapshot())
       ${month === undefined ? '' : `and at >= $4::date and at < $4::date + interval '1 month'`}
     order by ledger_entry.txid, seq
     limit $3`,
    [after?.txid ?? '0', after?.seq ?? 0, PAGE, ...(month === undefined ? [] : [FIRST_OF(month)])],
  )
  return rows
}

// Primary key of seal.
async function sealsAfter(on: Queryable, month: string | undefined, after: SealRow | undefined) {
  const { rows } = await on.query<SealRow>(
    `select seal.no, last_txid::text as last_txid, last_seq, month, entries, encode(block, 'hex') as block,
            encode(hash, 'hex') as hash,
            (select encode(earlier.hash, 'hex') from seal as earlier where earlier.no = seal.no - 1) as before,
            to_regclass('ledger_entry_' || to_char(month, 'YYYY_MM')) is null as archived
     from seal
     where seal.no > $1
       ${month === undefined ? '' : 'and month = $3::date'}
     order by seal.no
     limit $2`,
    [after?.no ?? 0, SEAL_PAGE, ...(month === undefined ? [] : [FIRST_OF(month)])],
  )
  return rows
}
