/**
 * Proves the ledger and the state against each other, in one snapshot of the database: every content hash, every seal, every
 * stream without a gap, and every table of supply and demand rebuilt from the ledger and compared value by value.
 */

import { type Instant, type Sku, shopOf, skuOf, warehouseOf } from '../../core/ids.ts'
import { canonicalJson, type LedgerEntry, type SkuEntryBody, streamOfSku } from '../../core/ledger.ts'
import { emptyState, evolve, inboundKey, type SkuState } from '../../core/stock.ts'
import { documentHash } from './configuration-store.ts'
import type { Database, Queryable } from './database.ts'
import { hashOf } from './ledger.ts'
import {
  countOfRow,
  type DemandRow,
  demandOfRow,
  type FigureRow,
  type InboundRow,
  inboundOfRow,
  type SkuRow,
  type SkuShopRow,
  shelfOfRow,
  shopCountOfRow,
} from './rows.ts'
import { GENESIS, sealHash } from './seal.ts'

/** What was looked at, and the first thing that is wrong in each part. Empty `problems`: all is well. */
export type Verdict = {
  readonly entries: number
  readonly seals: number
  readonly skus: number
  readonly unsealedEntries: number
  readonly problems: readonly string[]
}

/** Entries and SKUs read at once. */
const PAGE = 5_000
const SKU_PAGE = 500
/** Problems that are told; one is enough to act, a million would hide it. */
const MAX_PROBLEMS = 20

type EntryRow = Omit<LedgerEntry, 'at'> & {
  readonly at: Instant
  readonly txid: string
  readonly seq: number
  readonly hash: Buffer
}

/** Verifies everything. Reads in one repeatable-read transaction, so live traffic neither hinders it nor is hindered. */
export async function verify(
  database: Database,
  onProgress: (text: string) => void = () => undefined,
): Promise<Verdict> {
  return await database.transaction(async (client) => {
    await client.query('set transaction isolation level repeatable read, read only')
    const problems: string[] = []
    const chain = await verifyChain(client, problems, onProgress)
    await verifyOtherStreams(client, problems)
    await verifyConfiguration(client, problems)
    const skus = await verifyState(client, problems, onProgress)
    return { ...chain, skus, problems: problems.slice(0, MAX_PROBLEMS) }
  })
}

async function verifyChain(on: Queryable, problems: string[], onProgress: (text: string) => void) {
  const seals = await on.query<{ no: number; last_txid: string; last_seq: number; entries: number; hash: Buffer }>(
    'select no, last_txid::text as last_txid, last_seq, entries, hash from seal order by no',
  )
  let before = GENESIS
  let block: Buffer[] = []
  let sealed = 0
  let entries = 0
  let after = { txid: '0', seq: 0 }
  for (;;) {
    const page = await entriesAfter(on, after)
    for (const row of page) {
      entries += 1
      after = { txid: row.txid, seq: row.seq }
      const content = { ...row, at: new Date(row.at).toISOString() }
      if (!hashOf(content).equals(row.hash))
        problems.push(`Entry ${row.stream} v${row.version}: its content does not match its hash`)
      block.push(row.hash)
      const seal = seals.rows[sealed]
      if (seal?.last_txid !== row.txid || seal.last_seq !== row.seq) continue
      if (block.length !== seal.entries)
        problems.push(`Seal ${seal.no}: covers ${seal.entries} entries, found ${block.length}`)
      if (!sealHash(before, block).equals(seal.hash)) problems.push(`Seal ${seal.no}: the chain is broken here`)
      before = seal.hash
      block = []
      sealed += 1
    }
    onProgress(`${entries} entries, ${sealed} seals`)
    if (page.length < PAGE) break
  }
  const missing = seals.rows[sealed]
  if (missing) problems.push(`Seal ${missing.no}: entries that it covers are gone`)
  return { entries, seals: sealed, unsealedEntries: block.length }
}

async function entriesAfter(on: Queryable, after: { txid: string; seq: number }): Promise<readonly EntryRow[]> {
  const { rows } = await on.query<EntryRow>(
    `select txid::text as txid, seq, at, stream, version, kind, actor, cause, configuration, body, hash
     from ledger_entry
     where (txid, seq) > ($1::xid8, $2::bigint)
     order by ledger_entry.txid, seq
     limit $3`,
    [after.txid, after.seq, PAGE],
  )
  return rows
}

async function verifyState(on: Queryable, problems: string[], onProgress: (text: string) => void): Promise<number> {
  let last = 0
  let compared = 0
  for (;;) {
    const { rows } = await on.query<SkuRow>(
      'select id, sku, version, next_demand from sku where id > $1 order by id limit $2',
      [last, SKU_PAGE],
    )
    const rebuilt = await rebuild(
      on,
      rows.map(({ sku }) => sku),
      problems,
    )
    const stored = await storedStates(on, rows)
    for (const row of rows) {
      const difference = firstDifference(rebuilt.get(row.sku) ?? emptyState(row.sku), stored.get(row.id), row)
      if (difference) problems.push(difference)
    }
    compared += rows.length
    last = rows.at(-1)?.id ?? last
    onProgress(`${compared} SKUs rebuilt and compared`)
    if (rows.length < SKU_PAGE) return compared
  }
}

/** Folds the streams of some SKUs from nothing, a page at a time: one hot SKU may have a million entries. */
async function rebuild(on: Queryable, skus: readonly Sku[], problems: string[]): Promise<ReadonlyMap<Sku, SkuState>> {
  const states = new Map<Sku, SkuState>()
  const streams = new Map(skus.map((sku) => [streamOfSku(sku), sku]))
  let after = { stream: '', version: 0 }
  for (;;) {
    // Index: ledger_entry_one_writer. Takes no lock.
    const { rows } = await on.query<{ stream: string; version: number; body: SkuEntryBody }>(
      `select stream, version, body
       from ledger_entry
       where stream = any($1)
         and (stream, version) > ($2, $3)
       order by stream, version
       limit $4`,
      [[...streams.keys()], after.stream, after.version, PAGE],
    )
    for (const { stream, version, body } of rows) {
      const sku = skuOf(streams.get(stream) ?? '')
      const state = states.get(sku) ?? emptyState(sku)
      if (version !== state.version + 1) problems.push(`${stream}: version ${version} follows ${state.version}`)
      for (const change of body.changes) evolve(state, change)
      state.version = version
      states.set(sku, state)
    }
    after = rows.at(-1) ?? after
    if (rows.length < PAGE) return states
  }
}

/** Streams that no SKU's state gives away: `configuration`, `shop:…`, `source:…`, and those of a SKU whose row is gone. */
async function verifyOtherStreams(on: Queryable, problems: string[]): Promise<void> {
  const { rows } = await on.query<{ stream: string; entries: number; last: number; known: boolean }>(
    `with counted as (
       select stream, count(*) as entries, min(version) as first, max(version) as last
       from ledger_entry
       group by stream
     )
     select stream, entries, last, stream not like 'sku:%' or sku.id is not null as known
     from counted
     left join sku on stream = 'sku:' || sku.sku
     where (stream not like 'sku:%' and (first <> 1 or entries <> last))
        or (stream like 'sku:%' and sku.id is null)
     order by stream
     limit $1`,
    [MAX_PROBLEMS],
  )
  for (const { stream, entries, last, known } of rows) {
    problems.push(
      known
        ? `${stream}: has ${entries} entries but counts to ${last}`
        : `${stream}: has entries but the SKU has no row`,
    )
  }
}

/** Every version of the rules is the document that its entry told of. */
async function verifyConfiguration(on: Queryable, problems: string[]): Promise<void> {
  const { rows } = await on.query<{ version: number; document: unknown; told: string | null }>(
    `select version, document, body ->> 'documentHash' as told
     from configuration
     full join (select version, body from ledger_entry where stream = 'configuration') as entry using (version)
     order by version`,
  )
  for (const { version, document, told } of rows) {
    if (told === documentHash(document)) continue
    const what = document === null ? 'is told by the ledger but not stored' : 'is not what the ledger tells of'
    problems.push(`configuration: version ${version} ${what}`)
  }
}

async function storedStates(on: Queryable, skus: readonly SkuRow[]): Promise<ReadonlyMap<number, SkuState>> {
  const states = new Map(
    skus.map((row) => [row.id, { ...emptyState(row.sku), version: row.version, nextDemand: row.next_demand }]),
  )
  const ids = [[...states.keys()]]
  for (const row of (await on.query<FigureRow>('select * from figure where sku_id = any($1)', ids)).rows) {
    states.get(row.sku_id)?.shelves.set(warehouseOf(row.warehouse), shelfOfRow(row))
    states.get(row.sku_id)?.shelfCounts.set(warehouseOf(row.warehouse), countOfRow(row))
  }
  for (const row of (await on.query<SkuShopRow>('select * from sku_shop where sku_id = any($1)', ids)).rows) {
    states.get(row.sku_id)?.shopCounts.set(shopOf(row.shop), shopCountOfRow(row))
  }
  for (const row of (await on.query<InboundRow>('select * from inbound_line where sku_id = any($1)', ids)).rows) {
    states.get(row.sku_id)?.inbound.set(inboundKey(inboundOfRow(row)), inboundOfRow(row))
  }
  for (const row of (await on.query<DemandRow>('select * from demand where sku_id = any($1)', ids)).rows) {
    states.get(row.sku_id)?.demands.set(row.no, demandOfRow(row))
  }
  return states
}

/** The first place where the ledger's fold and the tables part, in words; `undefined` when they are equal. */
function firstDifference(rebuilt: SkuState, stored: SkuState | undefined, row: SkuRow): string | undefined {
  if (!stored) return `${row.sku}: no state is stored`
  const parts: readonly (readonly [string, unknown, unknown])[] = [
    ['version', rebuilt.version, stored.version],
    ['next demand', rebuilt.nextDemand, stored.nextDemand],
    ...differing('demand', rebuilt.demands, stored.demands),
    ...differing('figure', rebuilt.shelves, stored.shelves),
    ...differing('inbound line', rebuilt.inbound, stored.inbound),
    ...differing('counters of warehouse', nonZero(rebuilt.shelfCounts), nonZero(stored.shelfCounts)),
    ...differing('counters of shop', nonZero(rebuilt.shopCounts), nonZero(stored.shopCounts)),
  ]
  for (const [name, told, kept] of parts) {
    const [a, b] = [canonicalJson(told ?? null), canonicalJson(kept ?? null)]
    if (a !== b) return `${row.sku}: ${name} is ${b} in the tables but ${a} by the ledger`
  }
  return undefined
}

function differing<K, V>(name: string, told: ReadonlyMap<K, V>, kept: ReadonlyMap<K, V>): [string, unknown, unknown][] {
  return [...new Set([...told.keys(), ...kept.keys()])].map((key) => [
    `${name} ${String(key)}`,
    told.get(key),
    kept.get(key),
  ])
}

/** Counters that are all zero say the same as none. */
const nonZero = <K, V extends object>(counts: ReadonlyMap<K, V>): ReadonlyMap<K, V> =>
  new Map([...counts].filter(([, count]) => Object.values(count).some((units) => units !== 0)))
