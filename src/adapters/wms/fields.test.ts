import { describe, expect, test } from 'vitest'
import { MAX_UNITS } from '../../core/ids.ts'
import { reading } from './door-fixture.ts'
import { FieldProblem, Fields, SKU_TAKEN_AS } from './fields.ts'
import { readJson } from './json.ts'

/** The fields of a message given as JSON text, so that numbers are judged on their text as at the door. */
function fieldsOf(text: string, about = reading()): Fields {
  const read = readJson(text)
  if (!('value' in read)) throw new Error(`not readable: ${read.problem}`)
  return new Fields(read.value, about)
}

const troubleOf = (work: () => unknown): { field: string; value: string; reason: string } | undefined => {
  try {
    work()
    return undefined
  } catch (cause) {
    if (cause instanceof FieldProblem) return cause.problem
    throw cause
  }
}

const units = (literal: string) => troubleOf(() => fieldsOf(`{"n":${literal}}`).units('n'))

describe('units', () => {
  test.each([
    ['0', 0],
    ['-0', 0],
    ['42', 42],
    ['2147483647', MAX_UNITS],
  ])('%s is taken', (literal, value) => expect(fieldsOf(`{"n":${literal}}`).units('n')).toBe(value))

  test('row 63: one below zero is refused by name, with its value and what would be right', () =>
    expect(units('-1')).toEqual({ field: 'n', value: '-1', reason: 'must lie between 0 and 2147483647' }))

  test.each(['1.5', '2.9999999999999999', '1e2', '1.0', '19.99'])(
    'rows 64 and 73: %s is refused, for it is judged on its text',
    (literal) =>
      expect(units(literal)).toMatchObject({ value: literal, reason: expect.stringMatching(/digits alone/) }),
  )

  test.each(['1e400', '-1e400', '1e-400'])('row 65: %s is refused', (literal) =>
    expect(units(literal)).toMatchObject({ field: 'n', value: literal }),
  )

  test.each(['9007199254740993', '2147483648', '4294967296', '1000000000000'])(
    'row 66: %s is out of range, seen before it is rounded',
    (literal) => expect(units(literal)).toMatchObject({ field: 'n', value: literal }),
  )

  test.each(['"5"', '" 5 "', '""', '"0x10"', '"1_000"', '"1.000"', '"1,000"', '"１２"', '"５"', '"٣"'])(
    'row 67: the text %s is no number',
    (literal) => expect(units(literal)).toMatchObject({ reason: 'must be whole units, not string' }),
  )

  test.each([
    ['null', 'null'],
    ['true', 'boolean'],
    ['[5]', 'object'],
    ['{}', 'object'],
  ])('row 68: %s is no number', (literal, kind) =>
    expect(units(literal)).toMatchObject({ value: literal, reason: `must be whole units, not ${kind}` }),
  )

  test('row 59: a missing field is told by its name', () =>
    expect(troubleOf(() => fieldsOf('{}').units('n'))).toEqual({ field: 'n', value: '', reason: 'is missing' }))
})

describe('a text', () => {
  test.each([
    ['{}', 'is missing'],
    ['{"t":null}', 'must be a text'],
    ['{"t":""}', 'is empty'],
    ['{"t":7}', 'must be a text'],
    ['{"t":["a"]}', 'must be a text'],
    ['{"t":"a\\nb"}', 'holds a control character'],
    [`{"t":"${'a'.repeat(256)}"}`, 'is longer than 255 characters'],
  ])('row 59: %s: %s', (text, reason) =>
    expect(troubleOf(() => fieldsOf(text).text('t'))).toMatchObject({ field: 't', reason }),
  )
})

describe('what should be an object or a list', () => {
  test.each(['null', '"x"', '1', '[]', '[[]]', 'true', '1.5'])('row 51: %s is no message', (text) =>
    expect(troubleOf(() => fieldsOf(text))).toMatchObject({ field: 'message', reason: 'must be an object' }),
  )

  test.each(['{"rows":{"length":1000000000}}', '{"rows":"ab"}', '{"rows":null}', '{}'])(
    'row 52: %s is no list',
    (text) =>
      expect(troubleOf(() => fieldsOf(text).rows('rows'))).toMatchObject({ field: 'rows', reason: 'must be a list' }),
  )

  test('row 52: a text where an object is due is told by its place', () =>
    expect(troubleOf(() => fieldsOf('{"rows":[{},"x"]}').rows('rows'))).toMatchObject({ field: 'rows[1]' }))
})

describe('a SKU', () => {
  const sku = (sent: string) => {
    const about = reading()
    const fields = fieldsOf(JSON.stringify({ sku: sent }), about)
    const trouble = troubleOf(() => fields.sku())
    return trouble ? trouble.reason : { sku: fields.sku(), warned: about.notes.has(SKU_TAKEN_AS) }
  }

  test.each([' A-1', 'A-1 ', '\tA-1', 'A-1\n', '\u00a0A-1'])('row 75: %j is trimmed, and the sender is told', (sent) =>
    expect(sku(sent)).toEqual({ sku: 'A-1', warned: true }),
  )

  test.each(['A\u200b1', 'A\n1', 'A\u00001', 'A\t1'])('row 75: %j holds what nobody can see and is refused', (sent) =>
    expect(sent.includes('\u0000') ? 'no JSON' : sku(sent)).toMatch(/no JSON|invisible/),
  )

  test('row 76: composed and decomposed letters are one SKU', () => {
    expect(sku('MU\u0308TZE')).toEqual({ sku: 'MÜTZE', warned: true })
    expect(sku('MÜTZE')).toEqual({ sku: 'MÜTZE', warned: false })
  })

  test.each(['abc', 'ABC', 'İ', '\u212a', 'ß', 'SS'])('row 77: %s keeps its case, in every locale', (sent) =>
    expect(sku(sent)).toMatchObject({ sku: sent.normalize('NFC') }),
  )

  test.each(['00123', '123', '1E5', '1.10', 'true', 'null', '=1+1', '0x10'])(
    'row 78: %s stays the text that it is',
    (sent) => expect(sku(sent)).toEqual({ sku: sent, warned: false }),
  )

  test('row 78: a number is no SKU, for nobody knows whether it began with zeros', () =>
    expect(troubleOf(() => fieldsOf('{"sku":123}').sku())).toMatchObject({ reason: 'must be a text' }))

  test.each([
    ['', 'is empty'],
    ['   ', 'the SKU is empty'],
    ['a'.repeat(256), 'the SKU has more than 255 characters'],
    ['a'.repeat(10_000), 'the SKU has more than 255 characters'],
    ['\u202eabc', 'the SKU contains a control or invisible character'],
    [`e${'\u0301'.repeat(600)}`, 'the SKU has more than 255 characters'],
  ])('row 79: %j: %s', (sent, reason) => expect(sku(sent)).toBe(reason))

  test.each(['a'.repeat(64), 'a'.repeat(65), 'a'.repeat(255), '😀'.repeat(255)])('row 79: %s is a SKU', (sent) =>
    expect(sku(sent)).toEqual({ sku: sent, warned: false }),
  )

  test.each([
    "'; DROP TABLE sku",
    '%',
    '_',
    '\\',
    '$1',
    '{{7*7}}',
    '<script>',
    `$${'{jndi:ldap://x}'}`,
    '../../etc/passwd',
    'con',
    'a/b?c#d',
  ])('rows 80 and 81: %s is taken word for word', (sent) => expect(sku(sent)).toEqual({ sku: sent, warned: false }))
})

describe('where a word stands', () => {
  const stamp = (text: string) => {
    const fields = fieldsOf(text)
    return troubleOf(() => fields.stamp())?.reason ?? fields.stamp()
  }

  test('is epoch, sequence and the clock of the warehouse', () =>
    expect(stamp('{"epoch":2,"sequence":1795423755000000,"asOf":"2026-11-23T07:59:00Z"}')).toEqual({
      epoch: 2,
      sequence: 1_795_423_755_000_000,
      asOf: Date.parse('2026-11-23T07:59:00Z'),
    }))

  test.each([
    '{"sequence":"7"}',
    '{"sequence":-1}',
    '{"sequence":1.5}',
    '{"sequence":9007199254740993}',
    '{"epoch":null}',
  ])('row 66: %s is refused', (text) =>
    expect(stamp(text)).toEqual(expect.stringMatching(/whole number|must lie between/)),
  )

  test('row 93: a clock that is ahead is refused, for every later word would be late', () => {
    expect(stamp('{"asOf":"2026-11-23T09:00:00Z"}')).toMatch(/lies in the future/)
    expect(stamp('{"asOf":"2027-11-23T08:00:00Z"}')).toMatch(/lies in the future/)
    expect(stamp('{"asOf":"2026-11-23T08:05:00Z"}')).toHaveProperty('asOf')
    expect(stamp('{"asOf":"2026-11-23T08:05:01Z"}')).toMatch(/lies in the future/)
  })

  test.each(['"2026-02-30T00:00:00Z"', '"2026-11-23T08:00:00"', '1795423755', '"1795423755"', 'null'])(
    'rows 88, 89 and 91: asOf %s is refused',
    (literal) => expect(stamp(`{"asOf":${literal}}`)).toEqual(expect.any(String)),
  )
})

describe('a warehouse', () => {
  const warehouse = (text: string) => {
    const fields = fieldsOf(text)
    return (
      troubleOf(() => fields.warehouse(['main', 'west'], 'main'))?.reason ?? fields.warehouse(['main', 'west'], 'main')
    )
  }

  test('is the default one only where none is named', () => {
    expect(warehouse('{}')).toBe('main')
    expect(warehouse('{"warehouse":"west"}')).toBe('west')
  })

  test.each([
    '{"warehouse":"east"}',
    '{"warehouse":"Main"}',
    '{"warehouse":" main"}',
    '{"warehouse":null}',
    '{"warehouse":""}',
  ])('row 85: %s is never taken for the default one', (text) =>
    expect(warehouse(text)).toMatch(/no warehouse of this source|must be a text|is empty/),
  )
})
