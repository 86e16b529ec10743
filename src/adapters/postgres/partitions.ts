/** Months of the ledger: which are here, which were archived, and what the ledger says of those. */
import type { Queryable } from './database.ts'

/** The stream in which the ledger tells of itself: months that were archived. */
export const LEDGER_STREAM = 'ledger'

/** What an `archived` entry tells of a month. */
export type ArchivedMonth = {
  /** `2026-03`, in UTC. */
  readonly month: string
  readonly entries: number
  readonly seals: number
  /** SHA-256 of the file, in hex. */
  readonly sha256: string
}

/** A month whose entries are here. */
export type KeptMonth = { readonly month: string; readonly partition: string }

/** The months that were archived, as the ledger tells. Index: ledger_entry_one_writer. */
export async function archivesTold(on: Queryable): Promise<ReadonlyMap<string, ArchivedMonth>> {
  const { rows } = await on.query<{ kind: string; body: unknown }>(
    'select kind, body from ledger_entry where stream = $1 order by version',
    [LEDGER_STREAM],
  )
  const told = rows.flatMap(({ kind, body }) =>
    kind === 'checkpoint'
      ? (body as { checkpoint: { state: { archives: readonly ArchivedMonth[] } } }).checkpoint.state.archives
      : kind === 'archived'
        ? [body as ArchivedMonth]
        : [],
  )
  return new Map(told.map((each) => [each.month, each]))
}

/** The months that have a partition, oldest first; whether it holds anything is not said. */
export async function keptMonths(on: Queryable): Promise<readonly KeptMonth[]> {
  const { rows } = await on.query<{ partition: string }>(
    `select relname as partition
     from pg_inherits
     join pg_class on pg_class.oid = inhrelid
     where inhparent = 'ledger_entry'::regclass
       and relname ~ '^ledger_entry_[0-9]{4}_[0-9]{2}$'
     order by relname`,
  )
  return rows.map(({ partition }) => ({ month: partition.slice('ledger_entry_'.length).replace('_', '-'), partition }))
}
