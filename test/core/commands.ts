/** Random commands over two SKUs: baskets, orders that take part of them, words of the warehouse, and the clock. */
import fc from 'fast-check'
import type { Command } from '../../src/core/decide.ts'
import { after, type Sku } from '../../src/core/ids.ts'
import type { OrderState } from '../../src/core/shop-order.ts'
import type { OrderLineWord, Word } from '../../src/core/word.ts'
import type { House } from './house.ts'
import {
  at,
  holdCommand,
  LAMP,
  MAIN,
  movementWord,
  NORD,
  netFigure,
  openOrdersWord,
  orderCommand,
  orderWord,
  SHADE,
  SUED,
  wordCommand,
} from './rules.ts'

const SKUS: readonly Sku[] = [LAMP, SHADE]
const SHOPS = [NORD, SUED]
const SAYS: readonly OrderLineWord['says'][] = [
  'acknowledged',
  'allocated',
  'deallocated',
  'picked',
  'shipped',
  'short',
  'cancelled',
]
const STATES: readonly OrderState[] = ['open', 'in-progress', 'completed', 'cancelled', 'deleted']

/** A few baskets and orders that everything is about, so that commands meet. */
const basket = fc.integer({ min: 1, max: 4 })
const units = fc.integer({ min: 1, max: 4 })
const sku = fc.constantFrom(...SKUS)
const shop = fc.constantFrom(...SHOPS)
const sequence = fc.integer({ min: 1, max: 30 })

const lines = fc.array(fc.record({ sku, units, stamped: fc.boolean() }), { minLength: 1, maxLength: 3 })
const keyed = (name: number, rows: readonly { sku: Sku; units: number; stamped: boolean }[]) =>
  rows.map(({ stamped, ...row }, index) => ({ ...row, ...(stamped ? { lineKey: `key-${name}-${index}` } : {}) }))

/** What may be asked of a house: the moment is filled in when its turn comes. */
export type Request = (house: House, nth: number) => Command

const hold: fc.Arbitrary<Request> = fc
  .record({
    name: basket,
    rows: lines,
    shop,
    via: fc.constantFrom('gateway' as const, 'api' as const),
    partial: fc.boolean(),
  })
  .map(
    ({ name, rows, via, partial, ...rest }) =>
      (house, nth) =>
        holdCommand(via === 'api' ? `api-${name}` : `call-${nth}`, keyed(name, rows), {
          ...rest,
          via,
          mode: partial ? 'partial' : 'all',
          ...(via === 'api' ? { until: after(house.now(), 60_000) } : {}),
        }),
  )

const order: fc.Arbitrary<Request> = fc
  .record({ name: basket, rows: lines, shop, state: fc.constantFrom(...STATES), byKey: fc.boolean() })
  .map(
    ({ name, rows, shop: by, state, byKey }) =>
      () =>
        orderCommand(`${by}-${name}`, keyed(name, rows), {
          shop: by,
          state,
          ...(byKey ? { reservation: `api-${name}` } : {}),
        }),
  )

const release: fc.Arbitrary<Request> = fc.record({ name: basket, shop }).map(({ name, shop: by }) => () => ({
  kind: 'release',
  shop: by,
  reservation: `api-${name}`,
}))

const word: fc.Arbitrary<Word> = fc.oneof(
  fc
    .record({ sku, net: fc.nat(12), sequence })
    .map((row) => ({ ...netFigure(row.net, at(row.sequence)), sku: row.sku })),
  fc
    .record({ says: fc.constantFrom(...SAYS), name: basket, by: shop, sku, units, sequence })
    .map((row) => orderWord(row.says, `${row.by}-${row.name}`, row.units, at(row.sequence), { sku: row.sku })),
  fc
    .record({ change: fc.integer({ min: -3, max: 6 }), sequence })
    .map((row) => movementWord('count', row.change, at(row.sequence))),
  fc
    .record({ name: basket, by: shop, units, sequence })
    .map((row) =>
      openOrdersWord([{ order: `${row.by}-${row.name}`, units: row.units, allocated: row.units }], at(row.sequence)),
    ),
)

const said: fc.Arbitrary<Request> = word.map(
  (told) => (house, nth) => wordCommand(told, { messageId: `m-${nth}`, receivedAt: house.now() }),
)

const clock: fc.Arbitrary<Request> = fc.oneof(
  fc.record({ sku, shop }).map(
    ({ sku: of, shop: by }): Request =>
      (house) => ({
        kind: 'expire',
        shop: by,
        sku: of,
        watermark: house.now(),
      }),
  ),
  sku.map(
    (of): Request =>
      () => ({ kind: 'settle', sku: of }),
  ),
  sku.map(
    (of): Request =>
      () => ({ kind: 'trust', sku: of, warehouse: MAIN }),
  ),
)

/** Requests in a row, with the milliseconds that pass before each. */
export const requests = (maxLength = 40): fc.Arbitrary<readonly { readonly ask: Request; readonly passMs: number }[]> =>
  fc.array(
    fc.record({
      ask: fc.oneof(
        { weight: 4, arbitrary: hold },
        { weight: 4, arbitrary: order },
        release,
        { weight: 4, arbitrary: said },
        clock,
      ),
      passMs: fc.constantFrom(1, 1_000, 6_000, 61_000),
    }),
    { maxLength, size: 'max' },
  )
