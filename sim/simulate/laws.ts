/** What must hold once everything is known. First what can be seen from outside alone, then what Holdfast says of itself. */
import { wholeState } from '../../src/adapters/memory/load.ts'
import { demandAt, type MemoryStore, orderKey } from '../../src/adapters/memory/store.ts'
import { isHeld, isLive, isOpen } from '../../src/core/demand.ts'
import { shopOf, skuOf } from '../../src/core/ids.ts'
import { type Change, emptyState, evolve, shelfCount, shopCount } from '../../src/core/stock.ts'
import { onShelves, oughtToShow, owed, shippedOf } from './truth.ts'
import type { World } from './world.ts'

/** After a calm: every shop shows what is true, every order line is counted once, nothing is held or forgotten. */
export function checkCalm(world: World): void {
  checkShown(world)
  checkAcknowledged(world)
  checkLines(world)
  checkIncidents(world)
  checkNothingHeld(world)
  checkInside(world.store, (law, detail) => world.breaks(law, detail, false))
}

/** @param except numbers, as shop/SKU, that only a comparison will find */
export function checkShown(world: World, except: ReadonlySet<string> = new Set()): void {
  for (const shop of world.shops) {
    for (const sku of world.shape.skus) {
      const { stock: shown, closeOut } = shop.productOf(sku)
      if (!closeOut) world.breaks('closed out', `${shop.id} sells ${sku} beyond its number while nobody answers`)
      const ought = oughtToShow(world, shop, sku)
      if (Math.max(0, shown) === ought || except.has(`${shop.id}/${sku}`)) continue
      const law = shown > ought ? 'shows too much' : 'unit lost'
      world.breaks(law, `${shop.id} shows ${shown} ${sku}, and ${ought} may be sold`)
    }
  }
}

/** What was answered 202 has been worked off, unless it speaks of an order that no shop has any more. */
function checkAcknowledged({ store, sources, breaks }: World): void {
  for (const { name, acknowledged } of sources) {
    for (const id of acknowledged) {
      const row = store.inboxByName.get(`${name}\u001f${id}`)
      const isDead = (): boolean => store.deadLetters.some((letter) => letter.messageId.startsWith(id))
      if (!row && !isDead()) breaks('acknowledged', `message ${id} was answered 202 and is gone`)
      else if (row?.state === 'pending' && row.verdict !== 'unknown-order')
        breaks('acknowledged', `message ${id} was answered 202 and nothing came of it: ${row.raw}`)
    }
  }
  for (const { messageId, reason, raw } of store.deadLetters)
    breaks('acknowledged', `message ${messageId} became a dead letter: ${reason}: ${raw}`)
}

/** Each line of each order is counted exactly once: what is live for it and what has left add up to what is wanted. */
function checkLines(world: World): void {
  const check = (shop: string, orderId: string, state: string, line: string, sku: string, units: number): void => {
    // Who never says "shipped" is believed to have shipped what the shop calls complete.
    const left = world.shape.sources.some(({ dialect }) => dialect === 'flat')
      ? state === 'completed'
        ? units
        : 0
      : shippedOf(world, line)
    const wanted = state === 'cancelled' ? 0 : Math.max(0, units - left)
    let counted = 0
    for (const place of world.store.byOrder.get(orderKey(shopOf(shop), orderId)) ?? []) {
      const demand = demandAt(place)
      if (demand.orderLine?.lineId === line && isLive(demand) && demand.phase !== 'shipped') counted += demand.units
    }
    if (counted !== wanted)
      world.breaks(
        'counted once',
        `line ${line} of ${shop} ${orderId}: ${wanted} ${sku} are owed, ${counted} are counted`,
      )
  }
  for (const { world: shop } of world.shops)
    for (const { id, state, lines } of shop.orders.values())
      for (const line of lines) check(shop.name, id, state, line.id, String(line.payload.productNumber), line.units)
  for (const { channel, orderNumber, state, lines } of world.channelOrders())
    for (const { line, sku, units } of lines) check(channel, orderNumber, state, line, sku, units)
}

/** What is missing has an incident, and what is not missing has none. */
function checkIncidents(world: World): void {
  for (const sku of world.shape.skus) {
    const deficit = Math.max(0, owed(world, sku) - onShelves(world, sku))
    const told = [...world.store.incidents.values()].filter((each) => each.code === 'SHORTAGE' && each.sku === sku)
    const units = told.reduce((sum, each) => sum + (each.units ?? 0), 0)
    // A figure below its pegs may be those very units leaving (law L3): as long as it may be so, nobody is told.
    const mayLeave = world.sources.reduce((sum, source) => sum + unallocated(source, sku), 0)
    if (deficit > mayLeave && told.length === 0)
      world.breaks('shortage told', `${deficit} ${sku} are missing and nobody was told`)
    // Where no word tells what an order got, a shortage is settled by the next goods, not before.
    const isWordless = world.shape.sources.some(({ dialect }) => dialect === 'flat')
    if (deficit === 0 && told.length > 0 && !isWordless)
      world.breaks('shortage settled', `${units} ${sku} are told missing and none is: ${JSON.stringify(told)}`)
  }
}

const unallocated = (source: World['sources'][number], sku: string): number =>
  source
    .lines()
    .reduce(
      (sum, { line }) =>
        sum + (line.sku === sku ? Math.max(0, line.units - line.cancelled - line.shipped - line.allocated) : 0),
      0,
    )

function checkNothingHeld({ store, breaks }: World): void {
  for (const table of store.skusById) {
    for (const no of table.live) {
      const demand = demandAt({ table, no })
      if (isHeld(demand))
        breaks('held for ever', `${demand.units} ${table.sku} of ${demand.reservation} are still held`)
    }
  }
}

/** The counters are what a recount finds, and the state is the fold of the ledger. */
export function checkInside(store: MemoryStore, breaks: (law: string, detail: string) => void): void {
  const ledger = Map.groupBy(store.ledger, ({ stream }) => stream)
  for (const table of store.skusById) {
    const folded = emptyState(table.sku)
    for (const { body } of ledger.get(`sku:${table.sku}`) ?? [])
      for (const change of (body as { changes: readonly Change[] }).changes) evolve(folded, change)
    const state = wholeState(store, table)
    const differ = (what: string, a: unknown, b: unknown): void => {
      if (JSON.stringify(a) !== JSON.stringify(b))
        breaks('fold', `${table.sku} ${what}: kept ${JSON.stringify(a)}, folded ${JSON.stringify(b)}`)
    }
    const sorted = (demands: ReadonlyMap<number, unknown>) => [...demands].sort(([a], [b]) => a - b)
    differ('demands', sorted(table.demands), sorted(folded.demands))
    differ('shelves', [...state.shelves], [...folded.shelves])
    for (const warehouse of state.shelves.keys()) {
      const live = [...state.demands.values()].filter(
        ({ supply }) => supply.kind === 'on-hand' && supply.warehouse === warehouse,
      )
      const sum = (wanted: (demand: (typeof live)[number]) => boolean): number =>
        live.reduce((all, each) => all + (wanted(each) ? each.units : 0), 0)
      const recount = {
        pegged: sum(({ contained }) => !contained),
        contained: sum(({ contained }) => contained),
      }
      differ(`counters of ${warehouse}`, shelfCount(state, warehouse), recount)
    }
    const shops = new Set([...state.demands.values()].map(({ shop }) => shop))
    for (const shop of shops) {
      const live = [...state.demands.values()].filter((demand) => demand.shop === shop)
      const sum = (wanted: (demand: (typeof live)[number]) => boolean): number =>
        live.reduce((all, each) => all + (wanted(each) ? each.units : 0), 0)
      differ(`counters of ${shop}`, shopCount(state, shop), {
        open: sum(isOpen),
        shortage: sum(({ supply }) => supply.kind === 'shortage'),
        untracked: sum(({ supply }) => supply.kind === 'untracked'),
        inbound: sum(({ supply }) => supply.kind === 'inbound'),
      })
    }
  }
}

/** What a shop shows can be bought whole, and not one unit more. */
export async function checkBuying(world: World): Promise<void> {
  const holdfast = world.holdfast()
  if (!holdfast) return
  const ask = async (shop: World['shops'][number], sku: string, units: number, key: string): Promise<boolean> => {
    const answer = holdfast.checkout(shop.id, {
      isOrderCall: true,
      isEditOrder: false,
      cartBlocked: false,
      basket: new Uint8Array(),
      lines: [{ sku: skuOf(sku), units, lineKey: key }],
    })
    let objections: number | undefined
    answer.then((heard) => (objections = heard.objections.length)).catch(() => undefined)
    await world.timeline.runUntil(world.timeline.now() + 6_000)
    if (objections === undefined) world.breaks('answered', `${shop.id} asked for ${units} ${sku} and heard nothing`)
    return objections === 0
  }
  for (const [index, sku] of world.shape.skus.entries()) {
    const shop = world.shops[(world.shape.seed + index) % world.shops.length]
    if (!shop) continue
    const shown = shop.productOf(sku).stock
    const isShared = world.shape.rules.shops.get(shop.id)?.whenSilent === 'shared'
    if (shown > 0 && !(await ask(shop, sku, shown, `probe-all-${sku}`)))
      world.breaks('rightly refused', `${shop.id} shows ${shown} ${sku}, and a buyer who wants them is refused`)
    if (isShared && (await ask(shop, sku, 1, `probe-more-${sku}`)))
      world.breaks('oversold', `${shop.id} showed ${Math.max(0, shown)} ${sku}, all are held, and one more is granted`)
  }
}
