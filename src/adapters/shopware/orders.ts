/** Reads orders by named fields: no customer, no address, no price ever leaves the shop. */
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { OrderPage, ReadOrder } from '../../app/ports.ts'
import { canonicalSku, type Instant, instantOf, isUnits, type Sku, skuOf } from '../../core/ids.ts'
import { orderStateOf } from '../../core/order-states.ts'
import type { ShopOrderLine } from '../../core/shop-order.ts'
import { goodsLeft, paymentFailed } from '../../core/unpaid.ts'
import { Failure } from '../../errors.ts'
import type { AdminApi } from './admin-api.ts'
import { lineKeyOf } from './gateway.ts'
import { fieldOf, textOf } from './pick.ts'
import { storageMoment } from './storage-moment.ts'

/** Orders in one page: Shopware refuses more. */
export const ORDERS_PER_PAGE = 500
/** The most ids in one question. */
export const MAX_ORDER_IDS = 100

type Filter = Readonly<Record<string, unknown>>
type Criteria = { readonly filter?: readonly Filter[]; readonly ids?: readonly string[]; readonly page?: number }

/** One page of orders that meet `criteria`, by ascending running number. */
export async function readOrders(api: AdminApi, url: string, criteria: Criteria): Promise<OrderPage> {
  const answer = await api.read(
    {
      method: 'POST',
      path: '/api/search/order',
      body: {
        ...criteria,
        limit: ORDERS_PER_PAGE,
        sort: [{ field: 'autoIncrement', order: 'ASC' }],
        fields: ORDER_FIELDS,
      },
    },
    searchAnswer,
  )
  const orders = answer.data.map((row) => orderOf(url, row))
  return { orders, highestNumber: answer.data.reduce((highest, row) => Math.max(highest, row.autoIncrement), 0) }
}

/** The highest running number that the shop has given out to an order that can be read; 0 when it has none. */
export async function highestOrderNumber(api: AdminApi): Promise<number> {
  const answer = await api.read(
    {
      method: 'POST',
      path: '/api/search/order',
      body: { limit: 1, sort: [{ field: 'autoIncrement', order: 'DESC' }], fields: ['autoIncrement'] },
    },
    numberAnswer,
  )
  return answer.data[0]?.autoIncrement ?? 0
}

/** Orders with a running number above `number`. */
export const numberAbove = (number: number): Filter => ({
  type: 'range',
  field: 'autoIncrement',
  parameters: { gt: number },
})

/** Orders that are neither completed nor cancelled. */
export const stillOpen: Filter = {
  type: 'not',
  operator: 'or',
  queries: [{ type: 'equalsAny', field: 'stateMachineState.technicalName', value: ['completed', 'cancelled'] }],
}

/**
 * Orders of which anything changed since a moment on the shop's clock. A fresh order has no `updatedAt`, and a payment, a
 * delivery or an edited line leaves the order's own alone; so every one of them is asked for. A deleted line leaves no trace:
 * only reading the order finds it.
 */
export function changedSince(since: Instant): Filter {
  const gte = storageMoment(since)
  return {
    type: 'multi',
    operator: 'or',
    queries: CHANGE_FIELDS.map((field) => ({ type: 'range', field, parameters: { gte } })),
  }
}

const CHANGE_FIELDS = ['', 'lineItems.', 'transactions.', 'deliveries.'].flatMap((path) => [
  `${path}createdAt`,
  `${path}updatedAt`,
])

const ORDER_FIELDS = [
  'autoIncrement',
  'orderNumber',
  'orderDateTime',
  'updatedAt',
  'stateMachineState.technicalName',
  'transactions.stateMachineState.technicalName',
  'deliveries.stateMachineState.technicalName',
  'lineItems.type',
  'lineItems.quantity',
  'lineItems.payload',
  'lineItems.productId',
  'lineItems.states',
  'lineItems.product.productNumber',
]

const lineRow = Type.Object({
  id: Type.String(),
  type: Type.Union([Type.String(), Type.Null()]),
  quantity: Type.Integer(),
  payload: Type.Optional(Type.Unknown()),
  productId: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  states: Type.Optional(Type.Unknown()),
  product: Type.Optional(Type.Unknown()),
})
type LineRow = Static<typeof lineRow>

const partRow = Type.Object({
  stateMachineState: Type.Optional(Type.Union([Type.Object({ technicalName: Type.String() }), Type.Null()])),
})

const orderRow = Type.Object({
  id: Type.String(),
  autoIncrement: Type.Integer(),
  orderNumber: Type.Union([Type.String(), Type.Null()]),
  orderDateTime: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  updatedAt: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  // Both are asked for, so both must be there; that they are not is told with a code of its own.
  stateMachineState: Type.Optional(Type.Union([Type.Object({ technicalName: Type.String() }), Type.Null()])),
  lineItems: Type.Optional(Type.Union([Type.Array(lineRow), Type.Null()])),
  transactions: Type.Optional(Type.Union([Type.Array(partRow), Type.Null()])),
  deliveries: Type.Optional(Type.Union([Type.Array(partRow), Type.Null()])),
})
type OrderRow = Static<typeof orderRow>

const numberAnswer = Compile(Type.Object({ data: Type.Array(Type.Object({ autoIncrement: Type.Integer() })) }))

const searchAnswer = Compile(Type.Object({ data: Type.Array(orderRow) }))

function orderOf(url: string, row: OrderRow): ReadOrder {
  const incomplete = (part: string) =>
    new Failure('SHOP_ANSWER_INCOMPLETE', `${url} told order ${row.orderNumber ?? row.id} without its ${part}.`, {
      retry: 'later',
    })
  if (!row.lineItems) throw incomplete('lines')
  if (!row.stateMachineState) throw incomplete('state')
  const payments = statesOf(row.transactions)
  if (!payments) throw incomplete('payments')
  const deliveries = statesOf(row.deliveries)
  if (!deliveries) throw incomplete('deliveries')
  const orderedAt = momentOf(row.orderDateTime)
  const changedAt = momentOf(row.updatedAt)
  return {
    orderId: row.id,
    orderNumber: row.orderNumber ?? row.id,
    state: orderStateOf(row.stateMachineState.technicalName),
    ...(orderedAt === undefined ? {} : { orderedAt }),
    ...(changedAt === undefined ? {} : { changedAt }),
    ...(paymentFailed(payments) ? { paymentFailed: true as const } : {}),
    ...(goodsLeft(deliveries) ? { goodsLeft: true as const } : {}),
    lines: row.lineItems.flatMap((line) => lineOf(line)),
  }
}

/** The states of an order's payments or deliveries; `undefined` where one is missing from the answer. */
function statesOf(rows: readonly Static<typeof partRow>[] | null | undefined): readonly string[] | undefined {
  const states = rows?.flatMap(({ stateMachineState }) => stateMachineState?.technicalName ?? [])
  return states?.length === rows?.length ? states : undefined
}

function momentOf(text: string | null | undefined): Instant | undefined {
  const moment = text ? Date.parse(text) : Number.NaN
  return Number.isNaN(moment) ? undefined : instantOf(moment)
}

function lineOf(line: LineRow): ShopOrderLine[] {
  if (line.type !== 'product' || line.quantity <= 0 || !isUnits(line.quantity)) return []
  if (Array.isArray(line.states) && line.states.includes('is-download')) return []
  const lineKey = lineKeyOf(line.payload)
  return [
    { lineId: line.id, ...(lineKey === undefined ? {} : { lineKey }), sku: skuOfLine(line), units: line.quantity },
  ]
}

/**
 * The SKU of an order line: as the buyer ordered it, else as the product has it now. A line of a product that is gone and never
 * said its number is still units that somebody ordered: it gets a name that no warehouse has, which people will find.
 */
function skuOfLine(line: LineRow): Sku {
  for (const holder of [line.payload, line.product]) {
    const number = textOf(fieldOf(holder, 'productNumber'))
    const named = number === undefined ? undefined : canonicalSku(number)
    if (named !== undefined && 'sku' in named) return named.sku
  }
  return skuOf(`unknown-product:${line.productId ?? line.id}`)
}
