import { expect, test } from 'vitest'
import { LAMP, NORD, rulesWith } from '../../test/core/rules.ts'
import type { ShopRules } from './configuration.ts'
import { skuOf } from './ids.ts'
import { guardOf, saysTheSame } from './second-guard.ts'

const SIX = skuOf('LAMP-SIX')
const skuMapping = new Map([[SIX, { sku: LAMP, units: 6 }]])
const guard = (shop: Partial<ShopRules>, product = LAMP, mostUnits = 10, shownUnits = mostUnits) =>
  guardOf(rulesWith({ shop }), NORD, product, { band: { leastUnits: 0, mostUnits }, shownUnits })

test('a product of which nothing may be sold is stopped; one with an order under way, or that stands by policy, is not', () => {
  expect(guard({}, LAMP, 0)).toEqual({ word: 'stop' })
  expect(guard({}, LAMP, 1, 0)).toEqual({ word: 'go' })
  // `foreignWrites: ignore` lets another number stand.
  expect(guard({}, LAMP, 0, 5)).toEqual({ word: 'go' })
  expect(guard({}, LAMP, 10)).toEqual({ word: 'go' })
})

test.each<[Partial<ShopRules>, number | undefined]>([
  [{ caps: { bySku: new Map() } }, undefined],
  [{ caps: { sharePercent: 25, bySku: new Map() } }, undefined],
  [{ caps: { perCustomerUnits: 7, bySku: new Map() } }, 7],
  [{ caps: { perCustomerUnits: 7, perAddressUnits: 5, bySku: new Map() } }, 5],
  [{ caps: { perAddressUnits: 5, bySku: new Map() } }, 5],
  [{ caps: { perCustomerUnits: 7, bySku: new Map([[LAMP, 9]]) } }, 9],
])('caps %j let a cart have %j', (shop, most) => {
  expect(guard(shop).mostInCart).toBe(most)
})

test('packs are capped in whole packs, and one that is above the cap is not sold at all', () => {
  expect(guard({ skuMapping, caps: { perCustomerUnits: 13, bySku: new Map() } }, SIX)).toEqual({
    word: 'go',
    mostInCart: 2,
  })
  expect(guard({ skuMapping, caps: { perCustomerUnits: 5, bySku: new Map() } }, SIX)).toEqual({
    word: 'stop',
    mostInCart: 0,
  })
})

test('a product that was never guarded may go, and is not written for that', () => {
  expect(saysTheSame({}, { word: 'go' })).toBe(true)
  expect(saysTheSame({}, { word: 'stop' })).toBe(false)
  expect(saysTheSame({ word: 'go' }, { word: 'go', mostInCart: 3 })).toBe(false)
  expect(saysTheSame({ word: 'stop', mostInCart: 3 }, { word: 'stop', mostInCart: 3 })).toBe(true)
  expect(saysTheSame({ word: 'go', mostInCart: 3 }, { word: 'go' })).toBe(false)
})
