import { describe, expect, test } from 'vitest'
import { doorOf } from './door.ts'
import { NOW, sourceNamed } from './door-fixture.ts'

const door = doorOf(sourceNamed({ dialect: 'tryton', auth: { kind: 'pulled' } }))
const pulled = (parts: readonly object[], more: object = {}) =>
  JSON.stringify({ type: 'pulled', warehouse: 'main', epoch: 1, sequence: 7, ...more, parts })
const SNAPSHOT = { type: 'stock.snapshot', figures: [{ sku: 'A', net: 3 }], tellsShipped: true, openOrders: [] }
const LINE = { type: 'purchase_order.line', purchaseOrder: 'P', line: 'l', sku: 'A', ordered: 4, confirmed: true }

describe('what a pull brought', () => {
  test('is read as canonical messages of one stamp and one warehouse', () => {
    const stamp = { epoch: 1, sequence: 7 }
    expect(door.readMessage(pulled([SNAPSHOT, LINE]), NOW)).toMatchObject({
      words: [
        { kind: 'figure', sku: 'A', warehouse: 'main', net: 3, stamp },
        { kind: 'open-orders', skus: ['A'], tellsShipped: true, stamp },
        { kind: 'inbound', sku: 'A', warehouse: 'main', ordered: 4, stamp },
      ],
      problems: [],
      answersOurPull: false,
    })
  })

  test('of a system that went back in time is believed to be news, however low its number', () => {
    expect(door.readMessage(pulled([SNAPSHOT], { isSuspected: true, sequence: 0 }), NOW).answersOurPull).toBe(true)
  })

  test('leaves the neighbours of a part that cannot be used', () => {
    const { words, problems } = door.readMessage(
      pulled([
        {
          ...SNAPSHOT,
          figures: [
            { sku: 'A', net: 3 },
            { sku: 'B', net: -1 },
          ],
        },
        LINE,
      ]),
      NOW,
    )
    expect(words.map(({ kind }) => kind)).toEqual(['figure', 'open-orders', 'inbound'])
    expect(problems).toMatchObject([{ field: 'figures[1].net' }])
  })

  test('can be replayed part by part as canonical messages', () => {
    const [problem] = door.readMessage(pulled([{ ...SNAPSHOT, figures: [{ sku: 'B', net: 3.5 }] }]), NOW).problems
    const mended = (problem?.raw ?? '').replace('3.5', '3')
    expect(door.readMessage(mended, NOW).words).toMatchObject([{ sku: 'B', net: 3, stamp: { epoch: 1, sequence: 7 } }])
  })

  test('comes from nobody outside: the source has no door', () => {
    expect(door.mayBeAuthentic({ authorization: 'Bearer 0123456789abcdef' })).toBe(false)
    const delivery = { headers: {}, raw: Buffer.from(pulled([SNAPSHOT])) }
    expect(door.prove(delivery)).toMatchObject({ refused: { httpCode: 401 } })
  })

  test('is no message of a source that speaks by itself', () => {
    const { words, problems } = doorOf(sourceNamed()).readMessage(pulled([SNAPSHOT], { isSuspected: true }), NOW)
    expect(words).toEqual([])
    expect(problems).toMatchObject([{ field: 'type', reason: 'is unknown' }])
  })
})
