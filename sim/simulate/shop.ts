/**
 * A simulated shop without a network: the habits of `sim/shopware`, driven in virtual time. Orders commit late and out of order,
 * decrements come after them or never, webhooks get lost, the Admin API goes away, and when nobody answers the shop goes on.
 */
import type { CheckoutCall, Objection } from '../../src/app/checkout.ts'
import type { OrderPage, ReadOrder, Shop, WriteOutcome } from '../../src/app/ports.ts'
import { type Instant, instantOf, type ShopId, shopOf, skuOf } from '../../src/core/ids.ts'
import type { OrderState, ShopOrderLine } from '../../src/core/shop-order.ts'
import { Failure } from '../../src/errors.ts'
import type { CartError } from '../shopware/bodies.ts'
import * as checkout from '../shopware/checkout.ts'
import type { GatewayOutcome, GatewayView } from '../shopware/gateway.ts'
import { objectOf } from '../shopware/json.ts'
import { syncProducts } from '../shopware/sync.ts'
import { RETRY_AFTER_MS, STRIKES } from '../shopware/webhooks.ts'
import type { Cart, Order, Product, World } from '../shopware/world.ts'
import type { CheckoutAnswer, Holdfast } from './holdfast.ts'
import type { Attempt } from './judge.ts'
import type { Noise } from './noise.ts'
import type { Sightings } from './rare.ts'
import type { Rates } from './shape.ts'
import type { Timeline } from './timeline.ts'
import type { Weather } from './weather.ts'

export type ShopOptions = {
  readonly name: string
  readonly skus: readonly string[]
  readonly openingUnits: number
  readonly skewMs: number
  readonly timeline: Timeline
  readonly weather: Weather
  readonly noise: Noise
  readonly rates: Rates
  readonly rare: Sightings
  readonly holdfast: () => Holdfast | undefined
  /** How long an order may be under way, as declared. */
  readonly orderInFlightMs: number
  /** An order was committed, with what it got from Holdfast before. */
  readonly onOrder: (order: Order, heard: Heard) => void
  /** Holdfast granted an order call, whether the shop hears of it or not. */
  readonly onGranted: (lines: CheckoutCall['lines'], isDying: boolean) => Attempt
  /** Holdfast could not decide, and let an order call through by policy. */
  readonly onLetThrough: (lines: CheckoutCall['lines']) => void
  /** The shop asks; returns what is told of the answer. */
  readonly onAsked: (call: CheckoutCall) => (answer: CheckoutAnswer | undefined) => void
  /** The Admin API hands an order to Holdfast as it is. */
  readonly onTold: (order: Order) => void
  /** Holdfast looks at a number. */
  readonly onLooked: (sku: string, units: number) => void
  /** Holdfast wrote a number. */
  readonly onWritten: (sku: string, units: number) => void
  readonly onHeard: (heard: Heard, cart: Cart) => void
  /** Holdfast heard that something happened to an order: it will look at all that is new. */
  readonly onWebhook: () => void
}

/** What a shop heard when it asked for its order: whether Holdfast itself said yes, and when. */
export type Heard = {
  readonly how: GatewayOutcome['heard'] | 'import'
  readonly decision: CheckoutAnswer | undefined
  readonly at: number
  /** What Holdfast granted, even where its answer was lost or late: known once it has decided. */
  readonly granted: () => Attempt | undefined
}

const NOTHING_GRANTED = () => undefined

export interface SimulatedShop {
  readonly id: ShopId
  readonly world: World
  /** What Holdfast is connected to. */
  readonly port: Shop
  /** Moves the shop's clock. */
  jump(ms: number): void
  /** What a buyer does. `dies`: the shop's process dies between the answer and the order; then nothing comes of it. */
  order(cart: Cart, dies?: boolean): Promise<checkout.OrderAnswer | undefined>
  isWebhookOff(): boolean
  productOf(sku: string): Product
}

const GATEWAY_TIMEOUT_MS = 5_000
const CALL_TIMEOUT_MS = 10_000
const PAGE = 25

export function openShop(options: ShopOptions): SimulatedShop {
  const { name, timeline, weather, noise, rates, rare } = options
  const id = shopOf(name)
  let skewMs = options.skewMs
  /** What was heard for a line's key, until the order is made of it; two submits of one cart hear one after the other. */
  const heardOf = new Map<string, Heard[]>()
  const committed = new Map<Order, Heard>()
  const dying = new Set<string>()
  const announced = new WeakSet<Order>()
  const webhook = { active: true, errors: 0 }
  const imported = (): Heard => ({ how: 'import', decision: undefined, at: timeline.now(), granted: NOTHING_GRANTED })
  const adminAway = `admin-away:${name}`
  const cutOff = `partition:${name}`
  let highestReadable = 0

  const world: World = {
    name,
    url: `http://${name}.example`,
    shopId: name,
    random: noise,
    now: () => timeline.now() + skewMs,
    pause: timeline.sleep,
    faults: {
      gates: {
        async beforeCommit(order) {
          const key = keyOf(order)
          const heard = heardOf.get(key)?.shift()
          if (dying.delete(key)) {
            rare.saw('attempt that never became an order')
            throw new ShopDied()
          }
          committed.set(order, heard ?? imported())
          if (weather.isCalm() || !noise.chance(rates.lateCommit)) return
          await timeline.sleep(noise.between(5, noise.chance(0.2) ? options.orderInFlightMs - 3_000 : 800))
        },
        async beforeDecrement(order) {
          const heard = committed.get(order) ?? imported()
          if (!announced.has(order)) {
            announced.add(order)
            options.onOrder(order, heard)
          }
          if (weather.isCalm()) return
          if (noise.chance(rates.lostDecrement)) {
            rare.saw('decrement lost')
            return 'lost'
          }
          if (noise.chance(rates.lateDecrement)) await timeline.sleep(noise.between(1, noise.chance(0.2) ? 4_000 : 200))
        },
      },
    },
    products: new Map(),
    carts: new Map(),
    orders: new Map(),
    log: [],
    lastNumber: 0,
    cacheClears: 0,
    app: {
      name: 'Holdfast',
      version: '1',
      gatewayUrl: '',
      secret: '',
      apiKey: '',
      secretKey: '',
      webhooks: [],
    },
    ask,
    emit,
  }
  for (const sku of options.skus) {
    const product: Product = {
      id: noise.hex(32),
      sku,
      name: sku,
      stock: options.openingUnits,
      // Some merchants have never closed anything out: Holdfast does, and keeps their setting.
      closeOut: noise.chance(0.7),
      customFields: {},
      createdAt: world.now(),
      updatedAt: null,
    }
    world.products.set(product.id, product)
  }
  const productOf = (sku: string): Product => {
    const found = [...world.products.values()].find((each) => each.sku === sku)
    if (!found) throw new Error(`shop ${name} has no product ${sku}`)
    return found
  }

  // ── the gateway ──

  async function ask(cart: Cart, view: GatewayView, timeoutMs: number): Promise<GatewayOutcome> {
    const isOrderCall = view.states.includes('checkout-order-route')
    const call: CheckoutCall = {
      isOrderCall,
      isEditOrder: view.edits !== undefined,
      cartBlocked: view.errors.some(({ blockOrder, persistent }) => blockOrder && persistent),
      basket: new Uint8Array(),
      lines: cart.lines.map(({ productId, units, payload }) => {
        const { holdfastKey } = payload
        const sku = skuOf(world.products.get(productId)?.sku ?? '')
        return { sku, units, ...(typeof holdfastKey === 'string' ? { lineKey: holdfastKey } : {}) }
      }),
    }
    if (isOrderCall && cart.lines.length === 0 && view.errors.length > 0)
      rare.saw('sold-out line thrown out before the shop asked')
    else if (isOrderCall && call.cartBlocked) rare.saw('cart cut by the shop before it asked')
    const answered = options.onAsked(call)
    const heard = await hear(call, timeoutMs)
    answered(heard.decision)
    if (isOrderCall) {
      options.onHeard(heard, cart)
      const isStopped = view.errors.some(({ blockOrder }) => blockOrder) || (heard.decision?.objections.length ?? 0) > 0
      const [first] = call.lines
      if (!isStopped && first?.lineKey !== undefined)
        heardOf.set(first.lineKey, [...(heardOf.get(first.lineKey) ?? []), heard])
    }
    return { heard: heard.how === 'import' ? 'yes' : heard.how, errors: errorsOf(heard.decision?.objections ?? []) }
  }

  async function hear(call: CheckoutCall, timeoutMs: number): Promise<Heard> {
    const began = timeline.now()
    let attempt: Attempt | undefined
    const granted = (): Attempt | undefined => attempt
    const deaf = (how: Heard['how']): Heard => ({ how, decision: undefined, at: timeline.now(), granted })
    if (weather.is(cutOff)) {
      rare.saw('checkout cut off from Holdfast')
      return deaf('unreachable')
    }
    if (noise.chance(0.3)) await timeline.sleep(noise.between(1, 60))
    const holdfast = options.holdfast()
    if (!holdfast?.isListening()) {
      rare.saw('shop went on: nobody answered')
      return deaf('unreachable')
    }
    const isLost = !weather.isCalm() && noise.chance(rates.lostGateway)
    const lateMs = !weather.isCalm() && noise.chance(rates.lateGateway) ? noise.between(1_000, 7_000) : 0
    const answered = holdfast.checkout(id, call).then(async (decision): Promise<Heard> => {
      const key = call.lines[0]?.lineKey ?? ''
      if (call.isOrderCall && decision.outcome === 'granted') attempt = options.onGranted(call.lines, dying.has(key))
      if (call.isOrderCall && decision.outcome === 'undecided-allowed') options.onLetThrough(call.lines)
      if (lateMs > 0) await timeline.sleep(lateMs)
      return { how: 'yes', decision, at: timeline.now(), granted }
    })
    const heard = await Promise.race([answered, timeline.sleep(timeoutMs).then(() => deaf('late'))])
    if (heard.how === 'late') rare.saw('shop went on: the answer came too late')
    if (isLost && heard.how === 'yes') {
      if (heard.decision?.outcome === 'granted') rare.saw('answer lost on its way, hold kept')
      return { ...deaf('unreachable'), at: began }
    }
    return heard
  }

  // ── webhooks ──

  function emit(event: string, payload: unknown): void {
    const isOrder = event !== 'product.written'
    const productIds = isOrder ? [] : writtenIds(payload)
    if (!webhook.active) return
    if (!weather.isCalm() && noise.chance(rates.loseWebhook)) {
      rare.saw('webhook lost')
      return
    }
    const late = !weather.isCalm() && noise.chance(rates.lateWebhook)
    timeline.after(late ? noise.between(500, 20_000) : noise.between(5, 600), () => attempt(isOrder, productIds, 0))
  }

  function attempt(isOrder: boolean, productIds: readonly string[], tried: number): void {
    if (!webhook.active) return
    const holdfast = options.holdfast()
    if (holdfast?.isListening() && !weather.is('database-away') && !weather.is(cutOff)) {
      webhook.errors = 0
      if (isOrder) {
        options.onWebhook()
        holdfast.side.wakeReader(id)
      } else void holdfast.side.lookAtProducts(id, productIds).catch(() => undefined)
      return
    }
    const waitMs = RETRY_AFTER_MS[tried]
    if (waitMs !== undefined) {
      timeline.after(waitMs, () => attempt(isOrder, productIds, tried + 1))
      return
    }
    webhook.errors += 1
    if (webhook.errors < STRIKES) return
    webhook.active = false
    rare.saw('webhook switched off after ten failures')
  }

  // ── the Admin API ──

  async function api<T>(work: () => T): Promise<T> {
    if (weather.is(adminAway)) {
      rare.saw('admin API away')
      throw new Failure('SHOP_UNREACHABLE', `${name} is away`, { retry: 'later' })
    }
    if (noise.chance(0.3)) await timeline.sleep(noise.between(1, noise.chance(0.1) ? 900 : 40))
    if (!weather.isCalm() && noise.chance(0.01)) {
      await timeline.sleep(CALL_TIMEOUT_MS)
      throw new Failure('SHOP_UNREACHABLE', `${name} did not answer in time`, { retry: 'later' })
    }
    const answer = work()
    if (noise.chance(0.2)) await timeline.sleep(noise.between(1, 40))
    return answer
  }
  const told = (order: Order): ReadOrder => {
    options.onTold(order)
    return readOf(order)
  }
  const byNumber = (): Order[] => [...world.orders.values()].sort((a, b) => a.autoIncrement - b.autoIncrement)
  const pageOf = (orders: readonly Order[]): OrderPage => {
    const some = orders.slice(0, PAGE)
    return { orders: some.map(told), highestNumber: some.at(-1)?.autoIncrement ?? 0 }
  }
  const port: Shop = {
    highestNumber: () => api(() => byNumber().at(-1)?.autoIncrement ?? 0),
    ordersAfter: (number) => api(() => pageOf(byNumber().filter(({ autoIncrement }) => autoIncrement > number))),
    ordersChangedSince: (since, page) =>
      api(() =>
        pageOf(
          byNumber()
            .filter((order) => changedAt(order) >= since)
            .slice((page - 1) * PAGE),
        ),
      ),
    openOrdersAfter: (number) =>
      api(() =>
        pageOf(
          byNumber().filter(
            ({ autoIncrement, state }) => autoIncrement > number && state !== 'completed' && state !== 'cancelled',
          ),
        ),
      ),
    ordersById: (ids) => api(() => ids.flatMap((each) => world.orders.get(each) ?? []).map(told)),
    shown: (skus) =>
      api(() =>
        [...world.products.values()]
          .filter(({ sku }) => skus.includes(skuOf(sku)))
          .map(({ id: productId, sku, stock, closeOut, customFields }) => {
            options.onLooked(sku, stock)
            const word = customFields.holdfast_guard === 'stop' ? 'stop' : 'go'
            return { productId, sku: skuOf(sku), units: stock, closeOut, guard: { word } }
          }),
      ),
    async write(rows) {
      if (!weather.isCalm() && noise.chance(rates.deadlock)) {
        rare.saw('write met a deadlock')
        throw new Failure('SHOP_BUSY', `${name} met a deadlock`, { retry: 'later' })
      }
      const isUnknown = !weather.isCalm() && noise.chance(rates.unknownWrite)
      const isDone = !isUnknown || noise.chance(0.5)
      await api(() => {
        if (!isDone) return
        const numbers = rows.filter(({ setsUnits }) => setsUnits)
        for (const { productId, units } of numbers) {
          const before = world.products.get(productId)?.stock ?? 0
          rare.saw(units > before ? 'number raised in the shop' : 'number lowered in the shop')
        }
        syncProducts(world, {
          stock: {
            entity: 'product',
            action: 'upsert',
            payload: rows.map(({ productId, units, setsUnits, closeOut, guard }) => ({
              id: productId,
              ...(setsUnits ? { stock: units } : {}),
              isCloseout: closeOut,
              customFields: { holdfast_guard: guard.word },
            })),
          },
        })
        for (const { sku, units } of numbers) options.onWritten(sku, units)
      })
      if (isUnknown) rare.saw('write with unknown outcome')
      return rows.map(
        ({ sku }): WriteOutcome =>
          isUnknown ? { sku, outcome: 'unknown', reason: 'it did not answer in time' } : { sku, outcome: 'written' },
      )
    },
    clock: () => api((): Instant => instantOf(Math.floor(world.now() / 1_000) * 1_000)),
  }

  return {
    id,
    world,
    port,
    productOf,
    isWebhookOff: () => !webhook.active,
    jump(ms) {
      skewMs += ms
    },
    async order(cart, dies = false) {
      const [line] = cart.lines
      if (dies && typeof line?.payload.holdfastKey === 'string') dying.add(line.payload.holdfastKey)
      const answer = await checkout.placeOrder(world, cart, GATEWAY_TIMEOUT_MS).catch((cause: unknown) => {
        if (cause instanceof ShopDied) return undefined
        throw cause
      })
      if (answer === undefined || !('order' in answer)) return answer
      const { autoIncrement } = answer.order
      if (autoIncrement < highestReadable) rare.saw('order numbers appeared out of order')
      highestReadable = Math.max(highestReadable, autoIncrement)
      return answer
    },
  }

  function errorsOf(objections: readonly Objection[]): readonly CartError[] {
    return objections.map(({ key }, index) => ({
      key: `checkout-gateway-error-${index}`,
      messageKey: 'checkout-gateway-error',
      message: key,
      level: 20,
      blockOrder: true,
      persistent: false,
    }))
  }
}

class ShopDied extends Error {}

const keyOf = ({ lines }: Order): string => String(lines[0]?.payload.holdfastKey ?? '')

function writtenIds(payload: unknown): readonly string[] {
  if (!Array.isArray(payload)) return []
  return payload.flatMap((entry) => {
    const { primaryKey } = objectOf(entry)
    return typeof primaryKey === 'string' ? [primaryKey] : []
  })
}

const STATES: Record<Order['state'], OrderState> = {
  open: 'open',
  in_progress: 'in-progress',
  completed: 'completed',
  cancelled: 'cancelled',
}

function readOf(order: Order): ReadOrder {
  return {
    orderId: order.id,
    orderNumber: order.orderNumber,
    state: STATES[order.state],
    orderedAt: instantOf(order.createdAt),
    ...(order.updatedAt === null ? {} : { changedAt: instantOf(order.updatedAt) }),
    lines: order.lines.flatMap((line): ShopOrderLine[] => {
      const { holdfastKey, productNumber } = line.payload
      if (line.units <= 0) return []
      return [
        {
          lineId: line.id,
          ...(typeof holdfastKey === 'string' ? { lineKey: holdfastKey } : {}),
          sku: skuOf(String(productNumber)),
          units: line.units,
        },
      ]
    }),
  }
}

/** The latest moment that any part of an order knows. A deleted line leaves none. */
const changedAt = ({ createdAt, updatedAt, lines, transaction, delivery }: Order): number =>
  Math.max(
    createdAt,
    updatedAt ?? 0,
    ...lines.map((line) => Math.max(line.createdAt, line.updatedAt ?? 0)),
    transaction.updatedAt ?? 0,
    delivery.updatedAt ?? 0,
  )
