import { describe, expect, test } from 'vitest'
import { MAX_UNITS } from '../../core/ids.ts'
import { NOW, reading, sourceNamed } from './door-fixture.ts'
import { FieldProblem } from './fields.ts'
import { isFlat, readFlat } from './flat.ts'

const KNOWN = {
  sku: 'TSHIRT-BLK-M',
  available_stock: 42,
  reserved_stock: 5,
  incoming_stock: 20,
  backorder_allowed: true,
}

function read(message: object, source = sourceNamed()) {
  const about = reading()
  try {
    return { figure: readFlat({ ...message } as never, source, about), notes: [...about.notes] }
  } catch (cause) {
    if (cause instanceof FieldProblem) return { problem: cause.problem }
    throw cause
  }
}

describe('the flat message', () => {
  test('42 and 5 make 47 on hand, and what comes without a day is an announcement', () =>
    expect(read(KNOWN)).toEqual({
      figure: {
        kind: 'figure',
        sku: 'TSHIRT-BLK-M',
        warehouse: 'main',
        stamp: { epoch: 0 },
        net: 42,
        onHand: 47,
        allocated: 5,
        incoming: 20,
        backorderAllowed: true,
      },
      notes: ['INCOMING_WITHOUT_DAY'],
    }))

  test('with the other reading 42 and 5 make 37 net and 42 on hand', () =>
    expect(read(KNOWN, sourceNamed({ availableIncludesReserved: true }))).toMatchObject({
      figure: { net: 37, onHand: 42, allocated: 5 },
    }))

  test('with the other reading nothing is known without what it includes', () =>
    expect(read({ sku: 'A', available_stock: 42 }, sourceNamed({ availableIncludesReserved: true }))).toMatchObject({
      problem: { field: 'reserved_stock', reason: expect.stringMatching(/is missing/) },
    }))

  test('with the other reading more cannot be reserved than there is', () =>
    expect(read({ ...KNOWN, reserved_stock: 43 }, sourceNamed({ availableIncludesReserved: true }))).toMatchObject({
      problem: { field: 'reserved_stock', value: '43' },
    }))

  test('a missing field says nothing: it is unknown, never zero', () =>
    expect(read({ sku: 'A', available_stock: 3 })).toEqual({
      figure: { kind: 'figure', sku: 'A', warehouse: 'main', stamp: { epoch: 0 }, net: 3 },
      notes: [],
    }))

  test('no announcement of nothing is told', () =>
    expect(read({ ...KNOWN, incoming_stock: 0 })).toMatchObject({ figure: { incoming: 0 }, notes: [] }))

  test('backorder_allowed: false is a veto', () =>
    expect(read({ ...KNOWN, backorder_allowed: false })).toMatchObject({ figure: { backorderAllowed: false } }))

  test('a sequence or a moment gives it an order', () =>
    expect(read({ ...KNOWN, sequence: 7, as_of: '2026-11-23T07:00:00Z' })).toMatchObject({
      figure: { stamp: { epoch: 0, sequence: 7, asOf: NOW - 3_600_000 } },
    }))

  test('another warehouse of the source may be named', () =>
    expect(read({ ...KNOWN, warehouse: 'west' })).toMatchObject({ figure: { warehouse: 'west' } }))

  test('row 58: fields that we do not know are ignored and go nowhere', () => {
    const { figure } = read({ ...KNOWN, price: '19.99', on_hand: 999, customer: 'Anna' })
    expect(figure).toEqual(read(KNOWN).figure)
  })

  test('row 59: the figure itself must be there', () =>
    expect(read({ sku: 'A', reserved_stock: 5 })).toEqual({
      problem: { field: 'available_stock', value: '', reason: 'is missing' },
    }))

  test('row 70: a sum above the largest number of units is refused before it reaches a column', () => {
    expect(read({ sku: 'A', available_stock: MAX_UNITS, reserved_stock: 0 })).toHaveProperty('figure')
    expect(read({ sku: 'A', available_stock: MAX_UNITS, reserved_stock: 1 })).toMatchObject({
      problem: { field: 'reserved_stock', value: '1' },
    })
  })

  test('is told from the canonical one by its fields', () => {
    expect(isFlat({ ...KNOWN })).toBe(true)
    expect(isFlat({ type: 'stock.level.reported', sku: 'A', net: 1 })).toBe(false)
    expect(isFlat([])).toBe(false)
    expect(isFlat(null)).toBe(false)
    expect(isFlat('sku')).toBe(false)
  })
})
