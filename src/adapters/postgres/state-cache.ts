/**
 * What the lane remembers of SKUs between its batches: figures, counters and inbound lines, never demands.
 *
 * A remembered state is believed only under the lock of its SKU's row, and only when the row's version is still the one that the
 * state stood at: every decision of every process raises the version, so an equal one proves that nothing has changed. A hot SKU
 * is then loaded by reading one row.
 *
 * A version proves that only within one history. After a fail-over to a standby that lacked the last commits, or a restore, the
 * same number may come to stand for other decisions; so whenever the server is another one, or went away, all is forgotten.
 */
import type { Sku } from '../../core/ids.ts'
import type { SkuState } from '../../core/stock.ts'

/** SKUs that are remembered, about 2 kB each: 40 MB at most. */
const MAX_SKUS = 20_000

export type StateCache = {
  /** Tells which run of which server the versions come from, in whatever words: at other words all is forgotten. */
  standOn(server: string): void
  /** Forgets everything. */
  clear(): void
  /** Takes a state out if it stands at this version. Whoever changes it and does not bring it back has it forgotten. */
  take(sku: Sku, version: number): SkuState | undefined
  /** Brings states back, after their commit. */
  put(states: Iterable<SkuState>): void
}

export function openStateCache(maxSkus = MAX_SKUS): StateCache {
  const remembered = new Map<Sku, SkuState>()
  let standsOn = ''
  return {
    standOn(server) {
      if (server !== standsOn) remembered.clear()
      standsOn = server
    },
    clear: () => remembered.clear(),
    take(sku, version) {
      const state = remembered.get(sku)
      if (!state) return undefined
      remembered.delete(sku)
      return state.version === version ? state : undefined
    },
    put(states) {
      for (const state of states) {
        state.demands.clear()
        state.unread.clear()
        state.buyers.clear()
        state.complete = false
        // To the end of the map: its first is the one that nobody needed for the longest time.
        remembered.delete(state.sku)
        remembered.set(state.sku, state)
      }
      for (const oldest of remembered.keys()) {
        if (remembered.size <= maxSkus) return
        remembered.delete(oldest)
      }
    },
  }
}
