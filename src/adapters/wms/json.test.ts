import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { excerpt, isObject, jsonText, OddNumber, readItems, readJson, textOf } from './json.ts'

const problemOf = (text: string): string | undefined => {
  const read = readJson(text)
  return 'problem' in read ? read.problem : undefined
}

describe('a JSON text', () => {
  test('is read as JSON.parse reads it, wherever both take it', () =>
    fc.assert(
      fc.property(fc.json(), (text) => {
        const read = readJson(text)
        if ('problem' in read) expect(read.problem).toMatch(/refused|half a character|NUL|twice|more than|deeper/)
        else expect(JSON.parse(jsonText(read.value))).toEqual(JSON.parse(text))
      }),
    ))

  test('never makes the reader throw, whatever it is', () =>
    fc.assert(fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' })), (text) => void readJson(text))))

  test.each([
    ['{"a":1,}'],
    ['{"a":1}//x'],
    ["{'a':1}"],
    ['{"a":NaN}'],
    ['{"a":Infinity}'],
    ['{"a":undefined}'],
    ['{"a":1'],
    ['{"a":'],
    ['[1 2]'],
    ['{"a":01}'],
    ['{"a":+1}'],
    ['{"a":.5}'],
    ['{"a":"\u0001"}'],
    ['{"a":"\\x"}'],
    ['{"a":"\\u12"}'],
    [''],
    ['   '],
    ['{} {}'],
  ])('row 45: %j is no JSON and says where', (text) => {
    const read = readJson(text)
    expect(read).toHaveProperty('problem')
    expect(read).toHaveProperty('at', expect.any(Number))
  })

  test.each([['{"units":1,"units":9}'], ['{"a":{"b":[{"c":1,"c":1}]}}'], ['{"\\u0061":1,"a":2}']])(
    'row 46: %s names a key twice, at whatever depth and however it is written',
    (text) => expect(problemOf(text)).toMatch(/appears twice/),
  )

  test.each(['__proto__', 'constructor', 'prototype', '\\u005f_proto__'])('row 47: the key %s is refused', (key) => {
    expect(problemOf(`{"a":{"${key}":{"admin":true}}}`)).toMatch(/refused/)
    expect({}).not.toHaveProperty('admin')
  })

  test('row 47: an object has no prototype that a key could meet', () => {
    const read = readJson('{"toString":1,"hasOwnProperty":2}')
    if (!('value' in read) || !isObject(read.value)) throw new Error('unreadable')
    expect(Object.getPrototypeOf(read.value)).toBeNull()
    expect({ ...read.value }).toEqual({ toString: 1, hasOwnProperty: 2 })
  })

  test('row 48: 32 levels are read, 33 are too deep, five million are refused as fast', () => {
    expect(problemOf(`${'['.repeat(33)}${']'.repeat(33)}`)).toBeUndefined()
    expect(problemOf(`${'['.repeat(34)}${']'.repeat(34)}`)).toMatch(/deeper than 32/)
    expect(problemOf('['.repeat(5_000_000))).toMatch(/deeper than 32/)
    expect(problemOf('{"a":'.repeat(1_000_000))).toMatch(/deeper than 32/)
  })

  test('rows 49 and 50: more than a million keys and items are refused, whatever they are called', () => {
    expect(problemOf(`[${'0,'.repeat(1_000_000)}0]`)).toMatch(/more than 1000000 members/)
    expect(problemOf(`[${'0,'.repeat(999_999)}0]`)).toBeUndefined()
  })

  test('row 54: half a character is refused, a whole one written in halves is not', () => {
    expect(problemOf('"\\ud800"')).toMatch(/half a character/)
    expect(problemOf('"\\udc00\\ud800"')).toMatch(/half a character/)
    expect(readJson('"\\ud83d\\ude00"')).toEqual({ value: '😀' })
  })

  test('row 55: NUL is refused in a value and in a key', () => {
    expect(problemOf('{"a":"x\\u0000y"}')).toMatch(/NUL/)
    expect(problemOf('{"\\u0000":1}')).toMatch(/NUL/)
  })

  test('rows 53 and 56: bytes that are no UTF-8, overlong ones and UTF-16 are no text; a BOM is no JSON', () => {
    expect(textOf(Buffer.from([0x22, 0xff, 0x22]))).toBeUndefined()
    expect(textOf(Buffer.from([0x22, 0xc0, 0xaf, 0x22]))).toBeUndefined()
    expect(textOf(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]))).toBeUndefined()
    expect(problemOf(textOf(Buffer.from('{"a":1}', 'utf16le')) ?? '')).toBeDefined()
    expect(problemOf(textOf(Buffer.from('\ufeff{"a":1}')) ?? '')).toBe('This is not JSON')
    expect(problemOf('{"a":\ufeff1}')).toBe('This is not JSON')
  })

  test('row 57: a text of ten million characters and a number of ten million digits are refused', () => {
    expect(problemOf(`"${'a'.repeat(10_000_000)}"`)).toMatch(/longer than 10000/)
    expect(problemOf(`"${'a'.repeat(10_000)}"`)).toBeUndefined()
    expect(problemOf('1'.repeat(10_000_000))).toMatch(/more than 40/)
  })
})

describe('a number', () => {
  test.each([
    ['0', 0],
    ['-0', 0],
    ['-1', -1],
    ['2147483648', 2147483648],
    ['9007199254740991', 9007199254740991],
    ['1795423755000000', 1795423755000000],
  ])('%s is a plain integer', (text, value) => {
    const read = readJson(text)
    expect(read).toEqual({ value })
    if ('value' in read) expect(Object.is(read.value, -0)).toBe(false)
  })

  test.each([
    ['1.5'],
    ['2.9999999999999999'],
    ['1e2'],
    ['1.0'],
    ['-0.0'],
    ['1e400'],
    ['-1e400'],
    ['1e-400'],
    ['9007199254740992'],
    ['9007199254740993'],
    ['1000000000000000000'],
  ])('rows 64, 65 and 66: %s is judged on its text, and no field of units takes it', (text) => {
    const read = readJson(text)
    expect(read).toEqual({ value: new OddNumber(text) })
  })
})

describe('the items of a list', () => {
  const raws = (text: string) => {
    const items = readItems(text, 100)
    return Array.isArray(items) ? items.map((item) => ('value' in item ? item.raw : `! ${item.raw}`)) : items
  }

  test('are kept as they were sent, to the character', () => {
    expect(raws(' [ {"a": 1e2 } ,\n"x,]}", [1,[2]] ] ')).toEqual(['{"a": 1e2 }', '"x,]}"', '[1,[2]]'])
    expect(raws('[]')).toEqual([])
  })

  test('a broken one hinders no other as long as its end can be seen', () =>
    expect(raws('[{"a":1},{"a":1,"a":2},{\'b\':1},{"c":1,},NaN,"\\ud800",,{"d":1}]')).toEqual([
      '{"a":1}',
      '! {"a":1,"a":2}',
      "! {'b':1}",
      '! {"c":1,}',
      '! NaN',
      '! "\\ud800"',
      '! ',
      '{"d":1}',
    ]))

  test.each(['{"a":1}', '[1,2', '[1}', '["a]', '[1] 2', '', 'null'])('%s has none that can be told apart', (text) =>
    expect(raws(text)).toBeUndefined(),
  )

  test('are as many as allowed, and not one more', () => {
    expect(readItems('[1,2,3]', 3)).toHaveLength(3)
    expect(readItems('[1,2,3,4]', 3)).toBe('too-many')
  })

  test('of any list are its values', () =>
    fc.assert(
      fc.property(fc.array(fc.jsonValue({ maxDepth: 3 })), (values) => {
        const items = readItems(JSON.stringify(values, null, 1), 1_000)
        if (!Array.isArray(items)) throw new Error('no list')
        expect(items.map(({ raw }) => JSON.parse(raw))).toEqual(JSON.parse(JSON.stringify(values)))
      }),
    ))
})

test('an excerpt is short and never ends in half a character', () =>
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
      const told = excerpt(text)
      expect(told.length).toBeLessThanOrEqual(200)
      expect(told.isWellFormed()).toBe(text.isWellFormed() || told.isWellFormed())
    }),
  ))
