/**
 * The checkout gateway: what a shop asks before it writes an order, and how we answer.
 *
 * A body is about 40 kB of prices, people and rules. We parse it once, pick named fields and let go of the rest.
 */
import { canonicalSku, isUnits, type Sku, type Units } from '../../core/ids.ts'
import { type CheckoutMessage, checkoutText, type Language, languageOf } from '../../messages.ts'
import { type BuyerInTheClear, buyerOf } from './buyer.ts'
import { decodeUtf8, fieldOf, itemsOf, listOf, parseJson, shopwareId, textOf } from './pick.ts'
import { APP_SIGNATURE, type HeaderValue, signBody } from './signature.ts'

/** One product line of the cart. Lines of one product are not added up. */
export type GatewayLine = {
  /** The cart's id of the line; in the storefront it is the product's id and comes again with the next order. */
  readonly lineId: string
  /**
   * The stamp of our cart script, fresh for each order line; missing where the script did not run. A client of the Store API may
   * set it itself, and may give its line another product afterwards: it tells which line this is, and proves nothing.
   */
  readonly lineKey?: string
  readonly productId: string
  readonly sku: Sku
  readonly units: Units
  /** The product's name as the buyer sees it. */
  readonly label?: string
}

/** One call of the gateway, reduced to what a decision needs. */
export type GatewayCall = {
  readonly shopwareShopId: string
  /** The URL that the calling shop says it has; a staging copy differs here from the shop that registered. */
  readonly sourceUrl: string
  /** Whether this is the call inside order placement (Shopware 6.6.7.0 and later mark it), not a page view. */
  readonly isOrderCall: boolean
  /** Whether it is a page of somebody who is logged in, be it as a guest: the confirm page, or his cart. */
  readonly isConfirmPage: boolean
  /** The order that this cart was made from (edit-order page): such a cart is the order itself, never a new hold. */
  readonly editsOrderId?: string
  readonly isEditOrder: boolean
  /** Whether a person places this order in the administration. */
  readonly isAdminOrder: boolean
  /** Whether the cart already holds an error that stops the order for good: this call can never become an order. */
  readonly cartBlocked: boolean
  /** The buyer's session token in the clear: to be digested at once, never stored or logged. */
  readonly cartToken: string
  /** Who buys and where it goes, in the clear: to be digested at once, never stored or logged. */
  readonly buyer: BuyerInTheClear
  readonly language: Language
  readonly lines: readonly GatewayLine[]
  /** Product lines that name no usable SKU or number of units; an incident, never a reason to fail. */
  readonly unreadableLines: readonly string[]
}

/** Bodies up to this are read: refusing a large one would let its order pass unseen. */
export const MAX_GATEWAY_BYTES = 16 * 1024 * 1024

/**
 * Reads a gateway call whose signature has been verified.
 *
 * @param raw the body as it came
 * @param userLanguage header `sw-user-language`
 * @returns the call, or why an authentic body cannot be one
 */
export function readGatewayCall(
  raw: Uint8Array,
  userLanguage: HeaderValue,
): GatewayCall | { readonly unreadable: string } {
  const text = decodeUtf8(raw)
  if (text === undefined) return { unreadable: 'the body is not UTF-8' }
  const body = parseJson(text)
  const cart = fieldOf(body, 'cart')
  const context = fieldOf(fieldOf(body, 'salesChannelContext'), 'context')
  const source = fieldOf(body, 'source')
  const shopwareShopId = textOf(fieldOf(source, 'shopId'))
  const sourceUrl = textOf(fieldOf(source, 'url'))
  const cartToken = textOf(fieldOf(cart, 'token'))
  if (shopwareShopId === undefined || sourceUrl === undefined) return { unreadable: 'source names no shop' }
  if (cartToken === undefined) return { unreadable: 'the cart has no token' }
  const lineItems = listOf(fieldOf(cart, 'lineItems'))
  if (lineItems === undefined) return { unreadable: 'the cart has no list of lines' }
  const read = readLines(lineItems)
  const states = itemsOf(fieldOf(context, 'states'))
  const editsOrderId = shopwareId(fieldOf(fieldOf(fieldOf(cart, 'extensions'), 'originalId'), 'id'))
  return {
    shopwareShopId,
    sourceUrl,
    isOrderCall: states.includes('checkout-order-route'),
    // Not by the state `logged-in`: only the storefront sets it, and a headless shop asks too.
    isConfirmPage:
      textOf(fieldOf(fieldOf(fieldOf(body, 'salesChannelContext'), 'customer'), 'id')) !== undefined &&
      !states.includes('checkout-order-route'),
    ...(editsOrderId === undefined ? {} : { editsOrderId }),
    isEditOrder: fieldOf(fieldOf(cart, 'extensions'), 'originalId') !== undefined,
    isAdminOrder: fieldOf(fieldOf(context, 'source'), 'type') === 'admin-sales-channel-api',
    cartBlocked: itemsOf(fieldOf(cart, 'errors')).some(stopsForGood),
    cartToken,
    buyer: buyerOf(fieldOf(body, 'salesChannelContext')),
    language: languageOf(userLanguage),
    ...read,
  }
}

/**
 * Whether an error of the cart stops this very call: it blocks, and it is carried over into the calculation from which the order
 * is made. Errors of scripts say both (`blockOrder`, `persistent`). Shopware's own say only `block`; of these, the ones that come
 * with a change of the cart are carried over. Every other one may be gone at the next calculation, so its call is an attempt: a
 * hold too many costs a minute, a hold too few sells a unit twice.
 */
function stopsForGood(error: unknown): boolean {
  if (fieldOf(error, 'blockOrder') !== true && fieldOf(error, 'block') !== true) return false
  const persistent = fieldOf(error, 'persistent')
  if (persistent !== undefined) return persistent === true
  const level = CARRIED_OVER.get(textOf(fieldOf(error, 'messageKey')) ?? '')
  return level !== undefined && level === fieldOf(error, 'level')
}

/** Errors of Shopware's own by which it has changed the cart, with the level that they have then. */
const CARRIED_OVER: ReadonlyMap<string, number> = new Map([
  ['product-out-of-stock', 20],
  ['product-not-found', 20],
  // At level 20 two lines of one product ask for too much, and nothing was changed.
  ['product-stock-reached', 10],
  ['min-order-quantity', 10],
  ['purchase-steps-quantity', 10],
])

/** One command of an answer. The payload's keys are exact: Shopware drops a command that has one more. */
export type GatewayCommand = {
  readonly command: 'add-cart-error'
  readonly payload: { readonly message: string; readonly blocking: boolean; readonly level: 0 | 10 | 20 }
}

/** The commands that refuse a cart, one notice for each message. */
export function refuseCart(language: Language, messages: readonly CheckoutMessage[]): readonly GatewayCommand[] {
  return messages.map((message) => ({
    command: 'add-cart-error',
    payload: { message: checkoutText(language, message), blocking: true, level: ERROR_LEVEL },
  }))
}

/**
 * The signed answer: a bare JSON list. The documented form `{"commands": […]}` is ignored by Shopware without a word, and so
 * is an answer whose signature does not fit its exact bytes. An empty list means no objection.
 */
export function gatewayAnswer(
  commands: readonly GatewayCommand[],
  shopSecret: string,
): { readonly body: string; readonly headers: Readonly<Record<string, string>> } {
  const body = JSON.stringify(commands)
  return { body, headers: { 'content-type': 'application/json', [APP_SIGNATURE]: signBody(body, shopSecret) } }
}

/** Shopware's level of a notice in red. */
const ERROR_LEVEL = 20
/** Nested lines deeper than this are not a cart of Shopware's. */
const MAX_LINE_DEPTH = 8

function readLines(lineItems: readonly unknown[]): Pick<GatewayCall, 'lines' | 'unreadableLines'> {
  const lines: GatewayLine[] = []
  const unreadableLines: string[] = []
  const walk = (items: readonly unknown[], depth: number): void => {
    for (const item of items) {
      if (depth < MAX_LINE_DEPTH) walk(itemsOf(fieldOf(item, 'children')), depth + 1)
      if (fieldOf(item, 'type') !== 'product' || itemsOf(fieldOf(item, 'states')).includes('is-download')) continue
      const line = readLine(item)
      if (line === undefined) unreadableLines.push(textOf(fieldOf(item, 'id')) ?? '')
      else lines.push(line)
    }
  }
  walk(lineItems, 0)
  return { lines, unreadableLines }
}

function readLine(item: unknown): GatewayLine | undefined {
  const payload = fieldOf(item, 'payload')
  const lineId = textOf(fieldOf(item, 'id'))
  const productId = shopwareId(fieldOf(item, 'referencedId'))
  const number = textOf(fieldOf(payload, 'productNumber'))
  const units = fieldOf(item, 'quantity')
  const named = number === undefined ? undefined : canonicalSku(number)
  if (lineId === undefined || productId === undefined || named === undefined || !('sku' in named)) return undefined
  if (!isUnits(units) || units === 0) return undefined
  const lineKey = lineKeyOf(payload)
  const label = textOf(fieldOf(item, 'label'))
  return {
    lineId,
    ...(lineKey === undefined ? {} : { lineKey }),
    productId,
    sku: named.sku,
    units,
    ...(label === undefined ? {} : { label }),
  }
}

/** The stamp inside a line's payload, if it looks like one of ours: 8 to 128 letters, digits and hyphens. */
export function lineKeyOf(payload: unknown): string | undefined {
  const key = fieldOf(payload, 'holdfastKey')
  return typeof key === 'string' && /^[A-Za-z0-9-]{8,128}$/.test(key) ? key : undefined
}
