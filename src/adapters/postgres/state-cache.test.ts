import { expect, test } from 'vitest'
import { instantOf, shopOf, skuOf } from '../../core/ids.ts'
import { emptyState, evolve, type SkuState } from '../../core/stock.ts'
import { openStateCache } from './state-cache.ts'

const stateAt = (sku: string, version: number): SkuState => ({ ...emptyState(skuOf(sku)), version })
const left = (state: SkuState, writer = 1) => ({ id: 1, state, writer })
const row = (sku: string, version: number, writer = 1) => ({ sku: skuOf(sku), version, writer })

test('a state is given out at its own version, and once', () => {
  const cache = openStateCache()
  const state = stateAt('A', 7)
  cache.put([left(state)])
  expect(cache.take(row('A', 7))).toBe(state)
  expect(cache.take(row('A', 7))).toBeUndefined()
})

test('a state that another process has moved on from is forgotten', () => {
  const cache = openStateCache()
  cache.put([left(stateAt('A', 7))])
  expect(cache.take(row('A', 8))).toBeUndefined()
  expect(cache.take(row('A', 7))).toBeUndefined()
})

test('demands and what shops last showed are not remembered: no version of the SKU speaks for them', () => {
  const cache = openStateCache()
  const state = stateAt('A', 1)
  evolve(state, {
    set: 'demand',
    why: 'held',
    demand: {
      no: 1,
      shop: shopOf('nord'),
      units: 2,
      phase: 'held',
      supply: { kind: 'shortage' },
      contained: false,
      promisedAt: instantOf(0),
    },
  })
  state.unread.set(shopOf('nord'), { units: 3, isOverdue: false })
  cache.put([left(state)])
  const remembered = cache.take(row('A', 1))
  expect(remembered?.demands.size).toBe(0)
  expect(remembered?.unread.size).toBe(0)
  expect(remembered?.complete).toBe(false)
  expect(remembered?.shopCounts.get(shopOf('nord'))).toEqual({ open: 2, shortage: 2, untracked: 0, inbound: 0 })
})

test('beyond its size the one that nobody needed for the longest time goes', () => {
  const cache = openStateCache(2)
  cache.put([left(stateAt('A', 1)), left(stateAt('B', 1))])
  cache.put([left(cache.take(row('A', 1)) ?? stateAt('A', 1)), left(stateAt('C', 1))])
  const isKept = (sku: string): boolean => cache.take(row(sku, 1)) !== undefined
  expect(['A', 'B', 'C'].map(isKept)).toEqual([true, false, true])
})

test('another history that came to the same version is not taken for the one that is remembered', () => {
  const cache = openStateCache()
  cache.put([left(stateAt('A', 7), 11)])
  expect(cache.take(row('A', 7, 12))).toBeUndefined()
  expect(cache.look(skuOf('A'))).toBeUndefined()
})

test('who only looks leaves a state where it is; what is forgotten is gone', () => {
  const cache = openStateCache()
  const state = stateAt('A', 1)
  cache.put([left(state), left(stateAt('B', 1))])
  expect(cache.look(skuOf('A'))).toEqual(left(state))
  expect(cache.look(skuOf('A'))).toEqual(left(state))
  cache.forget([skuOf('A')])
  expect([cache.look(skuOf('A')), cache.look(skuOf('B'))?.id]).toEqual([undefined, 1])
})
