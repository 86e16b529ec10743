/**
 * A simulated Shopware 6.6.7.1: the same protocols over HTTP and the same habits, good and bad, that were seen on a real one.
 * It runs on the loopback, makes the real handshake, and takes chance only from its seed.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { serve } from './loopback.ts'
import { type Random, seededRandom, seedOf } from './random.ts'
import { adminApi } from './shopware/admin-api.ts'
import { writtenEntry } from './shopware/bodies.ts'
import * as checkout from './shopware/checkout.ts'
import type { GatewayOutcome } from './shopware/gateway.ts'
import { type AppManifest, type Installed, installApp } from './shopware/install.ts'
import type { JsonObject } from './shopware/json.ts'
import * as life from './shopware/order-life.ts'
import { webhookWorker } from './shopware/webhooks.ts'
import type { Cart, CartLine, Order, Product, ShopFaults, Webhook, World } from './shopware/world.ts'

/** What it takes to start a shop. */
export type ShopOptions = {
  readonly name: string
  readonly products: readonly {
    readonly sku: string
    readonly name?: string
    readonly stock: number
    readonly closeOut?: boolean
    readonly customFields?: JsonObject
  }[]
  /** The shop's clock, in ms. */
  readonly clock?: () => number
  /** Seeded by the name if absent. Two shops that share one are told apart, but their stories depend on each other. */
  readonly random?: Random
  readonly faults?: ShopFaults
  /** How long an access token is good; ten minutes if absent. */
  readonly tokenLifeMs?: number
  /** How long the shop waits for the gateway; 5 s if absent, as the real one. */
  readonly gatewayTimeoutMs?: number
  /** Scales the pauses between the attempts of a webhook; 1 is the real 1, 2 and 6 s. */
  readonly webhookRetryFactor?: number
  /** Waits so many ms. */
  readonly pause?: (ms: number) => Promise<void>
}

/** A running shop. What a person or an ERP does in it are its methods. */
export interface SimulatedShop {
  readonly name: string
  readonly url: string
  readonly shopId: string
  /** May be changed while the shop runs. */
  readonly faults: ShopFaults
  stop(): Promise<void>
  /** Makes the handshake and switches the app on. */
  install(manifest: AppManifest): Promise<Installed>
  /** Tells the app and forgets it, its webhooks and its credentials. */
  uninstall(): Promise<void>

  newCart(language?: Cart['language']): Cart
  /** `lineId` gives a line of its own, as the Store API does; without it the same product merges. */
  addLine(cart: Cart, sku: string, units: number, lineId?: string): CartLine
  register(cart: Cart): void
  /** Cart or confirm page. */
  viewPage(cart: Cart): Promise<GatewayOutcome>
  viewEditOrder(orderId: string): Promise<GatewayOutcome>
  order(cart: Cart): Promise<checkout.OrderAnswer>
  importOrder(lines: readonly { readonly sku: string; readonly units: number }[]): Promise<Order>

  cancelOrder(orderId: string): void
  reopenOrder(orderId: string): void
  advanceOrder(orderId: string, to: 'in_progress' | 'completed'): void
  payOrder(orderId: string): void
  failPayment(orderId: string): void
  shipDelivery(orderId: string): void
  editLine(orderId: string, lineId: string, units: number): void
  deleteLine(orderId: string, lineId: string): void
  deleteOrder(orderId: string): void
  adminSetStock(sku: string, units: number): void
  /** Somebody sells it beyond its number. */
  adminOpenOut(sku: string): void

  stockOf(sku: string): number
  product(sku: string): Readonly<Product>
  orders(): readonly Order[]
  webhooks(): readonly Webhook[]
  /** How often its page cache was cleared. */
  cacheClears(): number
  /** The queue worker of the webhooks. */
  readonly worker: { pause(): void; resume(): void; settled(): Promise<void> }
}

/** Starts a shop on a free port of the loopback. */
export async function startSimulatedShop(options: ShopOptions): Promise<SimulatedShop> {
  const random = options.random ?? seededRandom(seedOf(options.name))
  const now = options.clock ?? Date.now
  const faults = options.faults ?? {}
  const gatewayTimeoutMs = options.gatewayTimeoutMs ?? 5_000
  const world: World = {
    name: options.name,
    url: '',
    shopId: random.hex(16),
    random,
    now,
    pause: options.pause ?? ((ms) => delay(ms)),
    faults,
    products: new Map(),
    carts: new Map(),
    orders: new Map(),
    log: [],
    lastNumber: 0,
    cacheClears: 0,
    app: undefined,
    emit: (event, payload) => worker.emit(event, payload),
  }
  const worker = webhookWorker(world, options.webhookRetryFactor ?? 1)
  for (const { sku, name = sku, stock, closeOut = true, customFields = {} } of options.products) {
    const id = random.hex(32)
    world.products.set(id, {
      id,
      sku,
      name,
      stock,
      closeOut,
      customFields: { ...customFields },
      createdAt: now(),
      updatedAt: null,
    })
  }
  const server = await serve(adminApi(world, options.tokenLifeMs ?? 600_000))
  world.url = server.url

  const product = (sku: string): Product => {
    const found = [...world.products.values()].find((each) => each.sku === sku)
    if (found === undefined) throw new Error(`shop ${world.name} has no product ${sku}`)
    return found
  }

  return {
    name: world.name,
    url: world.url,
    shopId: world.shopId,
    faults,
    stop: server.stop,
    install: (manifest) => installApp(world, manifest),
    async uninstall() {
      worker.emit('app.deleted', [])
      await worker.settled()
      world.app = undefined
    },
    newCart: (language) => checkout.newCart(world, language),
    addLine: (cart, sku, units, lineId) => checkout.addLine(world, cart, sku, units, lineId),
    register: (cart) => checkout.register(world, cart),
    viewPage: (cart) => checkout.viewPage(world, cart, gatewayTimeoutMs),
    viewEditOrder(orderId) {
      const order = world.orders.get(orderId)
      if (order === undefined) throw new Error(`shop ${world.name} has no order ${orderId}`)
      return checkout.viewEditOrder(world, order, gatewayTimeoutMs)
    },
    order: (cart) => checkout.placeOrder(world, cart, gatewayTimeoutMs),
    importOrder: (lines) => checkout.importOrder(world, lines),
    cancelOrder: (id) => life.cancelOrder(world, id),
    reopenOrder: (id) => life.reopenOrder(world, id),
    advanceOrder: (id, to) => life.advanceOrder(world, id, to),
    payOrder: (id) => life.setPayment(world, id, 'paid'),
    failPayment: (id) => life.setPayment(world, id, 'failed'),
    shipDelivery: (id) => life.setDelivery(world, id, 'shipped'),
    editLine: (id, lineId, units) => life.editLine(world, id, lineId, units),
    deleteLine: (id, lineId) => life.deleteLine(world, id, lineId),
    deleteOrder: (id) => life.deleteOrder(world, id),
    adminSetStock(sku, units) {
      const changed = product(sku)
      changed.stock = units
      changed.updatedAt = now()
      const fields = ['versionId', 'stock', 'updatedAt', 'availableStock', 'id']
      worker.emit('product.written', [writtenEntry('product', 'update', changed.id, fields)])
    },
    adminOpenOut(sku) {
      const changed = product(sku)
      changed.closeOut = false
      worker.emit('product.written', [writtenEntry('product', 'update', changed.id, ['versionId', 'isCloseout', 'id'])])
    },
    stockOf: (sku) => product(sku).stock,
    product,
    orders: () => [...world.orders.values()],
    webhooks: () => world.app?.webhooks ?? [],
    cacheClears: () => world.cacheClears,
    worker,
  }
}
