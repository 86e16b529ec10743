/**
 * Seals the ledger into a chain, in blocks and in feed order, by one sealer at a time: the lane touches no global row.
 * A block covers the content hashes of its entries, a seal its block and the seal before it; whoever edits, removes, adds or
 * reorders an entry later breaks it. Only entries below the oldest running transaction are sealed, because a lower one may still
 * commit. A block holds entries of one month: a month that is archived takes whole blocks, and the chain of seals stays.
 */
import { createHash } from 'node:crypto'
import type { Database, Queryable } from './database.ts'
import { openIncident } from './queries.ts'

/** Entries of one block at most. */
const BLOCK_ENTRIES = 5_000
/** Only one process seals a schema at a time; the others find the lock taken and come back later. */
const TRY_LOCK = "select pg_try_advisory_xact_lock(hashtextextended(current_schema() || ':seal', 0)) as got"
/** The sealer looks ahead: next month's partition is there long before its first entry. */
const MAKE_PARTITION = "select ledger_partition(((clock_timestamp() at time zone 'UTC') + interval '1 month')::date)"

type Seal = { readonly no: number; readonly last_txid: string; readonly last_seq: number; readonly hash: Buffer }
type Sealable = { readonly txid: string; readonly seq: number; readonly month: string; readonly hash: Buffer }

/** What the first seal continues. */
export const GENESIS: Buffer = createHash('sha256').update('Holdfast ledger').digest()

/** The hash of a block: the content hashes of its entries, in feed order. */
export function blockHash(hashes: readonly Buffer[]): Buffer {
  const hash = createHash('sha256')
  for (const each of hashes) hash.update(each)
  return hash.digest()
}

/** The hash of a seal: its predecessor's hash, then its block's. */
export const sealHash = (before: Buffer, block: Buffer): Buffer =>
  createHash('sha256').update(before).update(block).digest()

/** Seals at the end of the chain are gone: nothing is sealed over the gap. */
export class SealsMissing extends Error {
  constructor(head: SealHead, last: Seal | undefined) {
    super(`Seal ${head.no} was made and is not the newest any more: the chain ends at ${last?.no ?? 'nothing'}`)
    this.name = 'SealsMissing'
  }
}

/**
 * Seals one block of what is ready. Returns the number of entries; 0 when there is nothing, or another process is at it.
 *
 * @throws SealsMissing, and tells it as an incident
 */
export async function sealBlock(database: Database): Promise<number> {
  return await sealNext(database).catch(async (cause: unknown) => {
    if (cause instanceof SealsMissing)
      await openIncident(database.pool, { code: 'SEALS_REMOVED', key: 'ledger', cause: cause.message })
    throw cause
  })
}

async function sealNext(database: Database): Promise<number> {
  return await database.transaction(async (client) => {
    const lock = await client.query<{ got: boolean }>(TRY_LOCK)
    if (!lock.rows[0]?.got) return 0
    await client.query(MAKE_PARTITION)
    const last = await lastSeal(client)
    const head = await sealHead(client)
    if (head && (head.no !== last?.no || !head.hash.equals(last.hash))) throw new SealsMissing(head, last)
    const { rows } = await client.query<Sealable>(
      // Index: ledger_entry_feed_idx (txid, seq). Takes no lock.
      // Ordered by the column, not by the text of the same name: as texts, 1000 comes before 999.
      // Not "seq > $2" alone: a lower seq may commit later and would be skipped for ever.
      `select ledger_entry.txid::text as txid, seq, date_trunc('month', at)::date as month, hash
       from ledger_entry
       where (txid, seq) > ($1::xid8, $2::bigint)
         and txid < pg_snapshot_xmin(pg_current_snapshot())
       order by ledger_entry.txid, seq
       limit $3`,
      [last?.last_txid ?? '0', last?.last_seq ?? 0, BLOCK_ENTRIES],
    )
    const entries = ofOneMonth(rows)
    const end = entries.at(-1)
    if (!end) return 0
    const block = blockHash(entries.map(({ hash }) => hash))
    const seal = { no: (last?.no ?? 0) + 1, hash: sealHash(last?.hash ?? GENESIS, block) }
    await client.query(
      'insert into seal (no, last_txid, last_seq, month, entries, block, hash) values ($1, $2::xid8, $3, $4, $5, $6, $7)',
      [seal.no, end.txid, end.seq, end.month, entries.length, block, seal.hash],
    )
    await client.query(
      `insert into seal_head (no, hash) values ($1, $2)
       on conflict (one) do update set no = excluded.no, hash = excluded.hash`,
      [seal.no, seal.hash],
    )
    return entries.length
  })
}

/** The entries up to the first one of another month than the first. */
function ofOneMonth(entries: readonly Sealable[]): readonly Sealable[] {
  const end = entries.findIndex(({ month }) => month !== entries[0]?.month)
  return end < 0 ? entries : entries.slice(0, end)
}

export type SealHead = { readonly no: number; readonly hash: Buffer }

/** The newest seal that was ever made; `undefined` before the first one. */
export async function sealHead(on: Queryable): Promise<SealHead | undefined> {
  const { rows } = await on.query<SealHead>('select no, hash from seal_head')
  return rows[0]
}

async function lastSeal(on: Queryable): Promise<Seal | undefined> {
  const { rows } = await on.query<Seal>(
    'select no, last_txid::text as last_txid, last_seq, hash from seal order by no desc limit 1',
  )
  return rows[0]
}
