/**
 * From the cart to the order, in the order of Shopware's own steps: stock check, cart script, gateway, order row, decrement.
 * Nothing here is atomic where the real shop is not.
 */
import { type CartError, orderPayload, writtenEntry } from './bodies.ts'
import { askGateway, type GatewayOutcome } from './gateway.ts'
import { type Cart, type CartLine, type Order, type Product, productOf, type World } from './world.ts'

/** Why an order call made no order. */
export type Refused = {
  readonly refused: 'CHECKOUT__CART_INVALID' | 'CHECKOUT__CART_EMPTY'
  readonly httpStatus: 500 | 400
  readonly messages: readonly string[]
  readonly gateway: GatewayOutcome['heard']
}

/** The answer of an order call. */
export type OrderAnswer = { readonly order: Order; readonly gateway: GatewayOutcome['heard'] } | Refused

/** A new anonymous basket. */
export function newCart(world: World, language: Cart['language'] = 'en-GB'): Cart {
  const cart: Cart = { token: world.random.hex(32), registered: false, lines: [], language }
  world.carts.set(cart.token, cart)
  return cart
}

/** Adds units of a product; as in the storefront, the line's id is the product's, so that the same product merges. */
export function addLine(world: World, cart: Cart, sku: string, units: number, lineId?: string): CartLine {
  const product = productBySku(world, sku)
  const id = lineId ?? product.id
  const known = cart.lines.find((line) => line.id === id)
  if (known !== undefined) {
    known.units += units
    return known
  }
  const line: CartLine = { id, productId: product.id, units, payload: {} }
  cart.lines.push(line)
  calculate(world, cart)
  return line
}

/** Registers the buyer (as a guest or not): a new token, the same lines and stamps. */
export function register(world: World, cart: Cart): void {
  world.carts.delete(cart.token)
  cart.token = world.random.hex(32)
  cart.registered = true
  world.carts.set(cart.token, cart)
}

/** Shows the cart or confirm page: one gateway call without the mark of an order. */
export async function viewPage(world: World, cart: Cart, timeoutMs: number): Promise<GatewayOutcome> {
  const errors = calculate(world, cart)
  const states = [...(cart.lines.length > 0 ? ['cart-filled'] : []), ...(cart.registered ? ['logged-in'] : [])]
  return askGateway(world, cart, { states, errors }, timeoutMs)
}

/** Shows the edit-order page: the order as a cart under a new random token; its errors have no effect. */
export async function viewEditOrder(world: World, order: Order, timeoutMs: number): Promise<GatewayOutcome> {
  const lines = order.lines.map((line) => ({
    id: line.identifier,
    productId: line.productId,
    units: line.units,
    payload: line.payload,
  }))
  const cart: Cart = { token: world.random.hex(32), registered: true, lines, language: 'en-GB' }
  return askGateway(world, cart, { states: ['logged-in'], errors: [], edits: order }, timeoutMs)
}

/** Submits the cart. Two calls at once both read the cart as it is, so both may become orders. */
export async function placeOrder(world: World, cart: Cart, timeoutMs: number): Promise<OrderAnswer> {
  if (!cart.registered) throw new Error('the shop answers 403: nobody is logged in. Call register(cart) first.')
  const errors = calculate(world, cart)
  const token = cart.token
  const seen: Cart = { ...cart, lines: cart.lines.map((line) => ({ ...line, payload: { ...line.payload } })) }
  await world.faults.gates?.afterCheck?.()
  const states = [...(seen.lines.length > 0 ? ['cart-filled'] : []), 'logged-in', 'checkout-order-route']
  const gateway = await askGateway(world, seen, { states, errors }, timeoutMs)
  const blocking = [...errors, ...gateway.errors].filter((error) => error.blockOrder)
  const refuse = (refused: Refused['refused'], messages: readonly string[]): Refused => ({
    refused,
    httpStatus: refused === 'CHECKOUT__CART_INVALID' ? 500 : 400,
    messages,
    gateway: gateway.heard,
  })
  if (blocking.length > 0)
    return refuse(
      'CHECKOUT__CART_INVALID',
      blocking.map((error) => error.message || error.key),
    )
  if (seen.lines.length === 0) return refuse('CHECKOUT__CART_EMPTY', ['Cart is empty'])
  const order = orderOf(world, seen)
  await world.faults.gates?.beforeCommit?.(order)
  world.orders.set(order.id, order)
  await decrement(world, order)
  announce(world, order)
  // The cart is emptied, the token stays; a line added meanwhile is lost with it, as in the real shop.
  if (cart.token === token) cart.lines = []
  return { order, gateway: gateway.heard }
}

/** Writes an order through the API, as a marketplace import does: no gateway, no `checkout.order.placed`. */
export async function importOrder(
  world: World,
  wanted: readonly { readonly sku: string; readonly units: number }[],
): Promise<Order> {
  // Not through the cart: an import is written as it comes, and nobody looks at what is left.
  const lines = wanted.map(({ sku, units }) => ({
    id: world.random.hex(32),
    productId: productBySku(world, sku).id,
    units,
    payload: {},
  }))
  const cart: Cart = { token: world.random.hex(32), registered: true, lines, language: 'en-GB' }
  const order = orderOf(world, cart)
  world.orders.set(order.id, order)
  await decrement(world, order)
  world.emit('order.written', [writtenEntry('order', 'insert', order.id, INSERTED_FIELDS)])
  return order
}

/** Stock check and cart script. Errors of the check last for one calculation: the next try orders what is left. */
function calculate(world: World, cart: Cart): CartError[] {
  const errors: CartError[] = []
  const summed = new Map<string, number>()
  cart.lines = cart.lines.flatMap((line) => {
    const product = productOf(world, line.productId)
    if (!product.closeOut) return [line]
    if (product.stock < 1) {
      errors.push(stockError('product-out-of-stock', line.id, product.name))
      return []
    }
    if (line.units > product.stock) {
      line.units = product.stock
      errors.push(stockError('product-stock-reached', line.id, product.name))
    }
    const units = (summed.get(product.id) ?? 0) + line.units
    summed.set(product.id, units)
    if (units > product.stock) errors.push(stockError('product-stock-reached', line.id, product.name))
    return [line]
  })
  const scripted = new Map<string, number>()
  for (const line of cart.lines) {
    const { customFields, name } = productOf(world, line.productId)
    // As the app's cart script: fresh for each line, never renewed. Without the app there is no script.
    if (world.app === undefined) continue
    line.payload.holdfastKey ??= `${world.random.whole(2 ** 31)}-${world.random.whole(2 ** 31)}-${world.random.hex(32)}`
    const most = customFields.holdfast_most
    const inCart = (scripted.get(line.productId) ?? 0) + line.units
    scripted.set(line.productId, inCart)
    if (customFields.holdfast_guard !== 'stop' && typeof most === 'number' && inCart > most) {
      errors.push({
        key: `holdfast-most-${line.id}`,
        messageKey: 'holdfast.guard.most',
        message: `holdfast.guard.most: ${name}`,
        level: 20,
        blockOrder: true,
        persistent: true,
      })
    }
    if (customFields.holdfast_guard !== 'stop') continue
    const key = `holdfast-guard-${line.id}`
    errors.push({
      key,
      messageKey: 'holdfast.guard.stop',
      message: `holdfast.guard.stop: ${name}`,
      level: 20,
      blockOrder: true,
      persistent: true,
    })
  }
  return errors
}

function productBySku(world: World, sku: string): Product {
  const product = [...world.products.values()].find((each) => each.sku === sku)
  if (product === undefined) throw new Error(`shop ${world.name} has no product ${sku}`)
  return product
}

const stockError = (
  what: 'product-out-of-stock' | 'product-stock-reached',
  lineId: string,
  name: string,
): CartError => ({
  key: `${what}-${lineId}`,
  messageKey: what,
  message: `${what}: ${name}`,
  level: what === 'product-out-of-stock' ? 20 : 10,
  blockOrder: true,
  persistent: true,
})

function orderOf(world: World, cart: Cart): Order {
  const createdAt = world.now()
  world.lastNumber++
  const part = () => ({ id: world.random.hex(32), state: 'open', createdAt, updatedAt: null })
  return {
    id: world.random.hex(32),
    autoIncrement: world.lastNumber,
    orderNumber: String(10_000 + world.lastNumber),
    state: 'open',
    createdAt,
    updatedAt: null,
    transaction: part(),
    delivery: part(),
    lines: cart.lines.map((line) => {
      const product = productOf(world, line.productId)
      return {
        id: world.random.hex(32),
        identifier: line.id,
        productId: line.productId,
        label: product.name,
        units: line.units,
        payload: { ...line.payload, productNumber: product.sku, isCloseout: product.closeOut, stock: product.stock },
        createdAt,
        updatedAt: null,
      }
    }),
  }
}

/** After the commit, line by line, by raw SQL: no webhook, no `updatedAt`, and no second look at what is left. */
async function decrement(world: World, order: Order): Promise<void> {
  for (const line of order.lines) {
    if ((await world.faults.gates?.beforeDecrement?.(order, line)) === 'lost') return
    productOf(world, line.productId).stock -= line.units
  }
}

function announce(world: World, order: Order): void {
  world.emit('order.written', [writtenEntry('order', 'insert', order.id, INSERTED_FIELDS)])
  world.emit('checkout.order.placed', orderPayload(order))
}

const INSERTED_FIELDS = ['id', 'versionId', 'salesChannelId', 'stateId', 'orderNumber', 'orderDateTime', 'createdAt']
