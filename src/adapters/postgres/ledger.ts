/** Appends to the ledger. Inside the transaction of whatever it records, never on its own account. */
import { createHash } from 'node:crypto'
import type pg from 'pg'
import { canonicalJson, contentOf, type LedgerEntry } from '../../core/ledger.ts'
import { copyLine, copyRows } from './copy-rows.ts'
import type { Queryable } from './database.ts'

/** SHA-256 over the canonical content: what a seal covers and `verify` computes again. */
export const hashOf = (entry: LedgerEntry, body?: string): Buffer =>
  createHash('sha256').update(contentOf(entry, body)).digest()

/**
 * Appends entries in one statement. Their versions continue their streams; the caller holds what serialises them (the row of
 * the SKU, or {@link appendEntry}'s lock).
 */
export async function appendEntries(on: pg.ClientBase, entries: readonly LedgerEntry[]): Promise<void> {
  if (entries.length > 0) await copyRows(on, 'ledger_entry', ENTRY_COLUMNS, entries.map(lineOfEntry))
}

/** The columns of an entry that its writer gives; the place in the feed comes with the row. */
export const ENTRY_COLUMNS = 'at, stream, version, kind, actor, cause, configuration, body, hash'

/** An entry for COPY, in the order of {@link ENTRY_COLUMNS}. */
export const lineOfEntry = (entry: LedgerEntry): string => copyLine(rowOf(entry))

function rowOf(entry: LedgerEntry) {
  const { at, stream, version, kind, actor, cause, configuration } = entry
  const body = canonicalJson(entry.body)
  return [at, stream, version, kind, actor, cause, configuration, body, hashOf(entry, body)]
}

/**
 * Appends one entry to a stream that no SKU row serialises: `configuration`, `shop:…`, `source:…`.
 * Takes an advisory lock on the stream until the transaction ends.
 *
 * @returns the version it got
 */
export async function appendEntry(on: Queryable, entry: Omit<LedgerEntry, 'version' | 'at'>): Promise<number> {
  await on.query(`select pg_advisory_xact_lock(hashtextextended('ledger:' || $1, 0))`, [entry.stream])
  const { rows } = await on.query<{ version: number; at: string }>(
    `select coalesce(max(version), 0) + 1 as version,
            to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at
     from ledger_entry
     where stream = $1`,
    [entry.stream],
  )
  const [next] = rows
  if (!next) throw new Error('PostgreSQL answered without a row')
  await on.query(
    `insert into ledger_entry (${ENTRY_COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    rowOf({ ...entry, ...next }),
  )
  return next.version
}
