/** Webhooks are hints: which orders or products to look at. Nothing else of a body is kept, least of all a person. */
import { decodeUtf8, fieldOf, itemsOf, listOf, parseJson, shopwareId, textOf } from './pick.ts'
import { secondsToMs } from './signature.ts'

/** A product that was written, with the names of the fields that the write touched. */
export type WrittenProduct = { readonly productId: string; readonly updatedFields: readonly string[] }

/**
 * Whether the stock was certainly written by somebody else: each write of ours carries our revision, a custom field, along. An
 * order moves the stock too, but sends no such webhook. Who writes custom fields as well cannot be told from us by this.
 */
export const isForeignStock = ({ updatedFields }: WrittenProduct): boolean =>
  updatedFields.includes('stock') && !updatedFields.includes('customFields')

/** A webhook reduced to what may be kept. */
export type Webhook = {
  readonly shopwareShopId: string
  /** The URL that the sending shop says it has; a staging copy differs here. */
  readonly sourceUrl: string
  /** Stable over Shopware's retries: the key against doubles. Missing in no version we know, so none is no webhook. */
  readonly eventId: string
  /** Shopware's name of the event, such as `order.written`. */
  readonly event: string
  /** When this attempt was sent, in ms, on the shop's clock. */
  readonly sentAt: number
  readonly kind: 'order' | 'product' | 'lifecycle' | 'ignored'
  /** Why nothing follows from it, where `kind` is `ignored`. */
  readonly ignoredBecause?: string
  readonly orderIds: readonly string[]
  readonly products: readonly WrittenProduct[]
}

/** The version of an entity that is sold from; every other one is a draft. */
const LIVE_VERSION = '0fa91ce3e96a4bc2be4bd9ce752c3425'

/**
 * Reduces a webhook whose signature has been verified.
 *
 * @returns the reduced webhook, or why an authentic body is none: such a one is answered 2xx and goes to the dead letters
 */
export function reduceWebhook(raw: Uint8Array): Webhook | { readonly unreadable: string } {
  const text = decodeUtf8(raw)
  if (text === undefined) return { unreadable: 'the body is not UTF-8' }
  const body = parseJson(text)
  if (body === undefined) return { unreadable: 'the body is not JSON' }
  const source = fieldOf(body, 'source')
  const shopwareShopId = textOf(fieldOf(source, 'shopId'))
  const sourceUrl = textOf(fieldOf(source, 'url'))
  const eventId = textOf(fieldOf(source, 'eventId'))
  const event = textOf(fieldOf(fieldOf(body, 'data'), 'event'))
  const sentAt = secondsToMs(fieldOf(body, 'timestamp'))
  if (shopwareShopId === undefined || sourceUrl === undefined) return { unreadable: 'source names no shop' }
  if (eventId === undefined) return { unreadable: 'source.eventId is missing' }
  if (event === undefined) return { unreadable: 'data.event is missing' }
  if (sentAt === undefined) return { unreadable: 'timestamp is not a number of seconds' }
  return {
    shopwareShopId,
    sourceUrl,
    eventId,
    event,
    sentAt,
    ...effectOf(event, fieldOf(fieldOf(body, 'data'), 'payload')),
  }
}

type Effect = Pick<Webhook, 'kind' | 'ignoredBecause' | 'orderIds' | 'products'>

const ignored = (ignoredBecause: string): Effect => ({ kind: 'ignored', ignoredBecause, orderIds: [], products: [] })

function effectOf(event: string, payload: unknown): Effect {
  if (event.startsWith('app.') || event === 'shopware.updated') return { kind: 'lifecycle', orderIds: [], products: [] }
  if (event === 'order.written' || event === 'order.deleted') {
    const orderIds = liveEntities(payload, 'order').map((entity) => entity.id)
    return orderIds.length === 0
      ? ignored('it names no order in its live version')
      : { kind: 'order', orderIds, products: [] }
  }
  if (event === 'product.written' || event === 'product.deleted') {
    const products = liveEntities(payload, 'product').map(({ id, updatedFields }) => ({ productId: id, updatedFields }))
    return products.length === 0
      ? ignored('it names no product in its live version')
      : { kind: 'product', orderIds: [], products }
  }
  if (event.startsWith('checkout.order.') || event.startsWith('state_enter.') || event.startsWith('state_leave.')) {
    const orderId = shopwareId(fieldOf(fieldOf(payload, 'order'), 'id'))
    return orderId === undefined ? ignored('it carries no order') : { kind: 'order', orderIds: [orderId], products: [] }
  }
  return ignored('we do not know this event')
}

function liveEntities(payload: unknown, entity: string): { id: string; updatedFields: string[] }[] {
  const found = new Map<string, Set<string>>()
  for (const row of listOf(payload) ?? []) {
    if (fieldOf(row, 'entity') !== entity) continue
    const version = fieldOf(row, 'versionId')
    if (version !== undefined && version !== null && version !== LIVE_VERSION) continue
    const key = fieldOf(row, 'primaryKey')
    const id = shopwareId(key) ?? shopwareId(fieldOf(key, 'id'))
    if (id === undefined) continue
    const fields = found.get(id) ?? new Set()
    for (const field of itemsOf(fieldOf(row, 'updatedFields'))) {
      const name = textOf(field)
      if (name !== undefined) fields.add(name)
    }
    found.set(id, fields)
  }
  return [...found].map(([id, updatedFields]) => ({ id, updatedFields: [...updatedFields] }))
}
