/** Appends to the ledger. Inside the transaction of whatever it records, never on its own account. */
import { createHash } from 'node:crypto'
import { canonicalJson, contentOf, type LedgerEntry } from '../../core/ledger.ts'
import type { Queryable } from './database.ts'

/** SHA-256 over the canonical content: what a seal covers and `verify` computes again. */
export const hashOf = (entry: LedgerEntry, body?: string): Buffer =>
  createHash('sha256').update(contentOf(entry, body)).digest()

/**
 * Appends entries in one statement. Their versions continue their streams; the caller holds what serialises them (the row of
 * the SKU, or {@link appendEntry}'s lock).
 */
export async function appendEntries(on: Queryable, entries: readonly LedgerEntry[]): Promise<void> {
  if (entries.length === 0) return
  const bodies = entries.map(({ body }) => canonicalJson(body))
  await on.query({
    name: 'append_entries',
    text: `
      insert into ledger_entry (at, stream, version, kind, actor, cause, configuration, body, hash)
      select * from unnest(
        $1::timestamptz[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::jsonb[], $9::bytea[])`,
    values: [
      entries.map(({ at }) => at),
      entries.map(({ stream }) => stream),
      entries.map(({ version }) => version),
      entries.map(({ kind }) => kind),
      entries.map(({ actor }) => actor),
      entries.map(({ cause }) => cause),
      entries.map(({ configuration }) => configuration),
      bodies,
      entries.map((entry, index) => hashOf(entry, bodies[index])),
    ],
  })
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
  await appendEntries(on, [{ ...entry, ...next }])
  return next.version
}
