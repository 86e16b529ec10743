/**
 * What happens in the demo: one warehouse, two shops over one pool, and people who buy, hesitate and leave. The actors act and
 * tell what they saw; how it looks is `demo.ts`'s business.
 */
import type { Connector } from './connector.ts'
import type { GatewayOutcome } from './shopware/gateway.ts'
import type { SimulatedShop } from './shopware.ts'
import type { SimulatedWarehouse } from './warehouse.ts'

/** One thing that happened, with the numbers that belong to it. */
export type Scene = {
  readonly who: string
  readonly what: string
  readonly tone: 'calm' | 'good' | 'refused' | 'odd'
  readonly numbers?: Readonly<Record<string, number>>
}

/** Everybody who plays, and how they look at Holdfast. */
export type Stage = {
  readonly warehouse: SimulatedWarehouse
  readonly first: SimulatedShop
  readonly second: SimulatedShop
  readonly connector: Connector
  readonly sku: string
  /** The quantities of a SKU, each by its own name; `available` is one of them. */
  readonly stock: () => Promise<Readonly<Record<string, number>>>
  /** Holds units for a marketplace, through the API; then tells its order. */
  readonly market: { hold(units: number): Promise<void>; place(): Promise<void> }
  /** How many messages wait for a person. */
  readonly deadLetters: () => Promise<number>
  /** Waits so many ms, or rejects when the demo is stopped. */
  readonly pause: (ms: number) => Promise<void>
}

/** The channel that speaks our API only. */
export const MARKET = 'demo-market'
/** Between two scenes, in ms, so that a person can follow. */
const BREATH_MS = 2_500
/** How long the abandoned attempt is waited for, in ms: a shop's orders are certain after a minute. */
const EXPIRY_PATIENCE_MS = 120_000
const LOOK_EVERY_MS = 1_000

/** Plays the story once, scene by scene. */
export async function* play(stage: Stage): AsyncGenerator<Scene> {
  const { warehouse, first, second, connector, sku, pause } = stage
  const seen = async (who: string, what: string, tone: Scene['tone']): Promise<Scene> => {
    await warehouse.settled()
    await pause(BREATH_MS)
    return { who, what, tone, numbers: await stage.stock() }
  }

  warehouse.receive(sku, 6)
  yield await seen(warehouse.name, `six ${sku} arrive and lie on the shelf`, 'calm')

  const looked = basket(first, sku, 2)
  const page = await first.viewPage(looked)
  yield await seen(first.name, `a buyer looks at the confirm page with 2: ${heldWord(page)}`, 'calm')

  yield await seen(first.name, `the same buyer orders: ${outcome(await first.order(looked))}`, 'good')

  await abandon(first, sku, 1)
  const numbers = await stage.stock()
  const broken = 'another one gets a yes for 1, then his payment breaks off: a hold alone'
  yield { who: first.name, what: broken, tone: 'odd', numbers }
  yield await freed(stage, numbers.available ?? 0)

  connector.step()
  for (const order of first.orders()) warehouse.allocate(first.name, order.orderNumber)
  yield await seen(warehouse.name, 'the order reaches the warehouse, which binds 2 units to it', 'calm')

  for (const order of first.orders()) warehouse.ship(first.name, order.orderNumber)
  yield await seen(warehouse.name, 'the parcel leaves: available does not fall a second time', 'good')

  // Put into the basket while there was some: an empty shelf would not let it in.
  const waiting = basket(second, sku, 1)
  const last = (await stage.stock()).available ?? 0
  await stage.market.hold(last)
  // At once, while the shop still shows what the marketplace has just taken.
  const late = await second.order(waiting)
  yield await seen(MARKET, `holds the last ${last} through the API`, 'good')
  yield await seen(second.name, `a buyer wants 1 of them: ${outcome(late)}`, 'refused' in late ? 'refused' : 'odd')
  await stage.market.place()
  yield await seen(MARKET, 'its order is placed: the hold is firm, whenever it is paid', 'good')

  await second.importOrder([{ sku, units: 2 }])
  yield await seen(second.name, 'an ERP writes an order of 2, unasked: a shortage', 'odd')

  warehouse.say({ type: 'stock.level.reported', warehouse: 'unheard-of', sku, net: 'many' })
  await warehouse.settled()
  yield {
    who: warehouse.name,
    what: 'says something that nobody can read: kept as a dead letter',
    tone: 'odd',
    numbers: { 'dead letters': await stage.deadLetters() },
  }

  warehouse.receive(sku, 4)
  yield await seen(warehouse.name, 'four more come: the waiting order is served first', 'good')
}

/** Waits until the clock of the shop's orders has passed an attempt that became none. */
async function freed({ stock, pause }: Stage, before: number): Promise<Scene> {
  // Bounded: a stopped demo ends the pause, and patience ends the wait.
  for (let waitedMs = 0; waitedMs < EXPIRY_PATIENCE_MS; waitedMs += LOOK_EVERY_MS) {
    const numbers = await stock()
    if ((numbers.available ?? 0) > before) {
      return { who: 'Holdfast', what: 'has read every order: the abandoned unit is free again', tone: 'good', numbers }
    }
    await pause(LOOK_EVERY_MS)
  }
  const what = 'still keeps the abandoned unit, for the orders are not all read'
  return { who: 'Holdfast', what, tone: 'odd', numbers: { available: before } }
}

/** A registered buyer with one line. */
export function basket(shop: SimulatedShop, sku: string, units: number): ReturnType<SimulatedShop['newCart']> {
  const cart = shop.newCart()
  shop.addLine(cart, sku, units)
  shop.register(cart)
  return cart
}

/** An order call that gets its yes and then breaks off inside the shop. */
export async function abandon(shop: SimulatedShop, sku: string, units: number): Promise<void> {
  const gates = shop.faults.gates
  shop.faults.gates = { ...gates, beforeCommit: () => Promise.reject(new BrokenOff()) }
  try {
    await shop.order(basket(shop, sku, units))
  } catch (cause) {
    if (!(cause instanceof BrokenOff)) throw cause
  } finally {
    shop.faults.gates = gates ?? {}
  }
}

class BrokenOff extends Error {}

const heldWord = (page: GatewayOutcome): string => {
  if (page.heard !== 'yes') return `nobody answered (${page.heard})`
  return page.errors.some((error) => error.blockOrder) ? 'refused' : 'no objection, nothing held'
}

/** What a buyer hears, in a few words. */
export function outcome(answer: Awaited<ReturnType<SimulatedShop['order']>>): string {
  if ('refused' in answer) return `no: ${answer.messages.join(' ')}`
  return `order ${answer.order.orderNumber} of ${answer.order.lines.reduce((sum, line) => sum + line.units, 0)}`
}
