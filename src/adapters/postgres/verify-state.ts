/**
 * The second half of `verify`: every state folded from the ledger and compared, row by row and column by column.
 *
 * Demands that have ended are compared as soon as their page of the ledger has been folded and are then let go; so memory holds
 * the live ones only, whatever a hot SKU has sold.
 */
import { imageOf, type SkuCheckpoint, stateOfImage } from '../../core/checkpoint.ts'
import { type Demand, isLive } from '../../core/demand.ts'
import { riseDueAt } from '../../core/figure.ts'
import { skuOf } from '../../core/ids.ts'
import { canonicalJson, streamOfSku } from '../../core/ledger.ts'

import { emptyState, evolve, type SkuState } from '../../core/stock.ts'
import { countsOf, namedCounts } from './counts.ts'

import type { Queryable } from './database.ts'
import { endedSum } from './ended-sum.ts'
import { checkpointsOf, FOLD_PAGE, type FoldEntry, foldPage } from './fold.ts'
import { SNAPSHOT_EVERY } from './history-snapshots.ts'
import { type DemandRow, demandOfRow, rowOfDemand, rowOfInbound, rowOfShelf, SKU_COLUMNS, type SkuRow } from './rows.ts'
import type { Findings, Progress } from './verify.ts'
import { type Columns, firstDifference, lastChangedBy, type RowKey, sentenceOf } from './verify-difference.ts'

/** SKUs folded side by side. */
const SKU_PAGE = 200
/** Rows of demands compared at once. */
const DEMAND_PAGE = 2_000
/** Ended demands that are not what they should be, remembered until the end of their stream; more say no more. */
const MAX_SUSPECTS = 1_000

/** One SKU on its way through the fold. */
type Folded = {
  readonly row: SkuRow
  readonly state: SkuState
  /** Demands that ended on this way, once each, and those of the checkpoint. */
  ended: number
  /** Ended in the page at hand, by number. */
  readonly justEnded: Map<number, Demand>
  /** Ended ones whose row is different so far: a later entry may explain it. */
  readonly suspects: Map<number, Demand>
  readonly checkpoint?: SkuCheckpoint
  /** Ended before the checkpoint and changed after it: the checkpoint's sum does not hold them any more. */
  touched: boolean
}

/** Compares every SKU, and every snapshot on the way. Returns how many. */
export async function verifyState(
  on: Queryable,
  entries: number,
  found: Findings,
  progress: Progress,
): Promise<{ readonly skus: number; readonly snapshots: number }> {
  let last = 0
  let snapshots = 0
  let compared = 0
  let folded = 0
  for (;;) {
    const { rows } = await on.query<SkuRow>(`select ${SKU_COLUMNS} from sku where id > $1 order by id limit $2`, [
      last,
      SKU_PAGE,
    ])
    const skus = await begin(on, rows)
    snapshots += await foldAll(on, skus, found, (page) => {
      folded += page
      progress('Entries folded', folded, entries)
    })
    await compareStates(on, [...skus.values()], found)
    compared += rows.length
    last = rows.at(-1)?.id ?? last
    if (rows.length < SKU_PAGE || found.isFull()) break
  }
  progress('Entries folded', folded, folded)
  const { rows } = await on.query<{ count: number }>('select count(*) as count from ledger_snapshot')
  const strays = (rows[0]?.count ?? 0) - snapshots
  if (strays > 0 && !found.isFull())
    found.problems.push(`ledger_snapshot: ${strays} stand for versions that nobody has`)
  return { skus: compared, snapshots }
}

/** Every SKU begins with nothing, or with its newest checkpoint. */
async function begin(on: Queryable, rows: readonly SkuRow[]): Promise<ReadonlyMap<string, Folded>> {
  const checkpoints = await checkpointsOf(
    on,
    rows.map(({ sku }) => streamOfSku(sku)),
  )
  return new Map(
    rows.map((row) => {
      const checkpoint = checkpoints.get(streamOfSku(row.sku))?.body.checkpoint
      const state = checkpoint ? stateOfImage(skuOf(row.sku), checkpoint.state) : emptyState(row.sku)
      const rest = { ended: checkpoint?.ended.count ?? 0, justEnded: new Map(), suspects: new Map(), touched: false }
      return [streamOfSku(row.sku), { row, state, ...rest, ...(checkpoint ? { checkpoint } : {}) }]
    }),
  )
}

async function foldAll(
  on: Queryable,
  skus: ReadonlyMap<string, Folded>,
  found: Findings,
  onPage: (entries: number) => void,
): Promise<number> {
  const streams = [...skus.keys()]
  let coming = foldPage(on, streams, { stream: '', version: 0 })
  let compared = 0
  for (;;) {
    const page = await coming
    const last = page.at(-1)
    const isLast = !last || page.length < FOLD_PAGE || found.isFull()
    // The database reads the next page while this one is folded.
    if (!isLast) {
      coming = foldPage(on, streams, last)
      coming.catch(() => undefined)
    }
    const snapshots = await snapshotsOfPage(on, page)
    for (const entry of page) {
      const folded = skus.get(entry.stream)
      const snapshot = snapshots.get(`${entry.version} ${entry.stream}`)
      if (snapshot !== undefined) compared += 1
      if (folded) foldEntry(folded, entry, snapshot, found)
    }
    await compareEnded(on, [...skus.values()])
    onPage(page.length)
    if (isLast) return compared
  }
}

/** Snapshots that stand at an entry of the page, by version and stream. Primary key of ledger_snapshot. */
async function snapshotsOfPage(on: Queryable, page: readonly FoldEntry[]): Promise<ReadonlyMap<string, unknown>> {
  const due = page.filter(({ version }) => version % SNAPSHOT_EVERY === 0)
  if (due.length === 0) return new Map()
  const { rows } = await on.query<{ stream: string; version: number; state: unknown }>(
    `select stream, version, state
     from ledger_snapshot
     where (stream, version) in (select * from unnest($1::text[], $2::bigint[]))`,
    [due.map(({ stream }) => stream), due.map(({ version }) => version)],
  )
  return new Map(rows.map(({ stream, version, state }) => [`${version} ${stream}`, state]))
}

function foldEntry(folded: Folded, { stream, version, body }: FoldEntry, snapshot: unknown, found: Findings): void {
  const { state } = folded
  // What lies between the cut and the first kept entry went into the checkpoint.
  if (version <= state.version) return
  if (version !== state.version + 1) found.problems.push(`${stream}: version ${version} follows ${state.version}`)
  const { nextDemand } = state
  for (const change of body.changes ?? []) {
    if (change.set !== 'demand') {
      evolve(state, change)
      continue
    }
    const { demand } = change
    // Known before this entry, or ended within it, and not at hand: it had ended, and was counted then.
    const hadEnded = !state.demands.has(demand.no) && (demand.no < nextDemand || folded.justEnded.has(demand.no))
    evolve(state, change)
    folded.suspects.delete(demand.no)
    if (hadEnded) folded.ended -= 1
    if (hadEnded && demand.no < (folded.checkpoint?.state.nextDemand ?? 0)) folded.touched = true
    if (isLive(demand)) {
      folded.justEnded.delete(demand.no)
      continue
    }
    folded.ended += 1
    folded.justEnded.set(demand.no, demand)
    state.demands.delete(demand.no)
  }
  state.version = version
  if (snapshot === undefined || canonicalJson(snapshot) === canonicalJson(imageOf(state))) return
  found.problems.push(`ledger_snapshot (${stream}, version ${version}): is not what the ledger tells`)
}

/** The ended demands of a page against their rows. */
async function compareEnded(on: Queryable, skus: readonly Folded[]): Promise<void> {
  const wanted = skus.flatMap(({ row, justEnded }) => [...justEnded.keys()].map((no) => ({ id: row.id, no })))
  const rows = new Map<string, DemandRow>()
  for (let from = 0; from < wanted.length; from += DEMAND_PAGE) {
    const slice = wanted.slice(from, from + DEMAND_PAGE)
    // Primary key of demand.
    const page = await on.query<DemandRow>(
      'select * from demand where (sku_id, no) in (select * from unnest($1::int[], $2::int[]))',
      [slice.map(({ id }) => id), slice.map(({ no }) => no)],
    )
    for (const row of page.rows) rows.set(`${row.sku_id} ${row.no}`, row)
  }
  for (const { row, justEnded, suspects } of skus) {
    for (const [no, demand] of justEnded) {
      const isWrong = firstDifference(told(rowOfDemand(row.id, demand)), rows.get(`${row.id} ${no}`))
      if (isWrong && suspects.size < MAX_SUSPECTS) suspects.set(no, demand)
    }
    justEnded.clear()
  }
}

const told = (row: object): Columns => row as Columns

type Tables = Readonly<Record<'figure' | 'inbound_line', ReadonlyMap<string, Columns>>>

async function compareStates(on: Queryable, skus: readonly Folded[], found: Findings): Promise<void> {
  const ids = skus.map(({ row }) => row.id)
  const tables = await tablesOf(on, ids)
  const live = await liveDemandsOf(on, ids)
  const counts = await endedCountsOf(on, ids)
  for (const folded of skus) {
    const { row, state } = folded
    if (found.isFull()) return
    const wrong = async (key: RowKey, a: Columns | undefined, b: Columns | undefined): Promise<boolean> => {
      const difference = firstDifference(a, b)
      if (!difference || found.isFull()) return false
      const by = await lastChangedBy(on, key)
      const whole = {
        table: key.table,
        key: { sku: key.sku, ...key.key },
        ...difference,
        ...(by ? { lastChangedBy: by } : {}),
      }
      found.first ??= whole
      found.problems.push(sentenceOf(whole))
      return true
    }
    const name = { sku: skuOf(row.sku) }
    const stored = { version: row.version, next_demand: row.next_demand }
    if (
      await wrong({ table: 'sku', ...name, key: {} }, { version: state.version, next_demand: state.nextDemand }, stored)
    )
      continue
    // One difference of a SKU is told: the others mostly follow from it.
    if (await compareDemands(on, folded, live.get(row.id) ?? new Map(), wrong)) continue
    if (await compareRows(folded, tables, wrong)) continue
    const invented = await inventedOf(on, folded, counts.get(row.id) ?? 0)
    if (invented && (await wrong({ table: 'demand', ...name, key: { no: invented.no } }, undefined, told(invented))))
      continue
    const problem = await endedProblem(on, folded, counts.get(row.id) ?? 0)
    if (problem) found.problems.push(problem)
  }
}

type Wrong = (key: RowKey, told: Columns | undefined, stored: Columns | undefined) => Promise<boolean>

async function compareDemands(
  on: Queryable,
  { row, state, suspects }: Folded,
  live: ReadonlyMap<number, DemandRow>,
  wrong: Wrong,
): Promise<boolean> {
  const suspicious = [...suspects.keys(), ...[...state.demands.keys()].filter((no) => !live.has(no))]
  const others = await demandsByNo(on, row.id, suspicious.slice(0, MAX_SUSPECTS))
  const numbers = [...suspects.keys(), ...state.demands.keys(), ...live.keys()].sort((a, b) => a - b)
  for (const no of new Set(numbers)) {
    const demand = state.demands.get(no) ?? suspects.get(no)
    const key: RowKey = { table: 'demand', sku: skuOf(row.sku), key: { no } }
    const stored = live.get(no) ?? others.get(no)
    // Ended by the ledger, compared before, and live by the table: it is one of the suspects.
    if (!demand && no < state.nextDemand && suspects.size >= MAX_SUSPECTS) continue
    if (await wrong(key, demand && told(rowOfDemand(row.id, demand)), stored)) return true
  }
  return false
}

async function compareRows({ row, state }: Folded, tables: Tables, wrong: Wrong): Promise<boolean> {
  const expected: Record<keyof Tables, Map<string, Columns>> = {
    figure: new Map(
      [...state.shelves.values()].map((shelf) => [
        keyText(row.id, shelf.warehouse),
        told(rowOfShelf(row.id, shelf, riseDueAt(shelf))),
      ]),
    ),
    inbound_line: new Map(
      [...state.inbound.values()].map((line) => [
        keyText(row.id, line.purchaseOrder, line.line),
        told(rowOfInbound(row.id, line)),
      ]),
    ),
  }
  for (const table of ['figure', 'inbound_line'] as const) {
    const stored = [...tables[table]].filter(([, columns]) => columns.sku_id === row.id)
    const keys = new Set([...expected[table].keys(), ...stored.map(([key]) => key)])
    for (const key of keys) {
      const a = expected[table].get(key)
      const b = tables[table].get(key)
      const names = Object.fromEntries(KEYS[table].map((name) => [name, (a ?? b)?.[name]]))
      if (await wrong({ table, sku: skuOf(row.sku), key: names }, a, b)) return true
    }
  }
  const counts = countsOf(state)
  const key: RowKey = { table: 'sku', sku: skuOf(row.sku), key: {} }
  return await wrong(key, namedCounts(counts, row.counts), namedCounts(row.counts, counts))
}

const KEYS = { figure: ['warehouse'], inbound_line: ['purchase_order', 'line'] } as const
const keyText = (...parts: readonly (string | number)[]): string => parts.join('\u001f')

async function tablesOf(on: Queryable, ids: readonly number[]): Promise<Tables> {
  const read = async (table: keyof Tables): Promise<ReadonlyMap<string, Columns>> => {
    const { rows } = await on.query<Columns>(`select * from ${table} where sku_id = any($1)`, [ids])
    return new Map(
      rows.map((row) => [keyText(Number(row.sku_id), ...KEYS[table].map((name) => String(row[name]))), row]),
    )
  }
  return { figure: await read('figure'), inbound_line: await read('inbound_line') }
}

// Index: demand_live_idx.
async function liveDemandsOf(on: Queryable, ids: readonly number[]) {
  const { rows } = await on.query<DemandRow>('select * from demand where sku_id = any($1) and ended is null', [ids])
  const live = new Map<number, Map<number, DemandRow>>()
  for (const row of rows) {
    const own = live.get(row.sku_id) ?? new Map<number, DemandRow>()
    live.set(row.sku_id, own.set(row.no, row))
  }
  return live
}

async function demandsByNo(on: Queryable, skuId: number, numbers: readonly number[]) {
  const { rows } = await on.query<DemandRow>('select * from demand where sku_id = $1 and no = any($2)', [
    skuId,
    numbers,
  ])
  return new Map(rows.map((row) => [row.no, row]))
}

async function endedCountsOf(on: Queryable, ids: readonly number[]): Promise<ReadonlyMap<number, number>> {
  const { rows } = await on.query<{ sku_id: number; count: number }>(
    'select sku_id, count(*) as count from demand where sku_id = any($1) and ended is not null group by sku_id',
    [ids],
  )
  return new Map(rows.map(({ sku_id, count }) => [sku_id, count]))
}

/** An ended demand that nobody told of: beyond the last number. Primary key of demand. */
async function inventedOf(
  on: Queryable,
  { row, state, ended }: Folded,
  stored: number,
): Promise<DemandRow | undefined> {
  if (stored <= ended) return undefined
  const { rows } = await on.query<DemandRow>(
    'select * from demand where sku_id = $1 and no >= $2 and ended is not null order by no limit 1',
    [row.id, state.nextDemand],
  )
  return rows[0]
}

/** Ended demands that nobody told of, and those of archived months against the sum in the checkpoint. */
async function endedProblem(on: Queryable, folded: Folded, stored: number): Promise<string | undefined> {
  const { row, checkpoint, ended, touched } = folded
  if (stored !== ended) return `demand (sku ${row.sku}): ${stored} ended ones are stored, the ledger tells of ${ended}`
  if (!checkpoint || touched || checkpoint.ended.sum === undefined) return undefined
  const sum = await sumOfEnded(on, row, checkpoint)
  if (sum === checkpoint.ended.sum) return undefined
  return `demand (sku ${row.sku}): those that ended before version ${checkpoint.state.version} are not what its checkpoint sums up`
}

async function sumOfEnded(on: Queryable, row: SkuRow, { state }: SkuCheckpoint): Promise<string> {
  const live = new Set(state.demands.map(({ no }) => no))
  const sum = endedSum()
  for (let after = 0; ; ) {
    // Primary key of demand.
    const { rows } = await on.query<DemandRow>(
      'select * from demand where sku_id = $1 and no > $2 and no < $3 and ended is not null order by no limit $4',
      [row.id, after, state.nextDemand, DEMAND_PAGE],
    )
    for (const each of rows) if (!live.has(each.no)) sum.add(demandOfRow(each))
    after = rows.at(-1)?.no ?? after
    if (rows.length < DEMAND_PAGE) return sum.hex()
  }
}
