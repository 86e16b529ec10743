/** The first half of `verify`: every content hash, every block, every seal, in the order of the feed. */
import type { Instant } from '../../core/ids.ts'
import type { LedgerEntry } from '../../core/ledger.ts'
import type { Queryable } from './database.ts'
import { hashOf } from './ledger.ts'
import { pagesOf } from './pages.ts'
import type { ArchivedMonth } from './partitions.ts'
import { blockHash, GENESIS, sealHash, sealHead } from './seal.ts'
import type { Findings, Progress } from './verify.ts'

/** Entries, and seals, read at once. */
const PAGE = 2_000

type EntryRow = Omit<LedgerEntry, 'at'> & {
  readonly at: Instant
  readonly txid: string
  readonly seq: number
  readonly hash: Buffer
}
type SealRow = {
  readonly no: number
  readonly last_txid: string
  readonly last_seq: number
  readonly month: string
  readonly entries: number
  readonly block: Buffer
  readonly hash: Buffer
}

type Chain = {
  readonly entries: number
  readonly archivedEntries: number
  readonly seals: number
  readonly unsealedEntries: number
}

/**
 * Walks along the seals and the entries side by side. Of a month that was archived only the seals are here: each still has to
 * continue the one before it, and together they have to count what the ledger says was archived.
 */
export async function verifyChain(
  on: Queryable,
  archives: ReadonlyMap<string, ArchivedMonth>,
  found: Findings,
  progress: Progress,
): Promise<Chain> {
  const total = await entriesInAll(on, [...archives.keys()])
  const entries = pagesOf(PAGE, (last: EntryRow | undefined) => entriesAfter(on, last))
  let before = GENESIS
  let seals = 0
  let counted = 0
  const archived = new Map<string, number>()
  for await (const seal of pagesOf(PAGE, (last: SealRow | undefined) => sealsAfter(on, last))) {
    seals += 1
    if (seal.no !== seals && !found.isFull()) found.problems.push(`Seal ${seals}: is gone, ${seal.no} follows`)
    seals = seal.no
    if (!sealHash(before, seal.block).equals(seal.hash))
      found.problems.push(`Seal ${seal.no}: the chain is broken here`)
    before = seal.hash
    if (archives.has(monthOf(seal.month))) {
      archived.set(monthOf(seal.month), (archived.get(monthOf(seal.month)) ?? 0) + seal.entries)
      continue
    }
    const block: Buffer[] = []
    for (;;) {
      const next = await entries.peek()
      if (!next || isBehind(next, seal)) break
      await entries.next()
      counted += 1
      block.push(next.hash)
      checkEntry(next, found)
      if (new Date(next.at).toISOString().slice(0, 7) !== monthOf(seal.month))
        found.problems.push(`Entry ${next.stream} v${next.version}: is not of the month of its seal ${seal.no}`)
      progress('Entries', counted, total)
    }
    if (block.length !== seal.entries)
      found.problems.push(
        block.length === 0
          ? `Seal ${seal.no}: entries that it covers are gone`
          : `Seal ${seal.no}: covers ${seal.entries} entries, found ${block.length}`,
      )
    if (!blockHash(block).equals(seal.block)) found.problems.push(`Seal ${seal.no}: its block is not what it was`)
    if (found.isFull()) break
  }
  const head = await sealHead(on)
  if (!found.isFull() && head && (head.no !== seals || !head.hash.equals(before)))
    found.problems.push(`Seal ${head.no}: was the newest, and the chain ends at ${seals}`)
  let unsealed = 0
  for (;;) {
    const next = await entries.peek()
    if (!next || found.isFull()) break
    await entries.next()
    checkEntry(next, found)
    unsealed += 1
    progress('Entries', counted + unsealed, total)
  }
  let archivedEntries = 0
  for (const [month, told] of archives) {
    const covered = archived.get(month) ?? 0
    archivedEntries += covered
    if (covered !== told.entries && !found.isFull())
      found.problems.push(`Month ${month}: ${told.entries} entries were archived, its seals cover ${covered}`)
  }
  return { entries: counted + unsealed, archivedEntries, seals, unsealedEntries: unsealed }
}

function checkEntry(row: EntryRow, found: Findings): void {
  if (!hashOf({ ...row, at: new Date(row.at).toISOString() }).equals(row.hash))
    found.problems.push(`Entry ${row.stream} v${row.version}: its content does not match its hash`)
}

const monthOf = (day: string): string => day.slice(0, 7)

const isBehind = (entry: EntryRow, seal: SealRow): boolean =>
  BigInt(entry.txid) > BigInt(seal.last_txid) || (entry.txid === seal.last_txid && entry.seq > seal.last_seq)

/** How many entries there will be, for the percentages: what seals count, and what none covers yet. */
async function entriesInAll(on: Queryable, archived: readonly string[]): Promise<number> {
  const { rows } = await on.query<{ entries: number }>(
    `select coalesce(sum(entries), 0)::bigint as entries from seal where to_char(month, 'YYYY-MM') <> all($1)`,
    [archived],
  )
  // Index: ledger_entry_feed_idx (txid, seq).
  const unsealed = await on.query<{ entries: number }>(
    `select count(*) as entries
     from ledger_entry
     where not exists (select from seal)
        or (ledger_entry.txid, seq) > (select last_txid, last_seq from seal order by no desc limit 1)`,
  )
  return (rows[0]?.entries ?? 0) + (unsealed.rows[0]?.entries ?? 0)
}

// Index: ledger_entry_feed_idx (txid, seq). Takes no lock.
async function entriesAfter(on: Queryable, after: EntryRow | undefined): Promise<readonly EntryRow[]> {
  const { rows } = await on.query<EntryRow>(
    `select txid::text as txid, seq, at, stream, version, kind, actor, cause, configuration, body, hash
     from ledger_entry
     where (txid, seq) > ($1::xid8, $2::bigint)
     order by ledger_entry.txid, seq
     limit $3`,
    [after?.txid ?? '0', after?.seq ?? 0, PAGE],
  )
  return rows
}

async function sealsAfter(on: Queryable, after: SealRow | undefined): Promise<readonly SealRow[]> {
  const { rows } = await on.query<SealRow>(
    `select no, last_txid::text as last_txid, last_seq, month, entries, block, hash
     from seal
     where no > $1
     order by no
     limit $2`,
    [after?.no ?? 0, PAGE],
  )
  return rows
}
