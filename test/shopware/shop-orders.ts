import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { PAGE_ROWS, type ShopAdmin } from './shop-admin.ts'
import type { Answer } from './shop-http.ts'
import { newId, type Product } from './shop-products.ts'

/** Which orders are meant; all that are given must fit. `run` fits the orders of the buyers of one run. */
export type OrderFilter = { readonly sku?: string; readonly orderId?: string; readonly run?: string }

/** One order as the Admin API shows it; states are Shopware's technical names. */
export type ShopOrder = {
  readonly orderId: string
  readonly orderNumber: string
  readonly state: string
  readonly lines: readonly { readonly lineId: string; readonly productId: string | null; readonly units: number }[]
  readonly transactions: readonly { readonly id: string; readonly state: string }[]
  readonly deliveries: readonly { readonly id: string; readonly state: string }[]
}

/** The parts of an order that have states of their own. */
export type StateEntity = 'order' | 'order_transaction' | 'order_delivery'

/** What an imported order is made of, looked up once. */
export type ImportGround = {
  readonly salesChannelId: string
  readonly currencyId: string
  readonly languageId: string
  readonly countryId: string
  readonly salutationId: string
  readonly openStateId: string
}

const state = Type.Object({ technicalName: Type.String() })
const withState = Type.Object({ id: Type.String(), stateMachineState: state })
const orderRows = Compile(
  Type.Object({
    total: Type.Integer(),
    data: Type.Array(
      Type.Object({
        id: Type.String(),
        orderNumber: Type.String(),
        stateMachineState: state,
        lineItems: Type.Array(
          Type.Object({
            id: Type.String(),
            productId: Type.Union([Type.String(), Type.Null()]),
            quantity: Type.Integer(),
          }),
        ),
        transactions: Type.Array(withState),
        deliveries: Type.Array(withState),
      }),
    ),
  }),
)

/** Orders seen and changed from behind, as a merchant or an import does, through the Admin API. */
export function ordersOf(admin: ShopAdmin, ground: ImportGround, productOf: (sku: string) => Promise<Product>) {
  /** The orders that fit, oldest first, at most 500; throws when there are more, so that none is overlooked. */
  const orders = async (filter: OrderFilter): Promise<readonly ShopOrder[]> => {
    const conditions: unknown[] = []
    if (filter.sku !== undefined)
      conditions.push({ type: 'equals', field: 'lineItems.productId', value: (await productOf(filter.sku)).productId })
    if (filter.orderId !== undefined) conditions.push({ type: 'equals', field: 'id', value: filter.orderId })
    if (filter.run !== undefined)
      conditions.push({ type: 'prefix', field: 'orderCustomer.email', value: emailPrefix(filter.run) })
    const found = await admin.search(
      'order',
      {
        filter: conditions,
        associations: {
          stateMachineState: {},
          lineItems: {},
          transactions: { associations: { stateMachineState: {} } },
          deliveries: { associations: { stateMachineState: {} } },
        },
        includes: {
          order: ['id', 'orderNumber', 'stateMachineState', 'lineItems', 'transactions', 'deliveries'],
          order_line_item: ['id', 'productId', 'quantity'],
          order_transaction: ['id', 'stateMachineState'],
          order_delivery: ['id', 'stateMachineState'],
          state_machine_state: ['technicalName'],
        },
        sort: [{ field: 'autoIncrement', order: 'ASC' }],
        limit: PAGE_ROWS,
        'total-count-mode': 1,
      },
      orderRows,
    )
    if (found.total > found.data.length)
      throw new Error(`TOO_MANY_ORDERS: ${found.total} fit, ${PAGE_ROWS} are read. Clear former runs first.`)
    return found.data.map((row) => ({
      orderId: row.id,
      orderNumber: row.orderNumber,
      state: row.stateMachineState.technicalName,
      lines: row.lineItems.map((line) => ({ lineId: line.id, productId: line.productId, units: line.quantity })),
      transactions: row.transactions.map((part) => ({ id: part.id, state: part.stateMachineState.technicalName })),
      deliveries: row.deliveries.map((part) => ({ id: part.id, state: part.stateMachineState.technicalName })),
    }))
  }

  /** One state transition; the answer as it came, since a refused one (400) is often what a test looks for. */
  const transition = (entity: StateEntity, id: string, action: string): Promise<Answer> =>
    admin.call({ method: 'POST', path: `/api/_action/${entity}/${id}/state/${action}`, body: {} })

  return {
    orders,
    transition,

    /** The one order with this id; throws when the shop no longer has it. */
    async orderOf(orderId: string): Promise<ShopOrder> {
      const [found] = await orders({ orderId })
      if (found === undefined) throw new Error(`NO_SUCH_ORDER: the shop has no order ${orderId}. It may be deleted.`)
      return found
    },

    /** Cancels through the order's state machine: the only act that makes Shopware give units back. */
    cancelOrder: (orderId: string): Promise<Answer> =>
      admin.write({ method: 'POST', path: `/api/_action/order/${orderId}/state/cancel`, body: {} }, 'a cancellation'),

    /** Changes the units of one order line: moves stock, sends no webhook, leaves the order's `updatedAt`. */
    editLine: (lineId: string, units: number): Promise<Answer> =>
      admin.write(
        { method: 'PATCH', path: `/api/order-line-item/${lineId}`, body: { quantity: units } },
        'the edit of an order line',
      ),

    deleteLine: (lineId: string): Promise<Answer> =>
      admin.write({ method: 'DELETE', path: `/api/order-line-item/${lineId}` }, 'the deletion of an order line'),

    deleteOrder: (orderId: string): Promise<Answer> =>
      admin.write({ method: 'DELETE', path: `/api/order/${orderId}` }, 'the deletion of an order'),

    /** Writes an order past every checkout, as an ERP import does: no gateway call, and no check of the stock. */
    async createOrderByAdminApi(wanted: { readonly sku: string; readonly units: number; readonly email: string }) {
      const product = await productOf(wanted.sku)
      const order = importedOrder(ground, product, wanted.units, wanted.email)
      await admin.write({ method: 'POST', path: '/api/order', body: order }, 'an imported order')
      return { orderId: order.id, orderNumber: order.orderNumber, lineId: order.lineItems[0].id }
    },
  }
}

/** How e-mail addresses of a run begin; the closing dot keeps run "a1" from taking the buyers of "a12". */
export function emailPrefix(run: string): string {
  return `${run}.`.toLowerCase()
}

function importedOrder(ground: ImportGround, product: Product, units: number, email: string) {
  const rounding = { decimals: 2, interval: 0.01, roundForNet: true }
  const total = product.price * units
  const noTax = { calculatedTaxes: [], taxRules: [] }
  const addressId = newId()
  const person = { salutationId: ground.salutationId, firstName: 'Test', lastName: 'Import' }
  const lineId = newId()
  const line = {
    id: lineId,
    identifier: lineId,
    type: 'product',
    productId: product.productId,
    referencedId: product.productId,
    label: `Test ${product.sku}`,
    quantity: units,
    good: true,
    position: 1,
    payload: { productNumber: product.sku },
    price: { unitPrice: product.price, totalPrice: total, quantity: units, ...noTax },
    priceDefinition: { type: 'quantity', price: product.price, quantity: units, taxRules: [], isCalculated: true },
  }
  return {
    id: newId(),
    orderNumber: `IMPORT-${newId().slice(0, 12)}`,
    salesChannelId: ground.salesChannelId,
    currencyId: ground.currencyId,
    languageId: ground.languageId,
    currencyFactor: 1,
    stateId: ground.openStateId,
    orderDateTime: new Date().toISOString(),
    itemRounding: rounding,
    totalRounding: rounding,
    price: { netPrice: total, totalPrice: total, positionPrice: total, rawTotal: total, taxStatus: 'gross', ...noTax },
    shippingCosts: { unitPrice: 0, totalPrice: 0, quantity: 1, ...noTax },
    orderCustomer: { email, ...person },
    billingAddressId: addressId,
    addresses: [
      {
        id: addressId,
        countryId: ground.countryId,
        street: 'Test Road 1',
        zipcode: '12345',
        city: 'Testham',
        ...person,
      },
    ],
    lineItems: [line] as const,
  }
}
