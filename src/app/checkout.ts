/**
 * The answer to a shop that asks before it writes an order. One hold for each order call, decided by the lane within a budget;
 * when that is over, or while we cannot know what the shop sold without us, the shop's own policy answers (L2).
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type Buyer, hasCaps } from '../core/cap.ts'
import type { Configuration, ShopRules } from '../core/configuration.ts'
import type { ReleaseCommand } from '../core/decide.ts'
import { type HoldCommand, type HoldRefusal, unitsBySku } from '../core/hold.ts'
import { type Instant, instantOf, type ShopId, type Sku, type Units } from '../core/ids.ts'
import { lineInUnits, type Pack } from '../core/pack.ts'
import { availabilityOf } from '../core/sellable.ts'
import type { SkuState } from '../core/stock.ts'
import type { Lane, Origin } from './lane.ts'
import { isUnread, type ShopStatus } from './shop-ports.ts'

/** A call reduced to what a decision needs. */
export type CheckoutCall = {
  /** Inside order placement, not a page view. */
  readonly isOrderCall: boolean
  /** The page of somebody who is logged in, be it as a guest: a cart or confirm page. */
  readonly isConfirmPage?: boolean
  /** A person orders in the administration. */
  readonly isAdminOrder?: boolean
  /** The cart of an order that exists already. */
  readonly isEditOrder: boolean
  /** The cart holds an error that stops the order for good: this call can never become one. */
  readonly cartBlocked: boolean
  /** HMAC of the cart token. */
  readonly basket: Uint8Array
  /** Digests by which the buyer is known again; nobody where nothing is known of him. */
  readonly buyer?: Buyer
  readonly lines: readonly {
    readonly sku: Sku
    readonly units: Units
    readonly lineKey?: string
    readonly label?: string
    /** The product, where it is not just one unit of the SKU that is its number. */
    readonly product?: Pack
  }[]
}

/** What the buyer is told; empty: no objection. */
export type Objection =
  | { readonly key: 'NOT_ENOUGH'; readonly leftUnits: Units; readonly label?: string }
  | { readonly key: 'CAP_REACHED'; readonly capUnits: Units; readonly leftUnits: Units; readonly label?: string }
  | { readonly key: 'ORDER_BEING_PLACED' }
  | { readonly key: 'PREVIOUS_ATTEMPT_OPEN'; readonly seconds: number }
  | { readonly key: 'UNDECIDED' }

/** How an order call ended; for metrics. */
export type CheckoutOutcome =
  | 'granted'
  | 'refused'
  | 'undecided-blocked'
  | 'undecided-allowed'
  | 'looked'
  | 'nothing-to-hold'

export type CheckoutPorts = {
  readonly lane: Lane
  readonly rules: () => Configuration
  readonly status: (shop: ShopId) => ShopStatus | undefined
  /** What the shop last showed, from this process's memory: known even with the database away. */
  readonly lastShown: (shop: ShopId, sku: Sku) => number | undefined
  /** The most that an answer may take; {@link ANSWER_WITHIN_MS} if absent. */
  readonly answerWithinMs?: number
  /** Takes a command that must get into the lane, later if need be: the shop has had its answer. */
  readonly afterAnswer: (command: HoldCommand | ReleaseCommand, origin: Origin) => void
  readonly states: (skus: readonly Sku[]) => Promise<readonly SkuState[]>
  /** The moment on the database's clock. */
  readonly now: () => Promise<Instant>
  /** The shop asked, be it for a page: its calls reach us, so a silence that waited for this is over. */
  readonly onCall: (shop: ShopId) => void
  /** Names an attempt; a random UUID if absent. */
  readonly newId?: () => string
  /** Waits so many ms, or until it is called off; real time if absent. Never rejects. */
  readonly pause?: (ms: number, calledOff: AbortSignal) => Promise<void>
}

/** Shopware goes on by itself after 5 s; we have answered long before. */
export const ANSWER_WITHIN_MS = 2_500
/** A page view is only a courtesy: it waits less. */
const LOOK_WITHIN_MS = 800

const realPause = (ms: number, signal: AbortSignal): Promise<void> =>
  delay(ms, undefined, { signal }).catch(() => undefined)

export async function answerCheckout(
  ports: CheckoutPorts,
  shop: ShopId,
  asked: CheckoutCall,
): Promise<{ readonly outcome: CheckoutOutcome; readonly objections: readonly Objection[] }> {
  ports.onCall(shop)
  const call: CheckoutCall = { ...asked, lines: asked.lines.map((line) => lineInUnits(ports.rules(), shop, line)) }
  if (call.isEditOrder || call.cartBlocked || call.lines.length === 0 || isReleased(ports, shop))
    return { outcome: 'nothing-to-hold', objections: [] }
  const rules = ports.rules().shops.get(shop)
  const origin = { actor: `shop:${shop}`, cause: 'checkout', basket: call.basket }
  // Where nothing is capped, nobody is remembered.
  const buyer = call.buyer && hasCaps(rules) ? { buyer: call.buyer } : {}
  const page = `page-${Buffer.from(call.basket).toString('hex')}`
  if (!call.isOrderCall) {
    const pageForMs = rules?.confirmHoldMs
    if (pageForMs === undefined || call.isConfirmPage !== true || mustNotDecide(ports, shop))
      return { outcome: 'looked', objections: await look(ports, shop, call) }
    const command = { kind: 'hold', shop, reservation: page, via: 'gateway', mode: 'all', pageForMs, ...buyer } as const
    return holdPage(ports, { ...command, lines: call.lines }, origin, call)
  }
  const hold = {
    kind: 'hold',
    shop,
    reservation: `call-${(ports.newId ?? randomUUID)()}`,
    via: 'gateway',
    mode: 'all',
    ...buyer,
    ...(rules?.confirmHoldMs === undefined ? {} : { takesOver: page }),
  } as const
  if (mustNotDecide(ports, shop)) {
    const answer = undecided(ports, shop, call)
    if (answer.outcome === 'undecided-allowed') ports.afterAnswer({ ...hold, lines: call.lines, saidYes: true }, origin)
    return answer
  }
  if (call.isAdminOrder && rules?.adminOrders === 'allow') {
    // A person of the merchant's has decided: it is a fact, and takes any unit that there is.
    ports.afterAnswer({ ...hold, lines: call.lines, saidYes: true }, origin)
    return { outcome: 'granted', objections: [] }
  }
  const decided = ports.lane.submit({ ...hold, lines: call.lines }, origin, 'checkout').catch(() => undefined)
  const timer = new AbortController()
  const answer = await Promise.race([
    decided,
    (ports.pause ?? realPause)(ports.answerWithinMs ?? ANSWER_WITHIN_MS, timer.signal).then(() => undefined),
  ])
  timer.abort()
  if (answer === undefined) {
    const instead = undecided(ports, shop, call)
    void decided.then((late) => {
      const isHeld = late?.granted === true
      // Without a yes no order can come, and with one it may: what the lane says now is made to fit what the shop was told.
      if (instead.outcome === 'undecided-blocked' && isHeld)
        ports.afterAnswer({ kind: 'release', shop, reservation: hold.reservation }, origin)
      if (instead.outcome === 'undecided-allowed' && !isHeld)
        ports.afterAnswer({ ...hold, lines: call.lines, saidYes: true }, origin)
    })
    return instead
  }
  if (answer.granted) return { outcome: 'granted', objections: [] }
  return { outcome: 'refused', objections: objectionsTo(answer.refusal, call) }
}

/** A shop that we have left, or are leaving, may still ask: it goes by its own numbers again. */
function isReleased(ports: CheckoutPorts, shop: ShopId): boolean {
  const state = ports.status(shop)?.state
  return state === 'releasing' || state === 'gone' || state === 'retired'
}

/**
 * Not connected yet, or back from a silence and not yet read: what the shop sold meanwhile is unknown. What other unread shops
 * may have sold is the lane's business: it counts what they last showed as sold.
 */
function mustNotDecide(ports: CheckoutPorts, shop: ShopId): boolean {
  const status = ports.status(shop)
  return status?.state !== 'connected' || isUnread(status)
}

/** The shop's policy `whenUndecided`: small numbers are blocked, because there the race would be lost. */
function undecided(ports: CheckoutPorts, shop: ShopId, call: CheckoutCall) {
  const rules: ShopRules | undefined = ports.rules().shops.get(shop)
  // A SKU that was never shown by us is none of ours.
  const small = call.lines.some(
    ({ sku, product }) =>
      (ports.lastShown(shop, product?.sku ?? sku) ?? Number.MAX_SAFE_INTEGER) < (rules?.undecidedBelowUnits ?? 0),
  )
  if (rules?.whenUndecided === 'block' && small) {
    return { outcome: 'undecided-blocked' as const, objections: [{ key: 'UNDECIDED' as const }] }
  }
  return { outcome: 'undecided-allowed' as const, objections: [] }
}

/**
 * A page view that holds, by policy. What it cannot hold it says, as the order call would; when it cannot know in time it says
 * nothing, and a hold that comes later ends by itself.
 */
async function holdPage(ports: CheckoutPorts, command: HoldCommand, origin: Origin, call: CheckoutCall) {
  const timer = new AbortController()
  const answer = await Promise.race([
    ports.lane.submit(command, origin, 'checkout').catch(() => undefined),
    (ports.pause ?? realPause)(LOOK_WITHIN_MS, timer.signal).then(() => undefined),
  ])
  timer.abort()
  const objections = answer === undefined || answer.granted ? [] : objectionsTo(answer.refusal, call)
  return { outcome: 'looked' as const, objections }
}

/** A page view: says early what the order call would say, and holds nothing. When it cannot know, it says nothing. */
async function look(ports: CheckoutPorts, shop: ShopId, call: CheckoutCall): Promise<readonly Objection[]> {
  const asked = unitsBySku(call.lines)
  const timer = new AbortController()
  const patience = (ports.pause ?? realPause)(LOOK_WITHIN_MS, timer.signal).then(() => [])
  const states = await Promise.race([ports.states([...asked.keys()]).catch(() => []), patience])
  timer.abort()
  // Only what is sold ahead depends on the day.
  const isAhead = states.some(({ inbound }) => inbound.size > 0)
  const now = isAhead ? await ports.now().catch(() => undefined) : instantOf(0)
  if (now === undefined) return []
  return states.flatMap((state) => {
    const { tracked, sellableUnits } = availabilityOf(state, ports.rules(), shop, now)
    const keys = new Set(call.lines.flatMap(({ lineKey }) => lineKey ?? []))
    const his = [...state.demands.values()].reduce(
      (sum, demand) =>
        sum + (demand.phase === 'held' && demand.lineKey !== undefined && keys.has(demand.lineKey) ? demand.units : 0),
      0,
    )
    const units = asked.get(state.sku) ?? 0
    return tracked && units > sellableUnits + his ? [notEnough(call, state.sku, sellableUnits + his)] : []
  })
}

function objectionsTo(refusal: HoldRefusal, call: CheckoutCall): readonly Objection[] {
  switch (refusal.kind) {
    case 'ORDER_BEING_PLACED':
      return [{ key: 'ORDER_BEING_PLACED' }]
    case 'PREVIOUS_ATTEMPT_OPEN':
      return [{ key: 'PREVIOUS_ATTEMPT_OPEN', seconds: refusal.secondsLeft }]
    case 'CAP_REACHED':
      return refusal.caps.map(({ sku, capUnits, leftUnits }) => ({
        key: 'CAP_REACHED',
        capUnits: inProducts(call, sku, capUnits),
        leftUnits: inProducts(call, sku, leftUnits),
        ...labelOf(call, sku),
      }))
    case 'NOT_ENOUGH':
      return refusal.lines.map(({ sku, sellableUnits }) => notEnough(call, sku, sellableUnits))
  }
}

function notEnough(call: CheckoutCall, sku: Sku, leftUnits: Units): Objection {
  return { key: 'NOT_ENOUGH', leftUnits: inProducts(call, sku, leftUnits), ...labelOf(call, sku) }
}

/** A buyer counts what lies in his cart: whole packs. */
const inProducts = (call: CheckoutCall, sku: Sku, units: Units): Units =>
  Math.floor(units / (call.lines.find((line) => line.sku === sku)?.product?.units ?? 1))

function labelOf(call: CheckoutCall, sku: Sku): { readonly label?: string } {
  const label = call.lines.find((line) => line.sku === sku)?.label
  return label === undefined ? {} : { label }
}
