/**
 * The demands of a batch by the names that commands give them, kept up to date while it is decided: which SKUs an attempt, an
 * order or a line key stands in, and which of a SKU's demands a command can touch. Showing it no others keeps a decision
 * O(lines): five hundred calls for one SKU would else look through each other's holds, a quarter of a million times.
 */
import type { Command } from '../../core/decide.ts'
import type { Demand } from '../../core/demand.ts'
import { attemptsNamed } from '../../core/hold.ts'
import type { Sku } from '../../core/ids.ts'
import { type Change, type SkuState, shortageUnits } from '../../core/stock.ts'

export type Whereabouts = {
  /** The SKUs that a command must see beyond those that it names. */
  of(command: Command): ReadonlySet<Sku>
  /** Leaves in a state the demands that the command can touch: all that are at hand where whatever becomes free serves a shortage. */
  show(command: Command, state: SkuState): void
  /** Tells what a command has just changed. */
  note(sku: Sku, changes: readonly Change[]): void
}

/** Of everything that was loaded for a batch. A demand that has ended stays known: what it was still serves its order line. */
export function whereaboutsOf(states: ReadonlyMap<Sku, SkuState>): Whereabouts {
  const demands = new Map<Sku, Map<number, Demand>>()
  const places = new Map<string, Map<Sku, Set<number>>>()
  const attemptsByLineKey = new Map<string, Set<string>>()

  function noteDemand(sku: Sku, demand: Demand): void {
    const { no, reservation, orderLine, lineKey } = demand
    mapIn(demands, sku).set(no, demand)
    if (reservation !== undefined) setIn(mapIn(places, attemptName(reservation)), sku).add(no)
    if (orderLine) setIn(mapIn(places, orderName(orderLine.orderId)), sku).add(no)
    if (lineKey === undefined) return
    setIn(mapIn(places, lineName(lineKey)), sku).add(no)
    if (reservation !== undefined) setIn(attemptsByLineKey, lineKey).add(reservation)
  }

  /** An order takes a whole attempt: what the attempt holds beyond the order's lines is given back. */
  function namesOf(command: Command): readonly string[] {
    switch (command.kind) {
      case 'release':
        return [attemptName(command.reservation)]
      case 'hold':
        return [
          attemptName(command.reservation),
          ...attemptsNamed(command).map(attemptName),
          ...command.lines.flatMap(({ lineKey }) => (lineKey === undefined ? [] : [lineName(lineKey)])),
        ]
      case 'order': {
        const keys = command.order.lines.flatMap(({ lineKey }) => lineKey ?? [])
        return [
          orderName(command.order.orderId),
          ...(command.reservation === undefined ? [] : [attemptName(command.reservation)]),
          ...keys.map(lineName),
          ...keys.flatMap((key) => [...(attemptsByLineKey.get(key) ?? [])].map(attemptName)),
        ]
      }
      default:
        return []
    }
  }

  for (const state of states.values()) for (const demand of state.demands.values()) noteDemand(state.sku, demand)

  return {
    note(sku, changes) {
      for (const change of changes) if (change.set === 'demand') noteDemand(sku, change.demand)
    },
    of(command) {
      const skus = new Set<Sku>()
      // A call of the checkout looks for its line keys in its own SKUs only.
      const names = command.kind === 'hold' ? attemptsNamed(command).map(attemptName) : namesOf(command)
      for (const name of names) for (const sku of places.get(name)?.keys() ?? []) skus.add(sku)
      return skus
    },
    show(command, state) {
      const known = demands.get(state.sku)
      if (state.complete || shortageUnits(state) > 0) {
        if (known && state.demands.size < known.size) for (const [no, demand] of known) state.demands.set(no, demand)
        return
      }
      state.demands.clear()
      for (const name of namesOf(command)) {
        for (const no of places.get(name)?.get(state.sku) ?? []) {
          const demand = known?.get(no)
          if (demand) state.demands.set(no, demand)
        }
      }
    },
  }
}

const attemptName = (reservation: string): string => `attempt:${reservation}`
const orderName = (orderId: string): string => `order:${orderId}`
const lineName = (lineKey: string): string => `line:${lineKey}`

function mapIn<K, A, B>(map: Map<K, Map<A, B>>, key: K): Map<A, B> {
  const found = map.get(key)
  if (found) return found
  const made = new Map<A, B>()
  map.set(key, made)
  return made
}

function setIn<K, V>(map: Map<K, Set<V>>, key: K): Set<V> {
  const found = map.get(key)
  if (found) return found
  const made = new Set<V>()
  map.set(key, made)
  return made
}
