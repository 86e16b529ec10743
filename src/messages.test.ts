import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  type CheckoutMessage,
  checkoutText,
  type Language,
  MAX_MESSAGE_CHARACTERS,
  preferredLanguage,
} from './messages.ts'

const ALL: readonly CheckoutMessage[] = [
  { key: 'NOT_ENOUGH', leftUnits: 3, label: 'Lamp' },
  { key: 'NOT_ENOUGH', leftUnits: 0 },
  { key: 'CAP_REACHED', capUnits: 3, leftUnits: 1, label: 'Lamp' },
  { key: 'CAP_REACHED', capUnits: 3, leftUnits: 0 },
  { key: 'ORDER_BEING_PLACED' },
  { key: 'PREVIOUS_ATTEMPT_OPEN', seconds: 4 },
  { key: 'UNDECIDED' },
  { key: 'GUARD_STOP', label: 'Lamp' },
  { key: 'GUARD_MOST', most: 3 },
  { key: 'ALREADY_PLACED', order: '10001' },
  { key: 'DEAD_LETTER_DECIDED' },
]

describe('the catalogue', () => {
  test('says everything in both languages, differently and shortly', () => {
    for (const message of ALL) {
      const [de, en] = [checkoutText('de', message), checkoutText('en', message)]
      expect(de).not.toBe(en)
      for (const text of [de, en]) expect(text.length).toBeLessThanOrEqual(MAX_MESSAGE_CHARACTERS)
    }
  })

  test.each([
    ['de', 'de-DE'],
    ['en', 'en-GB'],
  ] as const)('is what the %s storefront snippets say, key by key', (language: Language, file) => {
    const path = new URL(`../shopware-app/Resources/snippet/storefront.${file}.json`, import.meta.url)
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({
      checkout: {
        holdfast: {
          guard: {
            stop: checkoutText(language, { key: 'GUARD_STOP', label: '%name%' }),
            most: checkoutText(language, { key: 'GUARD_MOST', label: '%name%', most: '%most%' }),
          },
        },
      },
    })
  })
})

describe('the language of a caller', () => {
  test.each([
    [undefined, 'en'],
    ['', 'en'],
    ['de', 'de'],
    ['de-AT,de;q=0.9,en;q=0.8', 'de'],
    ['en-GB,en;q=0.9,de;q=0.8', 'en'],
    ['en;q=0.5, de;q=0.7', 'de'],
    ['fr,de;q=0.5,en;q=0.4', 'de'],
    ['fr-FR', 'en'],
    ['*', 'en'],
    ['de;q=0', 'en'],
    ['de;q=x', 'en'],
    ['deutsch', 'en'],
    [`${','.repeat(100_000)}de`, 'en'],
  ])('%j is %s', (header, language) => expect(preferredLanguage(header)).toBe(language))
})
