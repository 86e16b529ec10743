import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalJson, contentOf, type LedgerEntry, streamOfSku } from './ledger.ts'

/** The same value with its keys in another order, all the way down. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]) => [key, reversed(item)]),
  )
}

const json = fc.jsonValue().filter((value) => !JSON.stringify(value).includes('__proto__'))

describe('what is hashed', () => {
  test('does not depend on the order of keys', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(canonicalJson(reversed(value))).toBe(canonicalJson(value))
      }),
    )
  })

  test('says what the value says, and different values differently', () => {
    fc.assert(
      fc.property(json, json, (a, b) => {
        expect(JSON.parse(canonicalJson(a))).toEqual(JSON.parse(JSON.stringify(a)))
        const same = canonicalJson(JSON.parse(JSON.stringify(a))) === canonicalJson(JSON.parse(JSON.stringify(b)))
        expect(same).toBe(canonicalJson(a) === canonicalJson(b))
      }),
    )
  })

  test('leaves out what is undefined, and keeps places in lists', () => {
    expect(canonicalJson({ b: undefined, a: [undefined, 1], c: null })).toBe('{"a":[null,1],"c":null}')
  })

  test('covers every field of an entry', () => {
    const entry: LedgerEntry = {
      stream: streamOfSku('LAMP'),
      version: 1,
      at: '2026-03-14T09:26:53.589Z',
      kind: 'hold',
      actor: 'shop:nord',
      cause: 'checkout',
      configuration: 3,
      body: { changes: [] },
    }
    const whole = contentOf(entry)
    for (const [name, other] of Object.entries({ ...entry, version: 2, configuration: 4, body: {} })) {
      const changed = { ...entry, [name]: typeof other === 'string' ? `${other}!` : other }
      expect(contentOf(changed)).not.toBe(whole)
    }
  })
})
