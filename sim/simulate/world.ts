/** A whole world of one seed: shops, warehouses, channels, and Holdfast between them; and everything that is made to happen in it. */

import { shopBookOn } from '../../src/adapters/memory/shop-book.ts'
import { type MemoryStore, memoryStore } from '../../src/adapters/memory/store.ts'
import { instantOf, type ShopId, shopOf, skuOf, warehouseOf } from '../../src/core/ids.ts'
import { Failure } from '../../src/errors.ts'
import { writtenEntry } from '../shopware/bodies.ts'
import * as checkout from '../shopware/checkout.ts'
import * as life from '../shopware/order-life.ts'
import type { Cart, Order } from '../shopware/world.ts'
import { bookOf, ownAllocated } from '../warehouse/book.ts'
import { openChannels } from './channel.ts'
import { type Holdfast, startHoldfast } from './holdfast.ts'
import { type Attempt, judgeOf } from './judge.ts'
import { knownOf, type Lines } from './known.ts'
import { chosenFrom, noiseOf } from './noise.ts'
import type { Operation } from './operations.ts'
import { sightings } from './rare.ts'
import { refusalsOf } from './refusals.ts'
import type { Shape } from './shape.ts'
import { type Heard, openShop, type SimulatedShop } from './shop.ts'
import { bookLine, doorsOf, openSource, type SimulatedSource } from './supply.ts'
import { timelineFrom } from './timeline.ts'
import { traceOf } from './trace.ts'
import { type Outside, onShelves, shippedOf } from './truth.ts'
import { watcher } from './watch.ts'
import { weatherOn } from './weather.ts'

/** A law that did not hold. `outside`: it can be seen without looking into Holdfast. */
export type Broken = { readonly law: string; readonly detail: string; readonly at: number; readonly isOutside: boolean }

export type World = Outside & {
  readonly store: MemoryStore
  readonly broken: readonly Broken[]
  readonly breaks: (law: string, detail: string, isOutside?: boolean) => void
  readonly rare: ReturnType<typeof sightings>
  readonly trace: ReturnType<typeof traceOf>
  readonly timeline: ReturnType<typeof timelineFrom>
  readonly holdfast: () => Holdfast | undefined
  perform(operation: Operation): void
  /**
   * Ends all faults, lets everything arrive, and waits until Holdfast can know all of it. `onQuiet` comes before numbers that
   * nobody has looked at for long are compared: by then all are right, except those that somebody else wrote.
   */
  calm(onQuiet?: (except: ReadonlySet<string>) => void): Promise<void>
  /** Faults again. */
  stormy(): void
}

/** Where the clock of every world begins: a Tuesday. */
const BEGIN = Date.UTC(2026, 2, 3, 8)
/** A calm lasts longer than any rest of Holdfast: numbers that nobody has looked at are compared after five minutes. */
const CALM_MS = 340_000

/** Opens a world and lets it get ready: the first figures are in, the shops are connected. */
export async function openWorld(
  shape: Shape,
  options: { readonly keepTrace?: boolean; readonly isOutsideOnly?: boolean } = {},
): Promise<World> {
  const timeline = timelineFrom(BEGIN)
  const { now } = timeline
  const noise = (place: string) => noiseOf(shape.seed, place, now)
  const chance = noise('world')
  const weather = weatherOn(now)
  const rare = sightings()
  const trace = traceOf(now, BEGIN, options.keepTrace ?? false)
  const store = memoryStore(() => instantOf(now()))
  const broken: Broken[] = []
  const breaks = (law: string, detail: string, isOutside = true): void => {
    if (options.isOutsideOnly && !isOutside) return
    broken.push({ law, detail, at: now() - BEGIN, isOutside })
    trace.note('broken', `${law}: ${detail}`)
  }
  const doors = doorsOf(shape.sources)
  const decrementing = new Set<string>()
  const unreadOrders = new Set<string>()
  /** Of the unread ones, those that no webhook has pointed to since they were written. */
  const unannounced = new Map<string, string>()
  let holdfast: Holdfast | undefined
  let processes = 0
  let booting = false

  const { rates } = shape
  const common = { timeline, weather, rates, rare, holdfast: () => holdfast }
  const known = knownOf(now)
  /** What Holdfast last saw or wrote, by shop and SKU. */
  const lastShown = new Map<string, number>()
  /** Numbers that somebody else wrote since then: without his webhook only a comparison finds them. */
  const strangers = new Set<string>()
  /** Units sold since Holdfast died, and what was shown when it did. */
  const darkUnits = new Map<string, number>()
  const shownAtDeath = new Map<string, number>()
  const inFlightMs = (shop: string): number => shape.rules.shops.get(shopOf(shop))?.orderInFlightMs ?? 0
  const sources: SimulatedSource[] = shape.sources.map((each) =>
    openSource({
      ...common,
      shape: each,
      noise: noise(each.name),
      roadMs: shape.roadMs,
      lateMs: shape.lateMs,
      onSaid: (messageId, body) => trace.note('said', messageId, () => body),
    }),
  )
  const shops: SimulatedShop[] = shape.shops.map(({ name, skewMs }) =>
    openShop({
      ...common,
      name,
      skus: shape.skus,
      openingUnits: shape.openingUnits,
      skewMs,
      noise: noise(name),
      orderInFlightMs: inFlightMs(name),
      onGranted(lines, isDying) {
        const key = lines[0]?.lineKey
        const attempt = {
          ...attemptOf(name, lines, now() + inFlightMs(name), isDying ? 'over' : 'open'),
          ...(key === undefined ? {} : { key }),
        }
        judge.granted(attempt)
        return attempt
      },
      onLetThrough: (lines) => judge.letThrough(attemptOf(name, lines, now() + inFlightMs(name), 'over')),
      onTold: (order) => known.orderTold(name, order.id, wantedOfOrder(order)),
      onAsked: (call) => refusals.asked(name, call),
      onLooked: (sku, units) => lastShown.set(`${name}/${sku}`, units),
      onWritten(sku, units) {
        lastShown.set(`${name}/${sku}`, units)
        strangers.delete(`${name}/${sku}`)
        judge.written(shopOf(name), sku, units)
      },
      onOrder: (order, heard) => onOrder(name, order, heard),
      onHeard: (heard) => onHeard(name, heard),
      onWebhook() {
        for (const [order, of] of unannounced) if (of === name) unannounced.delete(order)
      },
    }),
  )
  const channels = openChannels({
    ...common,
    names: shape.channels,
    noise: noise('channels'),
    onBroken: breaks,
    onGranted(channel, lines, until, replaced) {
      const attempt = attemptOf(channel, lines, until, 'open')
      judge.granted(attempt, replaced)
      return attempt
    },
    onOrder: (order) =>
      trace.note('channel-order', `${order.orderNumber} ${order.lines.map(({ sku, units }) => `${units} ${sku}`)}`),
  })
  const outside: Outside = { shape, shops, sources, channelOrders: () => channels.orders }
  const judge = judgeOf({ outside, known, now, breaks })
  const refusals = refusalsOf(now, inFlightMs, breaks)

  /** `until` less a little: Holdfast decided a moment before it answered. */
  function attemptOf(
    shop: string,
    lines: readonly { readonly sku: string; readonly units: number }[],
    until: number,
    state: Attempt['state'],
  ): Attempt {
    const units = new Map<string, number>()
    for (const line of lines) units.set(line.sku, (units.get(line.sku) ?? 0) + line.units)
    return { shop: shopOf(shop), lines: units, grantedAt: now(), until: until - 50, state }
  }

  // ── Holdfast's own life ──

  const watch = watcher(store, rare, (_, orderId) => decrementing.has(orderId))
  async function boot(): Promise<void> {
    if (booting || holdfast?.isAlive()) return
    booting = true
    try {
      if (weather.is('database-away')) throw new Failure('DATABASE_UNREACHABLE', 'away', { retry: 'later' })
      processes += 1
      const name = `p${processes}`
      const started = await startHoldfast({
        name,
        timeline,
        store,
        rules: shape.rules,
        doors,
        weather,
        noise: noise(name),
        rates,
        rare,
        connection: (shop) => portOf(shop),
        onDecided(command, decided) {
          watch(command, decided)
          if (command.kind === 'order' && unreadOrders.delete(command.order.orderId)) {
            if (unannounced.delete(command.order.orderId)) rare.saw('order found without any webhook')
          }
          for (const { stream, version, kind, body } of decided.entries) {
            trace.note('ledger', `${stream} ${version} ${kind}`, () => JSON.stringify(body))
          }
          if ('granted' in decided.answer) {
            trace.note('answer', String(decided.answer.granted), () => JSON.stringify(decided.answer))
          }
        },
        onBug: (cause, where) =>
          breaks('bug', `${where}: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`, false),
        onDeath() {
          trace.note('died', name)
          if (holdfast?.isAlive() === false) holdfast = undefined
          known.troubled(Number.POSITIVE_INFINITY)
          darkUnits.clear()
          for (const shop of shops)
            for (const sku of shape.skus) {
              const at = `${shop.world.name}/${sku}`
              shownAtDeath.set(at, Math.min(lastShown.get(at) ?? 0, shop.productOf(sku).stock))
            }
          // In harder worlds trouble seldom comes alone: a shop cannot be read when Holdfast comes back.
          if (shape.crowd !== undefined && chance.chance(0.4))
            weather.begin(`admin-away:${chance.pick(shops).world.name}`, chance.between(2_000, 15_000))
          timeline.after(
            chance.chance(0.3) ? chance.between(6_000, 20_000) : chance.between(200, 3_000),
            () => void boot(),
          )
        },
      })
      holdfast = started
      bootedAt = now()
      known.recovered()
      trace.note('booted', name)
    } catch (cause) {
      if (!(cause instanceof Failure)) breaks('bug', String(cause), false)
      timeline.after(2_000, () => void boot())
    } finally {
      booting = false
    }
  }
  const portOf = (shop: ShopId) => {
    const found = shops.find(({ id }) => id === shop)
    if (!found) throw new Error(`No shop ${shop}`)
    return found.port
  }

  // ── what is told by the neighbours ──

  function onHeard(shop: string, { how, decision }: Heard): void {
    trace.note('heard', `${shop} ${how} ${decision?.outcome ?? ''} ${decision?.objections.map(({ key }) => key) ?? ''}`)
    if (decision?.outcome === 'undecided-blocked') rare.saw('undecided, blocked by policy')
    if (decision?.outcome === 'undecided-allowed') rare.saw('undecided, allowed by policy')
    const row = store.shops.get(shopOf(shop))
    if (decision?.outcome.startsWith('undecided') && row?.silentFrom !== undefined && !row.readSinceReturn)
      rare.saw('asked while the shop was unread after a silence')
  }

  function onOrder(shop: string, order: Order, heard: Heard): void {
    const units = order.lines.map((line) => `${line.units} ${String(line.payload.productNumber)}`)
    trace.note(
      'order',
      `${shop} ${order.orderNumber} ${order.id} ${units} after ${heard.how} ${heard.decision?.outcome ?? ''}`,
    )
    decrementing.add(order.id)
    unreadOrders.add(order.id)
    unannounced.set(order.id, shop)
    const attempt = heard.granted()
    if (attempt) {
      attempt.state = 'ordered'
      // Later than the shop had declared, its hold may have ended.
      if (now() < attempt.until) known.orderGranted(shop, order.id, wantedOfOrder(order), attempt.grantedAt)
    }
    if (!attempt && holdfast === undefined) soldInSilence(shop, order)
    for (const line of order.lines)
      if (onShelves(outside, String(line.payload.productNumber)) === 0) rare.saw('buyer takes the last unit')
  }

  /** Beyond what a shop last showed nobody can know what it sells alone. */
  function soldInSilence(shop: string, order: Order): void {
    let isWithin = true
    for (const { units, payload } of order.lines) {
      const at = `${shop}/${String(payload.productNumber)}`
      darkUnits.set(at, (darkUnits.get(at) ?? 0) + units)
      if ((darkUnits.get(at) ?? 0) > (shownAtDeath.get(at) ?? 0)) isWithin = false
    }
    if (isWithin) known.soldInSilence(shop, order.id, wantedOfOrder(order))
  }

  /** What shops show has to be right where nothing was amiss for a while, without waiting for a calm. */
  function look(): void {
    const isWell = holdfast !== undefined && now() - Math.max(weather.lastTroubleAt(), bootedAt) > 2_000
    const shown = shops.flatMap(({ id, world, productOf }) =>
      shape.skus.flatMap((sku) =>
        strangers.has(`${world.name}/${sku}`) ? [] : [{ shop: id, sku, units: productOf(sku).stock }],
      ),
    )
    judge.looks(isWell, shown)
  }
  let bootedAt = now()

  // ── buyers ──

  const sessions: { readonly shop: SimulatedShop; readonly cart: Cart }[] = []
  const aShop = (pick: number): SimulatedShop => shops[pick % shops.length] ?? never()
  const aSku = (pick: number): string => shape.skus[pick % shape.skus.length] ?? shape.skus[0]
  async function submit(
    shop: SimulatedShop,
    cart: Cart,
    dies = false,
    isAgain = false,
  ): Promise<'ordered' | 'refused' | 'nothing'> {
    const answer = await shop.order(cart, dies)
    if (answer === undefined) return 'nothing'
    if (!('order' in answer)) {
      // Who is refused often tries again at once.
      if (shape.crowd !== undefined && !isAgain && cart.lines.length > 0 && chance.chance(0.5)) {
        await timeline.sleep(chance.between(200, 6_000))
        return submit(shop, cart, dies, true)
      }
      return 'refused'
    }
    decrementing.delete(answer.order.id)
    return 'ordered'
  }
  function fill(shop: SimulatedShop, lines: readonly (readonly [string, number])[], cart?: Cart): Cart {
    const filled = cart ?? checkout.newCart(shop.world)
    for (const [sku, units] of lines) checkout.addLine(shop.world, filled, sku, units)
    if (!filled.registered) checkout.register(shop.world, filled)
    sessions.push({ shop, cart: filled })
    if (sessions.length > 30) sessions.shift()
    return filled
  }
  const anOrder = (pick: number, wanted: (order: Order) => boolean) => {
    const shop = aShop(pick)
    const order = chosenFrom([...shop.world.orders.values()].filter(wanted), pick, ({ id }) => id)
    return order && { shop, order }
  }

  const BUYERS: Partial<Record<Operation['kind'], (operation: Operation) => unknown>> = {
    async buy({ a, b, units }) {
      const buyers = a % 3 === 0 ? (shape.crowd ?? 1) : 1
      const comes = (nth: number): Promise<unknown> => {
        const shop = aShop(a + nth)
        return submit(shop, fill(shop, [[aSku(b), units]]))
      }
      await Promise.all(Array.from({ length: buyers }, (_, nth) => comes(nth)))
    },
    async 'buy-two'({ a, b, units }) {
      const shop = aShop(a)
      await submit(
        shop,
        fill(shop, [
          [aSku(b), units],
          [aSku(b + 1), 1],
        ]),
      )
    },
    async 'double-submit'({ a, b, units }) {
      const shop = aShop(a)
      const cart = fill(shop, [[aSku(b), units]])
      const first = submit(shop, cart)
      await timeline.sleep(b % 3 === 0 ? 0 : b)
      await Promise.all([first, submit(shop, cart)])
    },
    async again({ a, b, units }) {
      const session = chosenFrom(
        sessions.filter(({ cart }) => cart.lines.length === 0),
        a,
        ({ cart }) => cart.token,
      )
      if (!session) return
      rare.saw('second basket under the same token')
      await submit(session.shop, fill(session.shop, [[aSku(b), units]], session.cart))
    },
    async retry({ a }) {
      const left = sessions.filter(({ cart }) => cart.lines.length > 0)
      const session = chosenFrom(left, a, ({ cart }) => cart.token)
      if (session) await submit(session.shop, session.cart)
    },
    async abandon({ a, b, units }) {
      const shop = aShop(a)
      await submit(shop, fill(shop, [[aSku(b), units]]), true)
    },
    async look({ a, b, units }) {
      const shop = aShop(a)
      const cart = fill(shop, [[aSku(b), units * 3]])
      const product = shop.productOf(aSku(b))
      const { closeOut } = product
      product.closeOut = false
      const seen = checkout.viewPage(shop.world, cart, 5_000)
      product.closeOut = closeOut
      if ((await seen).errors.length > 0) rare.saw('page view told that it is too much')
    },
    async import({ a, b, units }) {
      const shop = aShop(a)
      const order = await checkout.importOrder(shop.world, [{ sku: aSku(b), units }])
      decrementing.delete(order.id)
    },
    cancel({ a, b }) {
      if (a % 6 === 0 && channels.orders.length > 0) return channels.cancel(b)
      const found = anOrder(b, ({ state }) => state === 'open' || state === 'in_progress')
      if (!found) return
      rare.saw('order cancelled')
      life.cancelOrder(found.shop.world, found.order.id)
    },
    'cancel-again'({ b }) {
      const found = anOrder(b, ({ state }) => state === 'cancelled')
      if (!found) return
      rare.saw('cancelled order cancelled again')
      life.cancelOrder(found.shop.world, found.order.id)
    },
    reopen({ b }) {
      const found = anOrder(b, ({ state }) => state === 'cancelled')
      // Late words about the order's first life would be taken for its second.
      if (!found || sources.some((source) => source.oldestUnderWay() !== Number.POSITIVE_INFINITY)) return
      rare.saw('cancelled order reopened')
      life.reopenOrder(found.shop.world, found.order.id)
    },
    edit({ a, b, units }) {
      const found = anOrder(b, ({ state }) => state === 'open')
      const line = found?.order.lines[a % Math.max(1, found.order.lines.length)]
      if (!found || !line) return
      rare.saw('line edited in silence')
      life.editLine(found.shop.world, found.order.id, line.id, units)
    },
    'delete-line'({ a, b }) {
      const found = anOrder(b, ({ state, lines }) => state === 'open' && lines.length > 0)
      const line = found?.order.lines[a % Math.max(1, found.order.lines.length)]
      if (!found || !line) return
      rare.saw('line deleted in silence')
      life.deleteLine(found.shop.world, found.order.id, line.id)
      handOver(
        {
          shop: found.shop.world.name,
          orderNumber: found.order.orderNumber,
          line: line.id,
          sku: String(line.payload.productNumber),
          units: 0,
        },
        false,
      )
    },
    'delete-order'({ b }) {
      const found = anOrder(b, () => true)
      if (!found) return
      rare.saw('order deleted')
      if (unreadOrders.has(found.order.id)) rare.saw('order that vanished before it was read')
      life.deleteOrder(found.shop.world, found.order.id)
      for (const line of found.order.lines)
        handOver(
          {
            shop: found.shop.world.name,
            orderNumber: found.order.orderNumber,
            line: line.id,
            sku: String(line.payload.productNumber),
            units: 0,
          },
          false,
        )
    },
    'set-stock'({ a, b, units }) {
      const shop = aShop(a)
      const product = shop.productOf(aSku(b))
      product.stock = units * 3
      strangers.add(`${shop.world.name}/${product.sku}`)
      product.updatedAt = shop.world.now()
      rare.saw('foreign write put right')
      shop.world.emit('product.written', [writtenEntry('product', 'update', product.id, ['stock'])])
    },
    complete({ b }) {
      const found = anOrder(b, ({ state, lines }) => {
        const isLeft = lines.every((line) => shippedOf(outside, line.id) >= line.units)
        return lines.length > 0 && isLeft && (state === 'open' || state === 'in_progress')
      })
      if (found) life.advanceOrder(found.shop.world, found.order.id, 'completed')
    },
    pay({ b }) {
      const found = anOrder(b, ({ state }) => state === 'open')
      if (found) life.setPayment(found.shop.world, found.order.id, b % 4 === 0 ? 'failed' : 'paid')
    },
    hold: ({ a, b, units }) =>
      channels.hold(
        [{ sku: aSku(b), units }, ...(a % 5 === 0 && shape.skus.length > 1 ? [{ sku: aSku(b + 1), units: 1 }] : [])],
        5_000 + a * 100,
      ),
    replace: ({ a, units }) => channels.replace(a, units),
    place: ({ a }) => channels.place(a),
    release: ({ a }) => channels.release(a),
  }

  // ── the warehouse's people ──

  const flat = shape.sources.some(({ dialect }) => dialect === 'flat')

  /** Which source serves a line: one of them, for good. */
  const servedBy = new Map<string, SimulatedSource>()
  /** Lines that their shop has no more, and that a restarted book may bring up again. */
  const deleted: Parameters<SimulatedSource['handOver']>[0][] = []
  function handOver(wanted: Parameters<SimulatedSource['handOver']>[0], isNew = true): boolean {
    if (!isNew) deleted.push(wanted)
    let source = servedBy.get(wanted.line)
    if (!source) {
      if (!isNew || wanted.units === 0) return false
      source = [...sources].sort((x, y) => y.sellable(wanted.sku) - x.sellable(wanted.sku))[0] ?? never()
      servedBy.set(wanted.line, source)
    }
    source.handOver(wanted)
    return true
  }
  /** The connector looks at every order and hands over what is new or different. */
  function handOverAll(limit: number): void {
    let left = limit
    // Of a source that says nothing of orders, only its figures tell: there we have to be the first to know.
    const isEarly = (order: Order): boolean => flat && unreadOrders.has(order.id)
    const hand = (wanted: Parameters<SimulatedSource['handOver']>[0]): void => {
      const known = servedBy.get(wanted.line)
      const line = known && bookLine(known, wanted.shop, wanted.orderNumber, wanted.line)
      const has = line ? line.units - line.cancelled : 0
      const wants = Math.max(wanted.units, shippedOf(outside, wanted.line))
      if (has === wants || left <= 0) return
      left -= 1
      handOver({ ...wanted, units: wants })
    }
    for (const { world } of shops) {
      for (const order of world.orders.values())
        for (const line of isEarly(order) ? [] : order.lines)
          hand({
            shop: world.name,
            orderNumber: order.orderNumber,
            line: line.id,
            sku: String(line.payload.productNumber),
            units: order.state === 'cancelled' ? 0 : line.units,
          })
    }
    for (const line of deleted) hand({ ...line, units: 0 })
    for (const { channel, orderNumber, state, lines } of channels.orders)
      for (const { line, sku, units } of lines)
        hand({ shop: channel, orderNumber, line, sku, units: state === 'cancelled' ? 0 : units })
  }

  const aSource = (pick: number): SimulatedSource => sources[pick % sources.length] ?? never()
  const aWarehouse = ({ shape: { warehouses } }: SimulatedSource, pick: number): string =>
    warehouses[pick % warehouses.length] ?? warehouses[0]
  const aLine = (pick: number, wanted: (line: ReturnType<SimulatedSource['lines']>[number]['line']) => boolean) => {
    const source = aSource(pick)
    const found = source.lines().filter(({ line }) => wanted(line))
    const one = chosenFrom(found, pick, ({ line }) => line.line)
    return one && { source, ...one }
  }
  const openUnits = (line: { units: number; cancelled: number; shipped: number; allocated: number }): number =>
    line.units - line.cancelled - line.shipped - line.allocated

  function allocate(one: NonNullable<ReturnType<typeof aLine>>, units: number): void {
    const { source, line, shop, orderNumber } = one
    const bound = line.allocated > 0
    const warehouses = bound ? [line.warehouse] : [line.warehouse, ...source.shape.warehouses]
    const warehouse = warehouses.find((each) => source.free(line.sku, each) > 0)
    if (warehouse === undefined) return
    const some = Math.min(units, openUnits(line), source.free(line.sku, warehouse))
    if (some > 0) source.wms.allocate(shop, orderNumber, { line: line.line, units: some, warehouse })
  }
  /**
   * An act by which units leave the shelves that nobody could refuse: it returns how many, or how to count them at any later moment. Its
   * own words, or a later figure, tell.
   */
  function takes(
    source: SimulatedSource,
    sku: string,
    warehouse: string,
    act: () => number | (() => number),
    isToldByWord = false,
  ): void {
    const before = source.said()
    const units = act()
    const after = source.said()
    known.lost(sku, typeof units === 'number' ? () => units : units, () =>
      isToldByWord ? source.allToldAt(before, after) : source.figureToldAt(before, sku, warehouse),
    )
  }
  function ship(one: NonNullable<ReturnType<typeof aLine>>, units: number): void {
    const { line, sku } = one.line
    // What leaves while a book is not to be trusted, no figure of its next epoch can prove.
    if (one.source.wasRestored()) return
    const before = shippedOf(outside, line)
    const { warehouse } = one.line
    takes(one.source, sku, warehouse, () => {
      one.source.ship(one.line, one, units)
      const left = shippedOf(outside, line)
      // Goods that left for an order which is not read yet, or is cancelled before we hear of it, are gone, and nobody could refuse them.
      return () => left - Math.max(before, wantedOf(one.shop, one.orderNumber, line))
    })
  }
  /** What customers want of a line, as far as it could be known; the warehouse may not have heard yet that it is less. */
  function wantedOf(shop: string, orderNumber: string, line: string): number {
    for (const { world } of shops) {
      if (world.name !== shop) continue
      for (const order of world.orders.values()) {
        if (order.orderNumber !== orderNumber || order.state === 'cancelled') continue
        const units = order.lines.find(({ id }) => id === line)?.units ?? 0
        return Math.min(units, known.wanted(order.id, line, now()))
      }
    }
    const order = channels.orders.find((each) => each.orderNumber === orderNumber && each.state !== 'cancelled')
    return order?.lines.find((each) => each.line === line)?.units ?? 0
  }
  function allocateAll(): void {
    for (const source of sources)
      for (const one of source.lines()) if (openUnits(one.line) > 0) allocate({ source, ...one }, 1_000)
  }

  const WAREHOUSE: Partial<Record<Operation['kind'], (operation: Operation) => unknown>> = {
    receive({ a, b, units }) {
      const source = aSource(a)
      source.wms.receive(aSku(b), units, { warehouse: aWarehouse(source, b) })
    },
    expect({ a, b, units }) {
      const source = aSource(a)
      source.wms.expectGoods({
        purchaseOrder: `PO${b}`,
        line: '1',
        sku: aSku(b),
        units: units * 10,
        eta: '2026-03-20',
        warehouse: aWarehouse(source, b),
      })
    },
    'hand-over': ({ units }) => handOverAll(units * 2),
    allocate({ a, units }) {
      const one = aLine(a, (line) => openUnits(line) > 0)
      if (one) allocate(one, units)
    },
    'allocate-later': () => allocateAll(),
    deallocate({ a, units }) {
      const one = aLine(a, (line) => line.allocated > 0)
      if (one) one.source.wms.deallocate(one.shop, one.orderNumber, { line: one.line.line, units })
    },
    pick({ a, units }) {
      const one = aLine(a, (line) => line.allocated > line.picked)
      if (one) one.source.wms.pick(one.shop, one.orderNumber, { line: one.line.line, units })
    },
    ship({ a, units }) {
      const one = aLine(a, (line) => line.allocated > 0)
      if (one) ship(one, Math.min(units, one.line.allocated))
    },
    hurry({ a, units }) {
      const one = aLine(a, (line) => openUnits(line) > 0)
      if (!one) return
      const some = Math.min(units, one.line.allocated + one.source.free(one.line.sku, one.line.warehouse))
      if (some > 0) ship(one, some)
    },
    short({ a, units }) {
      const one = aLine(a, (line) => line.allocated > 0)
      // A restarted book believes in goods that have left: nobody can come up short by what is not there.
      if (!one || one.source.wasRestored()) return
      const some = Math.min(units, one.line.allocated)
      const { source, line, shop, orderNumber } = one
      const act = (): number => {
        source.wms.short(shop, orderNumber, { line: line.line, units: some })
        return some
      }
      takes(source, line.sku, line.warehouse, act, true)
    },
    count({ a, b, units }) {
      const source = aSource(a)
      const [sku, warehouse] = [aSku(b), aWarehouse(source, b)]
      const before = source.wms.truth(sku, warehouse)
      const stock = bookOf(source.wms.book(), sku, warehouse)
      if (stock.onHand !== before) return
      // Nobody finds less than what lies allocated or blocked, ready on a cart.
      const least = stock.blocked + stock.elsewhere + ownAllocated(source.wms.book(), sku, warehouse)
      const counted = Math.max(least, before + (b % 3 === 0 ? units : -units), 0)
      if (counted < before) rare.saw('stock-take found fewer')
      takes(source, sku, warehouse, () => {
        source.wms.count(sku, counted, warehouse)
        return before - counted
      })
    },
    transfer({ a, b, units }) {
      const source = aSource(a)
      const [from, to] = source.shape.warehouses
      const sku = aSku(b)
      if (to === undefined) return
      const some = Math.min(units, source.free(sku, from), source.wms.truth(sku, from))
      if (some <= 0) return
      rare.saw('transfer between warehouses')
      // Where they arrive may be told before they have left.
      takes(source, sku, from, () => {
        source.wms.transfer(sku, some, from, to)
        return some
      })
    },
    return({ a, b, units }) {
      const source = aSource(a)
      source.wms.takeReturn(aSku(b), units, aWarehouse(source, b))
    },
    elsewhere({ a, b, units }) {
      const source = aSource(a)
      const [sku, warehouse] = [aSku(b), aWarehouse(source, b)]
      const free = Math.min(units, source.free(sku, warehouse))
      const back = Math.min(
        units,
        source.bound('elsewhere', sku, warehouse),
        bookOf(source.wms.book(), sku, warehouse).elsewhere,
      )
      if (b % 3 === 0 && back > 0) source.bind('elsewhere', sku, warehouse, -back)
      else if (free > 0) {
        takes(source, sku, warehouse, () => {
          source.bind('elsewhere', sku, warehouse, free)
          return free
        })
      }
    },
    'ship-elsewhere'({ a, b, units }) {
      const source = aSource(a)
      const [sku, warehouse] = [aSku(b), aWarehouse(source, b)]
      const { elsewhere, onHand } = bookOf(source.wms.book(), sku, warehouse)
      // A restarted book may believe in goods that have left.
      const lying = Math.min(onHand, source.wms.truth(sku, warehouse))
      const some = Math.min(units, elsewhere, lying, source.bound('elsewhere', sku, warehouse))
      if (some > 0) source.shipElsewhere(sku, warehouse, some)
    },
    block({ a, b, units }) {
      const source = aSource(a)
      const [sku, warehouse] = [aSku(b), aWarehouse(source, b)]
      const blocked = Math.min(
        source.bound('blocked', sku, warehouse),
        bookOf(source.wms.book(), sku, warehouse).blocked,
      )
      if (b % 2 === 0 && blocked > 0) source.bind('blocked', sku, warehouse, -Math.min(units, blocked))
      else {
        const free = Math.min(units, source.free(sku, warehouse))
        if (free <= 0) return
        takes(source, sku, warehouse, () => {
          source.bind('blocked', sku, warehouse, free)
          return free
        })
      }
    },
    snapshot({ a, b }) {
      const source = aSource(a)
      // A list from a book that has forgotten its orders would say that they have left, and nothing could tell.
      if (source.wasRestored()) return
      source.wms.snapshot(aWarehouse(source, b))
    },
    figure({ a, b }) {
      const source = aSource(a)
      source.wms.repeatFigure(aSku(b), aWarehouse(source, b))
    },
    'back-up': ({ a }) => aSource(a).wms.backUp(),
    restore({ a, b }) {
      const source = aSource(a)
      // What a book has forgotten while it was under way to us, nobody can prove any more.
      if (source.wasRestored() || source.oldestUnderWay() !== Number.POSITIVE_INFINITY) return
      judge.doubts()
      source.restore(b % 2 === 0)
      for (const warehouse of source.shape.warehouses)
        for (const sku of shape.skus) source.wms.repeatFigure(sku, warehouse)
    },
  }

  const FAULTS: Partial<Record<Operation['kind'], (operation: Operation) => unknown>> = {
    crash: ({ a }) => holdfast?.kill(a % 25),
    restart() {
      rare.saw('restart in order')
      void holdfast?.stop()
    },
    'database-away'({ a }) {
      rare.saw('database away')
      weather.begin('database-away', 200 + a * 12)
      known.troubled(now() + 200 + a * 12)
    },
    'database-slow': ({ a }) => weather.begin('database-slow', 1_000 + a * 10),
    'admin-away': ({ a, b }) => weather.begin(`admin-away:${aShop(b).world.name}`, 1_000 + a * 40),
    partition: ({ a, b }) => weather.begin(`partition:${aShop(b).world.name}`, 500 + a * 20),
    'clock-jump'({ a, b }) {
      rare.saw("a shop's clock jumped")
      aShop(b).jump((a - 500) * 200)
    },
  }

  const world: World = {
    ...outside,
    store,
    broken,
    breaks,
    rare,
    trace,
    timeline,
    holdfast: () => holdfast,
    perform(operation) {
      const act = BUYERS[operation.kind] ?? WAREHOUSE[operation.kind] ?? FAULTS[operation.kind]
      trace.note('do', `${operation.kind} ${operation.a} ${operation.b} ${operation.units}`)
      const failed = (cause: unknown): void =>
        breaks('simulator', `${operation.kind}: ${cause instanceof Error ? cause.stack : String(cause)}`, false)
      try {
        const done = act?.(operation)
        if (done instanceof Promise) done.catch(failed)
      } catch (cause) {
        failed(cause)
      }
      look()
    },

    async calm(onQuiet) {
      trace.note('calm', '')
      weather.calm()
      holdfast?.spare()
      const ends = now() + CALM_MS
      const pass = (ms: number) => timeline.runUntil(now() + ms)
      for (let tried = 0; tried < 20 && !holdfast?.isAlive(); tried++) {
        await boot()
        await pass(1_000)
      }
      // Buyers who are on their way arrive, and so does what the warehouse has said.
      await pass(25_000)
      for (const source of sources) source.hurry()
      await pass(2_000)
      const wasRestored = sources.some((source) => source.wasRestored())
      for (const source of sources) {
        if (!source.wasRestored()) continue
        source.setRight()
        for (const warehouse of source.shape.warehouses) for (const sku of shape.skus) await trust(sku, warehouse)
      }
      // Each round may move a line to a warehouse that has what another lacked.
      for (let round = 0; round < 4; round++) {
        handOverAll(1_000)
        allocateAll()
        await pass(3_000)
      }
      for (const restMs of [0, 8_000, 30_000, 30_000, 40_000]) {
        await pass(restMs)
        for (const source of sources)
          for (const warehouse of source.shape.warehouses) {
            for (const sku of shape.skus) source.wms.repeatFigure(sku, warehouse)
            source.wms.snapshot(warehouse)
          }
      }
      // Until a shop calls again, or for five minutes, a silence keeps numbers from being raised (law L2).
      const isSilent = [...store.shops.values()].some(({ silentFrom }) => silentFrom !== undefined)
      if (!flat && !wasRestored && !isSilent) onQuiet?.(strangers)
      // Where only figures tell, each one settles what the one before it left open.
      for (let round = 0; flat && round < 15; round++) {
        await pass(2_000)
        for (const source of sources)
          for (const warehouse of source.shape.warehouses)
            for (const sku of shape.skus) source.wms.repeatFigure(sku, warehouse)
      }
      await timeline.runUntil(Math.max(now() + 100_000, ends))
      judge.trusts()
    },
    stormy: () => weather.stormy(),
  }

  async function trust(sku: string, warehouse: string): Promise<void> {
    let isDone = false
    const asked = holdfast
    asked?.lane
      .submit(
        { kind: 'trust', sku: skuOf(sku), warehouse: warehouseOf(warehouse) },
        { actor: 'cli:operator', cause: 'trust' },
      )
      .then(
        () => (isDone = true),
        (cause: unknown) => breaks('bug', `trust: ${String(cause)}`, false),
      )
    await timeline.runUntil(now() + 200)
    if (!isDone) breaks('answered', `an operator's word was not answered (${asked?.isAlive()})`)
  }

  /** A source that says nothing of orders has them within the time that it declares. */
  function keepWord(): void {
    handOverAll(1_000)
    allocateAll()
    timeline.after(3_000, keepWord)
  }
  if (flat) keepWord()

  // ── the beginning ──
  weather.calm()
  for (const { id } of shops) await shopBookOn(store).registered(id)
  await boot()
  for (const source of sources) {
    for (const sku of shape.skus) {
      for (const warehouse of source.shape.warehouses) source.wms.receive(sku, shape.openingUnits, { warehouse })
    }
    source.wms.backUp()
  }
  await timeline.runUntil(now() + 15_000)
  weather.stormy()
  return world
}

const wantedOfOrder = ({ state, lines }: Order): Lines =>
  new Map(
    lines.map(({ id, units, payload }) => [
      id,
      { sku: String(payload.productNumber), units: state === 'cancelled' ? 0 : units },
    ]),
  )

function never(): never {
  throw new Error('A world has at least one of each')
}
