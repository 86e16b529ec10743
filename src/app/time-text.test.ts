import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readDay, readInstant } from './time-text.ts'

const at = (text: string): string | undefined => {
  const read = readInstant(text)
  return 'instant' in read ? new Date(read.instant).toISOString() : undefined
}

describe('a day', () => {
  test.each(['2026-03-14', '2028-02-29', '2000-01-01', '2099-12-31'])('%s exists', (text) =>
    expect(readDay(text)).toEqual({ day: text }),
  )

  test.each([
    '2026-02-30',
    '2027-02-29',
    '2026-13-01',
    '0000-00-00',
    '31.12.2026',
    '12/31/26',
    '2026-3-4',
    '2026-03-14T00:00:00Z',
    ' 2026-03-14',
    '',
    '２０２６-03-14',
  ])('row 88: %j is no day', (text) =>
    expect(readDay(text)).toMatchObject({ problem: expect.stringMatching(/exists/) }),
  )

  test.each(['1999-12-31', '2100-01-01', '9999-12-31', '0001-01-01'])('rows 91 and 94: %s is out of reach', (text) =>
    expect(readDay(text)).toMatchObject({ problem: expect.stringMatching(/2000 and 2099/) }),
  )
})

describe('a moment', () => {
  test.each([
    ['2026-03-14T15:09:26Z', '2026-03-14T15:09:26.000Z'],
    ['2026-03-14t15:09:26z', '2026-03-14T15:09:26.000Z'],
    ['2026-03-14T15:09:26.123456789Z', '2026-03-14T15:09:26.123Z'],
    ['2026-03-14T15:09:26.5+02:00', '2026-03-14T13:09:26.500Z'],
    ['2026-01-01T00:30:00+14:00', '2025-12-31T10:30:00.000Z'],
    ['2026-03-14T15:09:26-03:30', '2026-03-14T18:39:26.000Z'],
  ])('row 89: %s is read with its offset', (text, expected) => expect(at(text)).toBe(expected))

  test.each([
    '2026-03-14T15:09:26',
    '2026-03-14 15:09:26Z',
    '2026-03-14T15:09:26-00:00',
    '2026-03-14T15:09:26+25:00',
    '2026-03-14T15:09:26+14:01',
    '2026-03-14T15:09:26+01:60',
    '2026-03-14T15:09:26+0200',
    '2026-03-14T15:09Z',
    'yesterday',
  ])('row 89: %s is refused: no offset, or none that exists', (text) => expect(at(text)).toBeUndefined())

  test('row 90: the hours that a clock change skips or repeats are told apart by their offsets', () => {
    expect(at('2026-10-25T02:30:00+02:00')).toBe('2026-10-25T00:30:00.000Z')
    expect(at('2026-10-25T02:30:00+01:00')).toBe('2026-10-25T01:30:00.000Z')
    expect(at('2026-03-29T02:30:00+01:00')).toBe('2026-03-29T01:30:00.000Z')
    expect(at('2026-03-29T02:30:00')).toBeUndefined()
  })

  test.each(['1795423755', '1795423755000', '-1', '1e18', '8640000000000001'])(
    'row 91: %s counts from an epoch that we would have to guess',
    (text) => expect(at(text)).toBeUndefined(),
  )

  test.each([
    '2026-02-30T00:00:00Z',
    '2026-06-30T23:59:60Z',
    '2026-03-14T24:00:00Z',
    '2026-03-14T15:60:00Z',
    '+10000-01-01T00:00:00Z',
    '10000-01-01T00:00:00Z',
  ])('row 92: %s does not exist', (text) => expect(at(text)).toBeUndefined())

  test('row 92: a leap day exists', () => expect(at('2028-02-29T12:00:00Z')).toBe('2028-02-29T12:00:00.000Z'))

  test('is the one that JavaScript writes', () =>
    fc.assert(
      fc.property(
        fc.date({ min: new Date('2000-01-01T00:00:00Z'), max: new Date('2099-12-31T23:59:59Z'), noInvalidDate: true }),
        (moment) => {
          expect(at(moment.toISOString())).toBe(moment.toISOString())
        },
      ),
    ))
})
