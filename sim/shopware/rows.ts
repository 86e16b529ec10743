/** Rows as the Admin API tells them in plain JSON. */
import { type JsonObject, moment } from './json.ts'
import { LIVE_VERSION, type Order, type Product, type Stateful, type World } from './world.ts'

const orNull = (ms: number | null): string | null => (ms === null ? null : moment(ms))

/** An order with all its associations; whoever did not ask for one is told `null`. */
export const orderRow = (world: World, order: Order): JsonObject => ({
  extensions: [],
  id: order.id,
  versionId: LIVE_VERSION,
  autoIncrement: order.autoIncrement,
  orderNumber: order.orderNumber,
  orderDateTime: moment(order.createdAt),
  createdAt: moment(order.createdAt),
  updatedAt: orNull(order.updatedAt),
  stateMachineState: {
    id: order.state,
    technicalName: order.state,
    name: order.state,
    apiAlias: 'state_machine_state',
  },
  lineItems: order.lines.map((line) => ({
    id: line.id,
    versionId: LIVE_VERSION,
    orderId: order.id,
    identifier: line.identifier,
    referencedId: line.productId,
    productId: line.productId,
    type: 'product',
    quantity: line.units,
    label: line.label,
    payload: line.payload,
    states: ['is-physical'],
    product: { id: line.productId, productNumber: world.products.get(line.productId)?.sku, apiAlias: 'product' },
    createdAt: moment(line.createdAt),
    updatedAt: orNull(line.updatedAt),
    apiAlias: 'order_line_item',
  })),
  transactions: [part(order.transaction, 'order_transaction')],
  deliveries: [part(order.delivery, 'order_delivery')],
  apiAlias: 'order',
})

/** A product; an empty map of custom fields is `null`. */
export const productRow = (product: Product): JsonObject => ({
  extensions: [],
  id: product.id,
  versionId: LIVE_VERSION,
  productNumber: product.sku,
  name: product.name,
  stock: product.stock,
  availableStock: product.stock,
  available: !product.closeOut || product.stock > 0,
  isCloseout: product.closeOut,
  parentId: null,
  childCount: 0,
  customFields: Object.keys(product.customFields).length === 0 ? null : product.customFields,
  createdAt: moment(product.createdAt),
  updatedAt: orNull(product.updatedAt),
  apiAlias: 'product',
})

const part = ({ id, state, createdAt, updatedAt }: Stateful, apiAlias: string): JsonObject => ({
  id,
  stateMachineState: { id: state, technicalName: state, name: state, apiAlias: 'state_machine_state' },
  createdAt: moment(createdAt),
  updatedAt: orNull(updatedAt),
  apiAlias,
})
