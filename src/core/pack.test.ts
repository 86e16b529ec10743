import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LAMP, NORD, rulesWith } from '../../test/core/rules.ts'
import { MAX_UNITS, shopOf, skuOf } from './ids.ts'
import { bandOfProduct, lineInUnits, orderInUnits, packOf, productsOf } from './pack.ts'

const SIX = skuOf('LAMP-SIX')
const OTHER = skuOf('LAMP-OLD-NUMBER')
const rules = rulesWith({
  shop: {
    skuMapping: new Map([
      [SIX, { sku: LAMP, units: 6 }],
      [OTHER, { sku: LAMP, units: 1 }],
    ]),
  },
})

test('a product is one unit of its number, unless its shop says otherwise', () => {
  expect(packOf(rules, NORD, LAMP)).toEqual({ sku: LAMP, units: 1 })
  expect(packOf(rules, NORD, SIX)).toEqual({ sku: LAMP, units: 6 })
  expect(packOf(rules, shopOf('elsewhere'), SIX)).toEqual({ sku: SIX, units: 1 })
  expect(productsOf(rules, NORD, LAMP)).toEqual([SIX, OTHER])
  expect(productsOf(rules, NORD, SIX)).toEqual([])
  const itself = rulesWith({ shop: { skuMapping: new Map([[LAMP, { sku: LAMP, units: 6 }]]) } })
  expect(productsOf(itself, NORD, LAMP)).toEqual([])
})

test('a line is brought to units, with its own key, and remembers its product', () => {
  expect(lineInUnits(rules, NORD, { sku: SIX, units: 2, lineKey: 'k' })).toEqual({
    sku: LAMP,
    units: 12,
    lineKey: 'k',
    product: { sku: SIX, units: 6 },
  })
  expect(lineInUnits(rules, NORD, { sku: LAMP, units: 2 })).toEqual({ sku: LAMP, units: 2 })
  expect(lineInUnits(rules, NORD, { sku: SIX, units: MAX_UNITS })).toMatchObject({ units: MAX_UNITS })
  expect(orderInUnits(rules, NORD, { lines: [{ lineId: 'l', sku: SIX, units: 1 }] })).toEqual({
    lines: [{ lineId: 'l', sku: LAMP, units: 6 }],
  })
})

test('what is shown of packs is never more than there is, and no pack less than fits', () =>
  fc.assert(
    fc.property(fc.nat(10_000), fc.nat(100), fc.integer({ min: 1, max: 50 }), (least, own, pack) => {
      const band = bandOfProduct({ leastUnits: least, mostUnits: least + own }, pack)
      expect(band.leastUnits * pack).toBeLessThanOrEqual(least)
      expect((band.leastUnits + 1) * pack).toBeGreaterThan(least)
      expect(band.mostUnits * pack).toBeLessThanOrEqual(least + own)
      expect(band.mostUnits).toBeGreaterThanOrEqual(band.leastUnits)
    }),
  ))
