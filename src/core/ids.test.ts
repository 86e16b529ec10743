import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { after, canonicalSku, instantOf, isUnits, MAX_SKU_BYTES, MAX_SKU_CHARACTERS, MAX_UNITS } from './ids.ts'

describe('canonical SKUs', () => {
  test('are the same for the same text in any form, and canonical again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), (text) => {
        const found = canonicalSku(text)
        if (!('sku' in found)) return
        expect(canonicalSku(` ${text.normalize('NFD')}\t`)).toEqual(found)
        expect(canonicalSku(found.sku)).toEqual(found)
        expect(found.sku).toBe(found.sku.normalize('NFC').trim())
      }),
    )
  })

  test('keep upper and lower case apart', () => {
    expect(canonicalSku('abc')).not.toEqual(canonicalSku('ABC'))
  })

  test.each([
    ['', 'is empty'],
    ['  ', 'is empty'],
    ['A\u0000B', 'contains a control or invisible character'],
    ['A\u200bB', 'contains a control or invisible character'],
    ['A\ufeffB', 'contains a control or invisible character'],
    ['A\ud800', 'contains half a character (a lone surrogate)'],
    ['x'.repeat(MAX_SKU_CHARACTERS + 1), `has more than ${MAX_SKU_CHARACTERS} characters`],
  ])('%j is none: it %s', (text, problem) => {
    expect(canonicalSku(text)).toEqual({ problem })
  })

  test('are bounded in characters and in bytes', () => {
    expect(canonicalSku('x'.repeat(MAX_SKU_CHARACTERS))).toHaveProperty('sku')
    expect(canonicalSku('😀'.repeat(MAX_SKU_CHARACTERS))).toHaveProperty('sku')
    expect('😀'.repeat(MAX_SKU_CHARACTERS).length * 2).toBeLessThanOrEqual(MAX_SKU_BYTES)
  })
})

describe('units', () => {
  test.each([0, 1, MAX_UNITS])('%d is a number of units', (units) => expect(isUnits(units)).toBe(true))
  test.each([-1, -0, 1.5, MAX_UNITS + 1, Number.NaN, Number.POSITIVE_INFINITY, '5', null, undefined])(
    '%j is none',
    (value) => expect(isUnits(value)).toBe(false),
  )
})

test('a moment moves by milliseconds, either way', () => {
  expect(after(instantOf(1_000), 500)).toBe(1_500)
  expect(after(instantOf(1_000), -500)).toBe(500)
})
