/** Which SKUs an attempt, an order or a line key stands in, kept up to date while a batch is decided. */
import type { Command } from '../../core/decide.ts'
import type { Demand } from '../../core/demand.ts'
import type { Sku } from '../../core/ids.ts'
import type { Change, SkuState } from '../../core/stock.ts'

export type Whereabouts = {
  /** The SKUs that a command must see beyond those that it names. */
  of(command: Command): ReadonlySet<Sku>
  /** Tells what a command has just changed. */
  note(sku: Sku, changes: readonly Change[]): void
}

/** Of everything that was loaded for a batch. A demand that has ended stays known: what it was still serves its order line. */
export function whereaboutsOf(states: ReadonlyMap<Sku, SkuState>): Whereabouts {
  const byAttempt = new Map<string, Set<Sku>>()
  const byOrder = new Map<string, Set<Sku>>()
  const byLineKey = new Map<string, Set<Sku>>()
  const attemptsByLineKey = new Map<string, Set<string>>()

  function noteDemand(sku: Sku, { reservation, orderLine, lineKey }: Demand): void {
    if (reservation !== undefined) add(byAttempt, reservation, sku)
    if (orderLine) add(byOrder, orderLine.orderId, sku)
    if (lineKey === undefined) return
    add(byLineKey, lineKey, sku)
    if (reservation !== undefined) add(attemptsByLineKey, lineKey, reservation)
  }
  for (const state of states.values()) for (const demand of state.demands.values()) noteDemand(state.sku, demand)

  return {
    note(sku, changes) {
      for (const change of changes) if (change.set === 'demand') noteDemand(sku, change.demand)
    },
    of(command) {
      const skus = new Set<Sku>()
      const join = (more: ReadonlySet<Sku> | undefined): void => {
        for (const sku of more ?? []) skus.add(sku)
      }
      if (command.kind === 'release' || (command.kind === 'hold' && command.via === 'api'))
        join(byAttempt.get(command.reservation))
      if (command.kind !== 'order') return skus
      join(byOrder.get(command.order.orderId))
      if (command.reservation !== undefined) join(byAttempt.get(command.reservation))
      // An order takes a whole attempt: what the attempt holds beyond the order's lines is given back.
      for (const { lineKey } of command.order.lines) {
        if (lineKey === undefined) continue
        join(byLineKey.get(lineKey))
        for (const attempt of attemptsByLineKey.get(lineKey) ?? []) join(byAttempt.get(attempt))
      }
      return skus
    },
  }
}

function add<V>(map: Map<string, Set<V>>, key: string, value: V): void {
  const found = map.get(key)
  if (found) found.add(value)
  else map.set(key, new Set([value]))
}
