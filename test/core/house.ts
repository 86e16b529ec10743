/**
 * Holdfast reduced to its core: states in memory, a clock that the test moves, commands one after another. It keeps what every
 * decision changed, so that a test can replay it, recount it, or make the decision again on what the lane would have loaded.
 */
import { expect } from 'vitest'
import type { Configuration } from '../../src/core/configuration.ts'
import {
  type AnswerOf,
  type Command,
  decide,
  draftsOf,
  needsAllDemands,
  needsAllOf,
  skusOf,
} from '../../src/core/decide.ts'
import { type Demand, isHeld, isLive, isOpen } from '../../src/core/demand.ts'
import type { Incident } from '../../src/core/draft.ts'
import { after, type Instant, instantOf, type ShopId, type Sku } from '../../src/core/ids.ts'
import { type Availability, availabilityOf } from '../../src/core/sellable.ts'
import { type Change, emptyState, evolve, inboundKey, type SkuState } from '../../src/core/stock.ts'
import { type FigureWord, ordersToldWhole, type Word } from '../../src/core/word.ts'
import { LAMP, NORD, wordCommand } from './rules.ts'

export type Decided<C extends Command> = {
  readonly answer: AnswerOf<C>
  readonly changes: ReadonlyMap<Sku, readonly Change[]>
  readonly incidents: readonly Incident[]
}

export type House = ReturnType<typeof openHouse>

/** Opens a house in which nobody has said a word. */
export function openHouse(rules: Configuration) {
  const states = new Map<Sku, SkuState>()
  const ledger = new Map<Sku, Change[]>()
  const incidents: Incident[] = []
  let now = instantOf(1_000_000_000)
  let messages = 0

  const stateOf = (sku: Sku): SkuState => {
    const state = states.get(sku) ?? emptyState(sku)
    states.set(sku, state)
    return state
  }

  const run = <C extends Command>(command: C): Decided<C> => {
    const touched = statesFor(command, stateOf, states)
    const drafts = draftsOf(touched, rules, now)
    const answer = decide(drafts, command)
    const changes = new Map([...drafts].map(([sku, draft]) => [sku, draft.changes]))
    for (const [sku, made] of changes) ledger.set(sku, [...(ledger.get(sku) ?? []), ...made])
    const told = [...drafts.values()].flatMap((draft) => draft.incidents)
    incidents.push(...told)
    return { answer, changes, incidents: told }
  }

  return {
    rules,
    incidents,
    now: (): Instant => now,
    pass: (ms: number): Instant => {
      now = after(now, ms)
      return now
    },
    run,
    decide: <C extends Command>(command: C): AnswerOf<C> => run(command).answer,
    /** A word of the warehouse in a message of its own, unless one is named. */
    say: (word: Word, about: { messageId?: string; receivedAt?: Instant; answersOurPull?: boolean } = {}) =>
      run(wordCommand(word, { messageId: `m-${++messages}`, receivedAt: now, ...about })).answer.verdict,
    /** A figure and the list of open orders in one message. */
    snapshot: (figure: FigureWord, list: Word): void => {
      const about = { messageId: `m-${++messages}`, receivedAt: now }
      run(wordCommand(figure, about))
      run(wordCommand(list, about))
    },
    stateOf,
    stock: (shop: ShopId = NORD, sku: Sku = LAMP): Availability => availabilityOf(stateOf(sku), rules, shop, now),
    sellable: (shop: ShopId = NORD, sku: Sku = LAMP): number =>
      availabilityOf(stateOf(sku), rules, shop, now).sellableUnits,
    demands: (sku: Sku = LAMP): readonly Demand[] => [...stateOf(sku).demands.values()].filter(isLive),
    /** Everything that was ever changed about a SKU, in order. */
    changesOf: (sku: Sku = LAMP): readonly Change[] => ledger.get(sku) ?? [],
    states: (): ReadonlyMap<Sku, SkuState> => states,
    /** The SKUs' states as the lane would load them for one command: see `loadForDecision`. */
    loadedFor: (command: Command): readonly SkuState[] =>
      statesFor(command, stateOf, states).map((state) => asLoaded(state, command, attemptsOf(command, states))),
  }
}

/** The states that a command is given: those it names, and those that its reservation, order or line keys stand in. */
function statesFor(command: Command, stateOf: (sku: Sku) => SkuState, all: ReadonlyMap<Sku, SkuState>): SkuState[] {
  const named = skusOf(command).map(stateOf)
  const attempts = attemptsOf(command, all)
  const others = [...all.values()].filter(
    (state) =>
      !named.includes(state) && [...state.demands.values()].some((demand) => isNamed(demand, command, attempts)),
  )
  return command.kind === 'hold' || command.kind === 'order' || command.kind === 'release'
    ? [...named, ...others]
    : named
}

/** The attempts that hold line keys of an order: it takes one of them whole. */
function attemptsOf(command: Command, all: ReadonlyMap<Sku, SkuState>): ReadonlySet<string> {
  if (command.kind !== 'order') return new Set()
  const keys = new Set(command.order.lines.flatMap(({ lineKey }) => lineKey ?? []))
  const demands = [...all.values()].flatMap((state) => [...state.demands.values()])
  return new Set(
    demands.flatMap((demand) =>
      isHeld(demand) && demand.shop === command.shop && demand.lineKey !== undefined && keys.has(demand.lineKey)
        ? (demand.reservation ?? [])
        : [],
    ),
  )
}

/** Whether the lane finds a demand by the names in a command. */
function isNamed(demand: Demand, command: Command, attempts: ReadonlySet<string>): boolean {
  switch (command.kind) {
    case 'hold':
      return (
        (command.via === 'api' && isLive(demand) && demand.reservation === command.reservation) ||
        command.lines.some(({ lineKey }) => lineKey !== undefined && lineKey === demand.lineKey)
      )
    case 'release':
      return isLive(demand) && demand.reservation === command.reservation
    case 'order':
      return (
        (command.reservation !== undefined && isLive(demand) && demand.reservation === command.reservation) ||
        (isLive(demand) && demand.reservation !== undefined && attempts.has(demand.reservation)) ||
        demand.orderLine?.orderId === command.order.orderId ||
        command.order.lines.some(({ lineKey }) => lineKey !== undefined && lineKey === demand.lineKey)
      )
    default:
      return false
  }
}

/** A copy with only those demands that the lane brings: all live ones where something may become free, else the named ones. */
function asLoaded(state: SkuState, command: Command, attempts: ReadonlySet<string>): SkuState {
  const copy = structuredClone(state)
  const whole = needsAllDemands(command) || needsAllOf(state, command)
  const orderNumbers = command.kind === 'word' ? ordersToldWhole(command.word) : []
  copy.demands.clear()
  for (const demand of state.demands.values()) {
    const wanted =
      (whole && isLive(demand)) ||
      isNamed(demand, command, attempts) ||
      (demand.orderLine !== undefined && orderNumbers.includes(demand.orderLine.orderNumber))
    if (wanted) copy.demands.set(demand.no, demand)
  }
  copy.complete = whole
  return copy
}

/** Whatever happened, the state is the fold of its changes and its counters are what a recount finds. */
export function expectSound(house: House): void {
  for (const [sku, state] of house.states()) {
    const replayed = emptyState(sku)
    for (const change of house.changesOf(sku)) evolve(replayed, change)
    expect({ ...replayed, ...WITHOUT_COUNTERS }).toEqual({ ...state, ...WITHOUT_COUNTERS })
    expect(countersOf(replayed)).toEqual(countersOf(state))
    expect(recount(state)).toEqual(countersOf(state))
    for (const { warehouse, chargedUnits } of state.shelves.values()) {
      expect(chargedUnits).toBeGreaterThanOrEqual(0)
      expect(chargedUnits).toBeLessThanOrEqual(state.shelfCounts.get(warehouse)?.contained ?? 0)
    }
  }
}

const WITHOUT_COUNTERS = { shelfCounts: new Map(), shopCounts: new Map(), lineCounts: new Map() }

const countersOf = (state: SkuState) => ({
  pegged: unequalZero([...state.shelfCounts].map(([warehouse, { pegged }]) => [warehouse, pegged])),
  contained: unequalZero([...state.shelfCounts].map(([warehouse, { contained }]) => [warehouse, contained])),
  open: unequalZero([...state.shopCounts].map(([shop, { open }]) => [shop, open])),
  shortage: unequalZero([...state.shopCounts].map(([shop, { shortage }]) => [shop, shortage])),
  untracked: unequalZero([...state.shopCounts].map(([shop, { untracked }]) => [shop, untracked])),
  inbound: unequalZero([...state.shopCounts].map(([shop, { inbound }]) => [shop, inbound])),
  lines: unequalZero([...state.lineCounts].map(([line, { pegged }]) => [line, pegged])),
})

function recount(state: SkuState) {
  const live = [...state.demands.values()].filter(isLive)
  const onHand = live.filter(({ supply }) => supply.kind === 'on-hand')
  const shelfOf = ({ supply }: Demand): string => ('warehouse' in supply ? supply.warehouse : '')
  return {
    pegged: sums(
      onHand.filter(({ contained }) => !contained),
      shelfOf,
    ),
    contained: sums(
      onHand.filter(({ contained }) => contained),
      shelfOf,
    ),
    open: sums(live.filter(isOpen), ({ shop }) => shop),
    shortage: sums(
      live.filter(({ supply }) => supply.kind === 'shortage'),
      ({ shop }) => shop,
    ),
    untracked: sums(
      live.filter(({ supply }) => supply.kind === 'untracked'),
      ({ shop }) => shop,
    ),
    inbound: sums(
      live.filter(({ supply }) => supply.kind === 'inbound'),
      ({ shop }) => shop,
    ),
    lines: sums(
      live.filter(({ supply }) => supply.kind === 'inbound'),
      ({ supply }) => (supply.kind === 'inbound' ? inboundKey(supply) : ''),
    ),
  }
}

function sums(demands: readonly Demand[], name: (demand: Demand) => string): Record<string, number> {
  const found: Record<string, number> = {}
  for (const demand of demands) found[name(demand)] = (found[name(demand)] ?? 0) + demand.units
  return found
}

const unequalZero = (entries: readonly (readonly [string, number])[]): Record<string, number> =>
  Object.fromEntries(entries.filter(([, units]) => units !== 0))
