/** The ledger as a table for people and spreadsheets: every change one row, with what was before and what came of it. */
import { type Demand, isLive } from '../../core/demand.ts'
import { type Sku, skuOf } from '../../core/ids.ts'
import { canonicalJson } from '../../core/ledger.ts'
import { type Change, type InboundLine, inboundKey, type Shelf, type SkuState } from '../../core/stock.ts'
import type { Queryable } from './database.ts'
import { applyEntry, type FoldEntry } from './fold.ts'
import { statesAt } from './history.ts'
import type { LedgerRow } from './queries.ts'

const COLUMNS = [
  'at',
  'stream',
  'version',
  'kind',
  'actor',
  'cause',
  'configuration',
  'what',
  'key',
  'why',
  'units_from',
  'units_to',
  'state_from',
  'state_to',
  'from',
  'to',
  'hash',
] as const

/** The first line. */
export const csvHead = (): string => csvLine(COLUMNS)

/** Live demands of states that are remembered from page to page, and states themselves: some 30 MB. */
const MAX_REMEMBERED = 50_000

type Entry = LedgerRow & { readonly body: FoldEntry['body'] }

/** Makes rows of pages that follow each other. Remembers the states of SKUs at hand, so that most need not be asked for. */
export function csvRows(on: Queryable): (page: readonly LedgerRow[]) => Promise<string> {
  const states = new Map<Sku, SkuState>()

  /** What was before an entry; `undefined` where that lies in an archived month. */
  async function before({ stream, version }: Entry): Promise<SkuState | undefined> {
    const sku = skuOf(stream.slice('sku:'.length))
    const known = states.get(sku)
    if (known?.version === version - 1) return known
    const asked = (await statesAt(on, [{ sku, version: version - 1 }])).get(sku)
    if (asked) states.set(sku, asked)
    else states.delete(sku)
    return asked
  }

  /** All SKUs whose first entry of the page is not at hand, in one question. */
  async function prepare(page: readonly Entry[]): Promise<void> {
    const first = new Map<Sku, number>()
    for (const { stream, version } of page) {
      const sku = skuOf(stream.slice('sku:'.length))
      if (stream.startsWith('sku:') && !first.has(sku)) first.set(sku, version - 1)
    }
    const missing = [...first].filter(([sku, version]) => states.get(sku)?.version !== version)
    const asked = await statesAt(
      on,
      missing.map(([sku, version]) => ({ sku, version })),
    )
    for (const [sku, state] of asked) states.set(sku, state)
    // The oldest go first; those of this page were just asked for, or are moved to the end.
    for (const sku of first.keys()) {
      const state = states.get(sku)
      if (state && states.delete(sku)) states.set(sku, state)
    }
    let weight = [...states.values()].reduce((sum, state) => sum + weightOf(state), 0)
    for (const [sku, state] of states) {
      if (weight <= MAX_REMEMBERED || first.has(sku)) break
      states.delete(sku)
      weight -= weightOf(state)
    }
  }

  return async (page) => {
    const entries = page as readonly Entry[]
    await prepare(entries)
    const lines: string[] = []
    for (const entry of entries) {
      const state = entry.stream.startsWith('sku:') ? await before(entry) : undefined
      lines.push(...linesOf(entry, state))
      if (state) applyEntry(state, entry as FoldEntry & Entry)
    }
    return lines.join('')
  }
}

const weightOf = (state: SkuState): number => 1 + state.demands.size

function linesOf(entry: Entry, before: SkuState | undefined): readonly string[] {
  const head = [
    new Date(entry.at).toISOString(),
    entry.stream,
    entry.version,
    entry.kind,
    entry.actor,
    entry.cause,
    entry.configuration,
  ]
  const changes = entry.body.changes ?? []
  if (!entry.stream.startsWith('sku:') || changes.length === 0) {
    return [csvLine([...head, '', '', '', '', '', '', '', '', canonicalJson(entry.body), entry.hash])]
  }
  const now = new Map<string, Value>()
  return changes.map((change) => {
    const { key, after } = told(change)
    const name = `${change.set} ${key}`
    // One entry may change the same thing twice.
    const from = now.get(name) ?? (before && valueBefore(before, change))
    now.set(name, after)
    return csvLine([
      ...head,
      change.set,
      key,
      change.why,
      from?.units ?? '',
      after.units,
      from?.state ?? '',
      after.state,
      from?.whole ?? '',
      after.whole,
      entry.hash,
    ])
  })
}

type Value = { readonly units: number; readonly state: string; readonly whole: string }

function told(change: Change): { readonly key: string; readonly after: Value } {
  switch (change.set) {
    case 'demand':
      return { key: String(change.demand.no), after: ofDemand(change.demand) }
    case 'shelf':
      return { key: change.shelf.warehouse, after: ofShelf(change.shelf) }
    case 'inbound':
      return { key: `${change.line.purchaseOrder}/${change.line.line}`, after: ofInbound(change.line) }
  }
}

function valueBefore(state: SkuState, change: Change): Value | undefined {
  switch (change.set) {
    case 'demand': {
      const demand = state.demands.get(change.demand.no)
      return demand && ofDemand(demand)
    }
    case 'shelf': {
      const shelf = state.shelves.get(change.shelf.warehouse)
      return shelf && ofShelf(shelf)
    }
    case 'inbound': {
      const line = state.inbound.get(inboundKey(change.line))
      return line && ofInbound(line)
    }
  }
}

const ofDemand = (demand: Demand): Value => ({
  units: demand.units,
  state: `${isLive(demand) ? demand.phase : demand.end} ${demand.supply.kind}${'warehouse' in demand.supply ? ` ${demand.supply.warehouse}` : ''}`,
  whole: canonicalJson(demand),
})

const ofShelf = (shelf: Shelf): Value => ({
  units: shelf.figure.units,
  state: `${shelf.figure.semantics}${shelf.disputed ? ' disputed' : ''}`,
  whole: canonicalJson(shelf),
})

const ofInbound = (line: InboundLine): Value => ({
  units: line.ordered - line.received,
  state: `${line.cancelled ? 'cancelled' : line.confirmed ? 'confirmed' : 'open'} ${line.eta ?? 'no day'}`,
  whole: canonicalJson(line),
})

const csvLine = (cells: readonly (string | number)[]): string => `${cells.map(cellOf).join(',')}\r\n`

/** What a spreadsheet would take for a formula gets an apostrophe before it; what RFC 4180 wants quoted is quoted. */
export function cellOf(value: string | number): string {
  if (typeof value === 'number') return String(value)
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
