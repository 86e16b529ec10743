/**
 * Bodies as a real Shopware 6.6.7.1 sends them: a recorded message gives the shape and the size, this shop's own facts are
 * written into it. People, prices and addresses are the recording's made-up ones.
 */
import { readFileSync } from 'node:fs'
import { type JsonObject, listOf, moment, objectOf, parse } from './json.ts'
import { type Cart, type CartLine, LIVE_VERSION, type Order, productOf, type World } from './world.ts'

/** An error that a cart carries; only a blocking one stops its order. */
export type CartError = {
  readonly key: string
  readonly messageKey: string
  readonly message: string
  readonly level: 0 | 10 | 20
  readonly blockOrder: boolean
  readonly persistent: boolean
}

/** The body of one gateway call. */
export function gatewayBody(
  world: World,
  cart: Cart,
  view: {
    readonly states: readonly string[]
    readonly errors: readonly CartError[]
    readonly edits?: Order
    readonly token?: string
  },
): JsonObject {
  const body = structuredClone(cart.registered ? registeredCart() : anonymousCart())
  const token = view.token ?? cart.token
  const context = objectOf(body.salesChannelContext)
  const inner = objectOf(context.context)
  const told = objectOf(body.cart)
  body.source = { url: world.url, shopId: world.shopId, appVersion: world.app?.version ?? '0.0.0' }
  context.token = token
  inner.states = Object.fromEntries(view.states.map((state) => [state, state]))
  const customer = objectOf(context.customer)
  if (cart.registered)
    Object.assign(customer, { firstName: 'Ada', lastName: 'Example', email: cart.email ?? `${token}@example.org` })
  const lines = cart.lines.map((line) => cartLine(world, line, view.edits))
  const delivery = objectOf(listOf(told.deliveries)[0])
  const position = objectOf(listOf(delivery.positions)[0])
  Object.assign(told, {
    token,
    lineItems: lines,
    errors: view.errors.map(cartError),
    deliveries:
      lines.length === 0
        ? []
        : [
            {
              ...delivery,
              positions: lines.map((line) => ({
                ...position,
                lineItem: line,
                identifier: line.id,
                quantity: line.quantity,
              })),
            },
          ],
  })
  if (view.edits !== undefined) {
    told.extensions = {
      originalId: { extensions: [], id: view.edits.id },
      originalOrderNumber: { extensions: [], id: view.edits.orderNumber },
    }
    context.permissions = { skipProductStockValidation: true }
  }
  return body
}

/** The payload of `checkout.order.placed` and of every `state_enter.*`: the whole order. */
export function orderPayload(order: Order): JsonObject {
  // What the order itself does not say is the recording's own, and never written to: a copy of the surface is enough.
  const told = { ...placedOrder() }
  const lineShape = objectOf(listOf(told.lineItems)[0])
  Object.assign(told, {
    _uniqueIdentifier: order.id,
    id: order.id,
    orderNumber: order.orderNumber,
    createdAt: moment(order.createdAt),
    orderDateTime: moment(order.createdAt),
    updatedAt: order.updatedAt === null ? null : moment(order.updatedAt),
    stateMachineState: { ...objectOf(told.stateMachineState), technicalName: order.state, name: order.state },
    lineItems: order.lines.map((line) => ({
      ...lineShape,
      _uniqueIdentifier: line.id,
      id: line.id,
      orderId: order.id,
      identifier: line.identifier,
      referencedId: line.productId,
      productId: line.productId,
      quantity: line.units,
      label: line.label,
      payload: line.payload,
      createdAt: moment(line.createdAt),
      updatedAt: line.updatedAt === null ? null : moment(line.updatedAt),
    })),
  })
  return { order: told }
}

/** One entry of `<entity>.written` or `<entity>.deleted`. */
export const writtenEntry = (
  entity: string,
  operation: 'insert' | 'update' | 'delete',
  primaryKey: string,
  updatedFields?: readonly string[],
): JsonObject => ({
  entity,
  operation,
  primaryKey,
  ...(updatedFields === undefined ? {} : { updatedFields }),
  versionId: LIVE_VERSION,
})

function cartLine(world: World, line: CartLine, edits: Order | undefined): JsonObject {
  const product = productOf(world, line.productId)
  const shape = structuredClone(lineShape())
  return Object.assign(shape, {
    ...(edits === undefined ? {} : { extensions: { originalId: { extensions: [], id: line.id } } }),
    payload: {
      ...objectOf(shape.payload),
      productNumber: product.sku,
      isCloseout: product.closeOut,
      stock: product.stock,
      customFields: Object.keys(product.customFields).length === 0 ? [] : product.customFields,
      createdAt: new Date(product.createdAt).toISOString().replace('T', ' ').replace('Z', ''),
      ...line.payload,
    },
    label: product.name,
    quantity: line.units,
    id: line.id,
    referencedId: product.id,
    uniqueIdentifier: line.id,
    deliveryInformation: { ...objectOf(shape.deliveryInformation), stock: product.stock },
    quantityInformation: { ...objectOf(shape.quantityInformation), maxPurchase: Math.max(product.stock, 0) },
  })
}

/** Errors of scripts tell everything; Shopware's own hide in which classes they are: `block` alone says that they stop the order. */
function cartError({ blockOrder, persistent, ...told }: CartError): JsonObject {
  const common = { code: 0, ...told, parameters: [], block: blockOrder, blockResubmit: blockOrder }
  return told.messageKey.startsWith('product-') ? common : { ...common, id: told.key, blockOrder, persistent }
}

/** Recordings are read once, when first needed. */
function once<T>(read: () => T): () => T {
  let kept: { readonly value: T } | undefined
  return () => {
    kept ??= { value: read() }
    return kept.value
  }
}

const RECORDINGS = new URL('../../test/fixtures/shopware-6.6.7.1/', import.meta.url)

function recording(name: string): JsonObject {
  const message = objectOf(parse(readFileSync(new URL(`${name}.json`, RECORDINGS), 'utf8')))
  return objectOf(parse(String(message.body)))
}

const registeredCart = once(() => recording('checkout-gateway'))
const anonymousCart = once(() => recording('checkout-gateway-anonymous-cart'))
const lineShape = once((): JsonObject => {
  const line = objectOf(listOf(objectOf(registeredCart().cart).lineItems)[0])
  const { holdfastKey: _, ...payload } = objectOf(line.payload)
  return { ...line, payload }
})
const placedOrder = once(() => objectOf(objectOf(objectOf(recording('checkout-order-placed').data).payload).order))
