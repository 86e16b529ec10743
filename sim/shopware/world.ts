/** What a simulated shop knows: products, carts, orders and the installed app. */
import { createHmac } from 'node:crypto'
import type { Random } from '../random.ts'
import type { GatewayOutcome, GatewayView } from './gateway.ts'
import type { JsonObject } from './json.ts'

/** A product as the merchant keeps it. `stock` is what Shopware sells from; it may fall below 0. */
export type Product = {
  readonly id: string
  readonly sku: string
  readonly name: string
  stock: number
  closeOut: boolean
  customFields: JsonObject
  readonly createdAt: number
  updatedAt: number | null
}

/** A line of a cart; its stamp is written by the cart script. */
export type CartLine = { readonly id: string; readonly productId: string; units: number; payload: JsonObject }

/** A buyer's basket. The token outlives the order. */
export type Cart = {
  token: string
  registered: boolean
  lines: CartLine[]
  readonly language: 'de-DE' | 'en-GB'
  email?: string
}

/** A part of an order with its own moments. */
export type Stateful = { readonly id: string; state: string; readonly createdAt: number; updatedAt: number | null }

/** A line of an order; `identifier` is the id of the cart's line. */
export type OrderLine = {
  readonly id: string
  readonly identifier: string
  readonly productId: string
  readonly label: string
  units: number
  readonly payload: JsonObject
  readonly createdAt: number
  updatedAt: number | null
}

/** An order as its rows are. */
export type Order = {
  readonly id: string
  readonly autoIncrement: number
  readonly orderNumber: string
  state: 'open' | 'in_progress' | 'completed' | 'cancelled'
  readonly createdAt: number
  /** `null` on a fresh order; payments, deliveries and edited lines leave it alone. */
  updatedAt: number | null
  lines: OrderLine[]
  readonly transaction: Stateful
  readonly delivery: Stateful
}

/** A webhook of the installed app. */
export type Webhook = {
  readonly id: string
  readonly name: string
  readonly eventName: string
  url: string
  active: boolean
  errorCount: number
}

/** One row of the webhook event log; its id is the event's. */
export type WebhookLog = {
  readonly id: string
  readonly webhookName: string
  readonly eventName: string
  deliveryStatus: 'queued' | 'success' | 'failed'
  responseStatusCode: number | null
  requestContent: JsonObject
  readonly createdAt: number
}

/** The app as the shop has it after the handshake. */
export type InstalledApp = {
  readonly name: string
  readonly version: string
  readonly gatewayUrl: string
  readonly secret: string
  readonly apiKey: string
  readonly secretKey: string
  webhooks: Webhook[]
}

/** Places where a test may stop the shop, or make it lose its way; all pass at once if absent. */
export type Gates = {
  /** After the stock check, before the gateway: the gap in which Shopware races with itself. */
  afterCheck?: () => Promise<void>
  /** After the running number was given out, before the order can be read: numbers then appear out of order. */
  beforeCommit?: (order: Order) => Promise<void>
  /** After the order's commit, before a line's decrement; `'lost'` when the process died there. */
  // biome-ignore lint/suspicious/noConfusingVoidType: a gate that says nothing lets pass
  beforeDecrement?: (order: Order, line: OrderLine) => Promise<'lost' | void>
}

/** Faults of a shop; each may be changed while it runs. */
export type ShopFaults = {
  /** Probability that a webhook is never sent. */
  loseWebhooks?: number
  /** Probability that a webhook is sent after the next one. */
  reorderWebhooks?: number
  /** How many of the next sync requests break off with a deadlock. */
  deadlocks?: number
  /** The Admin API answers 503: the shop sells, and nobody can read or write it. */
  adminApiAway?: boolean
  /** Its `APP_URL` is this since the installation: it lets every checkout fail. */
  movedTo?: string | undefined
  gates?: Gates
}

/** Everything a shop's parts share. */
export type World = {
  readonly name: string
  url: string
  shopId: string
  readonly random: Random
  readonly now: () => number
  readonly pause: (ms: number) => Promise<void>
  readonly faults: ShopFaults
  readonly products: Map<string, Product>
  readonly carts: Map<string, Cart>
  readonly orders: Map<string, Order>
  readonly log: WebhookLog[]
  lastNumber: number
  /** How often its page cache was cleared. */
  cacheClears: number
  app: InstalledApp | undefined
  /** Asks the app about a cart without a network; over HTTP if absent. */
  readonly ask?: (cart: Cart, view: GatewayView, timeoutMs: number) => Promise<GatewayOutcome>
  /** Sends an event to the app's webhooks that listen to it. */
  emit: (event: string, payload: unknown) => void
}

/** HMAC-SHA256 in hex, as every signature of the app system. */
export const sign = (text: string, secret: string): string => createHmac('sha256', secret).update(text).digest('hex')

/** The headers of everything that a shop sends to its app. */
export const shopHeaders = (language = 'en-GB'): Readonly<Record<string, string>> => ({
  'user-agent': 'GuzzleHttp/7',
  'content-type': 'application/json',
  'sw-version': '6.6.7.1',
  'sw-context-language': '2fbb5fe2e29a4d70aa5854ce7ce3e20b',
  'sw-user-language': language,
})

/** The version id of everything live. */
export const LIVE_VERSION = '0fa91ce3e96a4bc2be4bd9ce752c3425'

/** The product of an id; throws where the shop has none. */
export function productOf(world: World, id: string): Product {
  const product = world.products.get(id)
  if (product === undefined) throw new Error(`shop ${world.name} has no product ${id}`)
  return product
}

/** The order of an id; throws where the shop has none. */
export function orderById(world: World, id: string): Order {
  const order = world.orders.get(id)
  if (order === undefined) throw new Error(`shop ${world.name} has no order ${id}`)
  return order
}
