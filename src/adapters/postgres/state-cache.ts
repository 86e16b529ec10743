/**
 * What the lane remembers of SKUs between its batches: figures, counters and inbound lines, never demands.
 *
 * A remembered state is believed only under the lock of its SKU's row, and only when that row was last written by the very batch
 * that left the state: every decision of every process marks the row with a random number of its batch. So no other history, be
 * it another process's, a standby's that lacked the last commits, or a backup's, is taken for the one that we remember. A hot SKU
 * is then loaded by reading one row.
 */
import type { Sku } from '../../core/ids.ts'
import type { SkuState } from '../../core/stock.ts'
import type { SkuRow } from './rows.ts'

/** SKUs that are remembered, about 2 kB each: 40 MB at most. */
const MAX_SKUS = 20_000

/** A state, the id of its SKU's row, and the batch that wrote that row last. */
export type Remembered = { readonly id: number; readonly state: SkuState; readonly writer: number }

export type StateCache = {
  /** Forgets everything. */
  clear(): void
  forget(skus: Iterable<Sku>): void
  /** What is remembered of a SKU, to be believed only once its row is seen. It stays remembered. */
  look(sku: Sku): Remembered | undefined
  /** Takes a state out if its row is the one that it stands on. Whoever changes it and does not bring it back has it forgotten. */
  take(row: Pick<SkuRow, 'sku' | 'version' | 'writer'>): SkuState | undefined
  /** Brings states in, or back: as they are once they are committed. */
  put(states: Iterable<Remembered>): void
}

export function openStateCache(maxSkus = MAX_SKUS): StateCache {
  const remembered = new Map<Sku, Remembered>()
  return {
    clear: () => remembered.clear(),
    forget(skus) {
      for (const sku of skus) remembered.delete(sku)
    },
    look: (sku) => remembered.get(sku),
    take({ sku, version, writer }) {
      const known = remembered.get(sku)
      if (!known) return undefined
      remembered.delete(sku)
      return known.state.version === version && known.writer === writer ? known.state : undefined
    },
    put(states) {
      for (const each of states) {
        const { state } = each
        state.demands.clear()
        state.unread.clear()
        state.buyers.clear()
        state.complete = false
        // To the end of the map: its first is the one that nobody needed for the longest time.
        remembered.delete(state.sku)
        remembered.set(state.sku, each)
      }
      for (const oldest of remembered.keys()) {
        if (remembered.size <= maxSkus) return
        remembered.delete(oldest)
      }
    },
  }
}
