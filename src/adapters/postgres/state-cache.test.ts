import { expect, test } from 'vitest'
import { instantOf, shopOf, skuOf } from '../../core/ids.ts'
import { emptyState, evolve, type SkuState } from '../../core/stock.ts'
import { openStateCache } from './state-cache.ts'

const stateAt = (sku: string, version: number): SkuState => ({ ...emptyState(skuOf(sku)), version })

test('a state is given out at its own version, and once', () => {
  const cache = openStateCache()
  const state = stateAt('A', 7)
  cache.put([state])
  expect(cache.take(skuOf('A'), 7)).toBe(state)
  expect(cache.take(skuOf('A'), 7)).toBeUndefined()
})

test('a state that another process has moved on from is forgotten', () => {
  const cache = openStateCache()
  cache.put([stateAt('A', 7)])
  expect(cache.take(skuOf('A'), 8)).toBeUndefined()
  expect(cache.take(skuOf('A'), 7)).toBeUndefined()
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
  cache.put([state])
  const remembered = cache.take(skuOf('A'), 1)
  expect(remembered?.demands.size).toBe(0)
  expect(remembered?.unread.size).toBe(0)
  expect(remembered?.complete).toBe(false)
  expect(remembered?.shopCounts.get(shopOf('nord'))).toEqual({ open: 2, shortage: 2, untracked: 0, inbound: 0 })
})

test('beyond its size the one that nobody needed for the longest time goes', () => {
  const cache = openStateCache(2)
  cache.put([stateAt('A', 1), stateAt('B', 1)])
  cache.put([cache.take(skuOf('A'), 1) ?? stateAt('A', 1), stateAt('C', 1)])
  const isKept = (sku: string): boolean => cache.take(skuOf(sku), 1) !== undefined
  expect(['A', 'B', 'C'].map(isKept)).toEqual([true, false, true])
})

test('another server, or another run of it, counts its versions anew: nothing is believed any more', () => {
  const cache = openStateCache()
  cache.standOn('a')
  cache.put([stateAt('A', 1)])
  cache.standOn('a')
  cache.put([cache.take(skuOf('A'), 1) ?? stateAt('LOST', 1)])
  cache.standOn('b')
  expect(cache.take(skuOf('A'), 1)).toBeUndefined()
  expect(cache.take(skuOf('LOST'), 1)).toBeUndefined()
})
