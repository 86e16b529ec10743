/** One decision as one transaction on the store: load, decide, and all of it, or nothing: the twin of `postgres/lane-batch.ts`. */
import { AlreadyAnswered, type Attempt, type Origin } from '../../app/lane.ts'
import { keysOfBuyer } from '../../core/cap.ts'
import type { Configuration } from '../../core/configuration.ts'
import { type Answer, type Command, decide, draftsOf } from '../../core/decide.ts'
import type { Demand } from '../../core/demand.ts'
import type { Draft, Incident } from '../../core/draft.ts'
import { isUnits, MAX_UNITS, type Sku } from '../../core/ids.ts'
import { type LedgerEntry, streamOfSku } from '../../core/ledger.ts'
import { inboundKey, type SkuState } from '../../core/stock.ts'
import { isApplied, tick } from './inbox.ts'
import { loadForCommand } from './load.ts'
import { keepDemand, type MemoryStore, markDirty, tableOf } from './store.ts'

/** What a decision left behind. */
export type Decided = {
  readonly answer: Answer
  readonly changed: readonly Sku[]
  readonly entries: readonly LedgerEntry[]
  readonly incidents: readonly Incident[]
}

export type MemoryOrigin = Origin & { readonly attempt?: Attempt<Answer> }

/** Decides one command and commits it. What it throws has left no trace. */
export function decideOn(store: MemoryStore, rules: Configuration, command: Command, origin: MemoryOrigin): Decided {
  const { receipt, attempt } = origin
  if (receipt && isApplied(store, receipt)) {
    return { answer: { verdict: 'repeated' }, changed: [], entries: [], incidents: [] }
  }
  const attemptName = attempt && `${attempt.scope}\n${attempt.key}`
  if (attempt && store.answers.has(attemptName ?? '')) throw new AlreadyAnswered(attempt)
  const now = store.now()
  const drafts = draftsOf(loadForCommand(store, command), rules, now)
  const answer: Answer = decide(drafts, command)
  const touched = [...drafts.values()].filter(({ changes }) => changes.length > 0)
  const entries = touched.map(({ state, changes }): LedgerEntry => {
    state.version += 1
    return {
      stream: streamOfSku(state.sku),
      version: state.version,
      at: new Date(now).toISOString(),
      kind: command.kind,
      actor: origin.actor,
      cause: origin.cause,
      configuration: rules.version,
      body: { changes },
    }
  })
  for (const draft of touched) refuseWhatTheDatabaseWould(draft)

  // ── committed from here on: nothing below throws ──
  if (attemptName !== undefined) store.answers.add(attemptName)
  if (receipt && 'verdict' in answer) tick(store, receipt, answer.verdict, command)
  for (const draft of touched) keep(store, draft)
  store.ledger.push(...entries)
  const shops = [...rules.shops.values()].filter(({ kind }) => kind === 'shopware')
  for (const { state } of touched) for (const { shop } of shops) markDirty(store, shop, tableOf(store, state.sku).id)
  if (command.kind === 'hold' && 'granted' in answer && answer.granted) {
    const { shop, via, until, reservation } = command
    const before = store.reservations.get(reservation)
    store.reservations.set(reservation, { ...(before ?? { shop, via, calledAt: now }), until })
    for (const key of command.buyer ? keysOfBuyer(command.buyer) : [])
      store.buyers.set(key, (store.buyers.get(key) ?? new Set()).add(reservation))
  }
  const incidents = [...drafts.values()].flatMap((draft) =>
    draft.incidents.map((incident) => ({ ...incident, sku: draft.state.sku })),
  )
  keepIncidents(store, incidents)
  return { answer, changed: touched.map(({ state }) => state.sku), entries, incidents }
}

function keep(store: MemoryStore, { state, changes }: Draft): void {
  const table = tableOf(store, state.sku)
  table.version = state.version
  table.nextDemand = state.nextDemand
  const changed = new Set<number>()
  for (const change of changes) {
    if (change.set === 'demand') changed.add(change.demand.no)
    if (change.set === 'inbound') table.inbound.set(inboundKey(change.line), change.line)
  }
  for (const no of changed) {
    const demand = state.demands.get(no)
    if (demand) keepDemand(store, table, demand)
  }
  for (const [warehouse, shelf] of state.shelves) table.shelves.set(warehouse, shelf)
  for (const [warehouse, count] of state.shelfCounts) table.shelfCounts.set(warehouse, { ...count })
  for (const [key, count] of state.lineCounts) table.lineCounts.set(key, { ...count })
  for (const [shop, count] of state.shopCounts) table.shopCounts.set(shop, { ...count })
}

/** The last word about a key counts: raised and settled within one decision is settled. */
function keepIncidents(store: MemoryStore, incidents: readonly (Incident & { readonly sku: Sku })[]): void {
  const last = new Map(incidents.map((incident) => [`${incident.code}/${incident.key}`, incident]))
  for (const [name, { opens, ...incident }] of last) {
    const open = store.incidents.get(name)
    if (opens) {
      store.incidents.set(name, {
        ...(open ?? incident),
        ...incident,
        openedAt: open?.openedAt ?? store.now(),
        seen: (open?.seen ?? 0) + 1,
      })
    } else if (store.incidents.delete(name)) store.closedIncidents += 1
  }
}

/** The `check` constraints of the tables, repeated: a decision that breaks one fails alone. */
function refuseWhatTheDatabaseWould({ state, changes }: Draft): void {
  for (const change of changes) if (change.set === 'demand') refuseDemand(state, change.demand)
  for (const { warehouse, chargedUnits, figure } of state.shelves.values()) {
    const contained = state.shelfCounts.get(warehouse)?.contained ?? 0
    require(chargedUnits >= 0 && chargedUnits <= contained, 'figure_charged', state.sku)
    require(Math.abs(figure.units) <= MAX_UNITS, 'figure_units', state.sku)
  }
  for (const { pegged, contained } of state.shelfCounts.values())
    require(isUnits(pegged) && isUnits(contained), 'sku_counts', state.sku)
  for (const { open, shortage, untracked, inbound } of state.shopCounts.values())
    require([open, shortage, untracked, inbound].every(isUnits), 'sku_counts', state.sku)
}

function refuseDemand({ sku }: SkuState, { units, phase, supply, contained, orderLine }: Demand): void {
  require(units > 0 && units <= MAX_UNITS, 'demand_units', sku)
  require(phase === 'held' || orderLine !== undefined, 'demand_placed_has_order', sku)
  require(!contained || supply.kind === 'on-hand', 'demand_contained_on_hand', sku)
}

function require(holds: boolean, constraint: string, sku: Sku): void {
  if (!holds) throw new Error(`new row violates check constraint "${constraint}" (${sku})`)
}
