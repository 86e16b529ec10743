/**
 * A simulated warehouse system: it keeps its own stock book, counts every word with one ascending sequence, and posts what it
 * says to Holdfast, over a road that may lose, double or swap messages.
 *
 * Its *book* is what the system believes and reports; the *truth* is what lies on the shelves. They part when it is restored
 * from a backup.
 */
import { createHmac } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { call } from './loopback.ts'
import { type RoadFaults, road } from './network.ts'
import { type Random, seededRandom, seedOf } from './random.ts'
import type { JsonObject } from './shopware/json.ts'
import { type Book, type BookLine, bookOf, emptyBook, lineOf, ownAllocated } from './warehouse/book.ts'

/** How a warehouse's messages prove where they come from. */
export type DeliveryAuth =
  /** A Standard Webhooks secret, `whsec_` and base64. */
  { readonly kind: 'standard-webhooks'; readonly secret: string } | { readonly kind: 'bearer'; readonly token: string }

/** What it takes to start a warehouse. */
export type WarehouseOptions = {
  /** The name of the source in Holdfast. */
  readonly name: string
  /** The first one is where nothing else is said. */
  readonly warehouses: readonly [string, ...string[]]
  readonly semantics: 'net' | 'gross'
  readonly ordered: 'sequence' | 'asOf' | 'none'
  /** `flat` knows figures alone: of orders, receipts and shipments it says nothing. */
  readonly dialect: 'flat' | 'canonical'
  /** `url` is Holdfast's own; messages go to `/v1/sources/<name>/messages`. `carry` takes every message instead, in the order said. */
  readonly deliver:
    | { readonly url: string; readonly auth: DeliveryAuth }
    | { readonly carry: (id: string, body: string) => void }
  readonly faults?: RoadFaults
  readonly random?: Random
  /** The warehouse's clock, in ms. */
  readonly clock?: () => number
  /** Waits so many ms. */
  readonly pause?: (ms: number) => Promise<void>
}

/** An order as the merchant's connector hands it over. */
export type ImportedOrder = {
  readonly shop: string
  readonly orderNumber: string
  readonly lines: readonly { readonly line: string; readonly sku: string; readonly units: number }[]
}

/** Part of an order; all of its lines, with all units that the act can concern, if absent. */
export type Part = { readonly line?: string; readonly units?: number; readonly warehouse?: string }

/** What was sent and how it went. */
export type Delivered = {
  readonly id: string
  readonly message: unknown
  readonly status: number
  readonly tries: number
}

/** A running warehouse. Every act changes the book and says so. */
export interface SimulatedWarehouse {
  readonly name: string
  /** May be changed while it runs. */
  readonly faults: RoadFaults
  /** Goods come, perhaps for a purchase order. */
  receive(sku: string, units: number, about?: { warehouse?: string; purchaseOrder?: string; line?: string }): void
  /** Says what is expected: a line of a purchase order. */
  expectGoods(line: {
    purchaseOrder: string
    line: string
    sku: string
    units: number
    eta: string
    warehouse?: string
  }): void
  /** Takes an order into the book; the same order twice is once. Says nothing yet. */
  importOrder(order: ImportedOrder): void
  acknowledge(shop: string, orderNumber: string): void
  allocate(shop: string, orderNumber: string, part?: Part): void
  deallocate(shop: string, orderNumber: string, part?: Part): void
  pick(shop: string, orderNumber: string, part?: Part): void
  /** Goods leave; what was not allocated is taken all the same, as a hurried picker does. */
  ship(shop: string, orderNumber: string, part?: Part): void
  /** A picker finds less than the book says. */
  short(shop: string, orderNumber: string, part: Part & { readonly units: number }): void
  cancel(shop: string, orderNumber: string): void
  /** The connector hands over a changed line: fewer units are given up, the loose ones first; more are taken in. */
  changeOrder(shop: string, orderNumber: string, line: string, units: number): void
  /** A stock-take. */
  count(sku: string, units: number, warehouse?: string): void
  /** Units that bring no order of ours: allocated to the phone, a market, a branch. Negative units are given back. */
  allocateElsewhere(sku: string, units: number, warehouse?: string): void
  /** Units allocated elsewhere leave. */
  shipElsewhere(sku: string, units: number, warehouse?: string): void
  /** A customer sends units back, and they are fit for sale. */
  takeReturn(sku: string, units: number, warehouse?: string): void
  /** Units are damaged or under inspection; negative: sellable again. */
  block(sku: string, units: number, warehouse?: string): void
  /** The figure once more, unchanged. */
  repeatFigure(sku: string, warehouse?: string): void
  /** After a restart an operator sets the book right: what has shipped of a line, and what lies on a shelf. */
  setRight(
    shipped: { shop: string; orderNumber: string; line: string; units: number } | { sku: string; warehouse: string },
  ): void
  /** The book as it stands. */
  readonly book: () => Readonly<Book>
  /** Says from now on that it has been restarted, for whoever counts its restarts. */
  beginEpoch(): void
  transfer(sku: string, units: number, from: string, to: string): void
  /** Every figure of one warehouse with its list of open orders. */
  snapshot(warehouse?: string): void
  /** Remembers the book as a backup. */
  backUp(): void
  /** Goes back to the backup, sequence and all, while the goods stay where they are. */
  restartFromBackup(options?: { readonly newEpoch?: boolean }): void
  /** Sends something as it is, signed: for messages that nobody can read. */
  say(message: unknown): void
  /** Units on the shelves. */
  truth(sku: string, warehouse?: string): number
  /** Every delivery so far, in order. */
  deliveries(): readonly Delivered[]
  /** Waits until nothing is under way. */
  settled(): Promise<void>
  /** Sends nothing any more. */
  stop(): Promise<void>
}

/** Tries of one message, the pause before the second in ms (doubled each time), and how long one may take in ms. */
export const MAX_TRIES = 6
const FIRST_PAUSE_MS = 200
const DELIVERY_TIMEOUT_MS = 10_000

/** Starts a warehouse with empty shelves. */
export function startSimulatedWarehouse(options: WarehouseOptions): SimulatedWarehouse {
  const random = options.random ?? seededRandom(seedOf(options.name))
  const now = options.clock ?? Date.now
  const pause = options.pause ?? ((ms: number) => delay(ms))
  const faults = options.faults ?? {}
  const lane = road(random, faults, pause)
  const home = options.warehouses[0]
  const shelves = new Map<string, number>()
  const delivered: Delivered[] = []
  let book: Book = emptyBook()
  let backup: Book = emptyBook()
  let stopped = false

  const send = (message: unknown): void => {
    const id = `msg_${random.hex(24)}`
    const body = JSON.stringify(message)
    const { deliver } = options
    if ('carry' in deliver) {
      deliver.carry(id, body)
      return
    }
    lane.carry(async () => {
      for (let tried = 1; tried <= MAX_TRIES && !stopped; tried++) {
        const status = await post(options.name, deliver, id, body, now())
        if (status >= 200 && status < 300) return void delivered.push({ id, message, status, tries: tried })
        if (tried === MAX_TRIES) return void delivered.push({ id, message, status, tries: tried })
        await pause(FIRST_PAUSE_MS * 2 ** (tried - 1))
      }
    })
  }

  /** One counter over figures and words: what makes inclusion provable. */
  const stamp = (): JsonObject => {
    book.sequence++
    const asOf = { asOf: new Date(now()).toISOString() }
    const order = { sequence: { ...asOf, sequence: book.sequence }, asOf, none: {} }[options.ordered]
    return { ...(book.epoch === 0 ? {} : { epoch: book.epoch }), ...order }
  }

  const figure = (sku: string, warehouse: string): JsonObject => {
    const { onHand, blocked, elsewhere } = bookOf(book, sku, warehouse)
    const all = elsewhere + ownAllocated(book, sku, warehouse)
    const allocated = options.semantics === 'net' ? all : elsewhere
    return {
      sku,
      onHand,
      blocked,
      allocated,
      ...(options.semantics === 'net' ? { net: onHand - blocked - all } : {}),
    }
  }

  const tellFigure = (sku: string, warehouse: string): void => {
    const told = figure(sku, warehouse)
    if (options.dialect === 'canonical') {
      send({ type: 'stock.level.reported', warehouse, ...stamp(), ...told })
      return
    }
    const { asOf, ...rest } = stamp()
    const allocated = Number(told.allocated)
    send({
      sku,
      warehouse,
      available_stock: Number(told.onHand) - Number(told.blocked) - allocated,
      reserved_stock: allocated,
      ...rest,
      ...(asOf === undefined ? {} : { as_of: asOf }),
    })
  }

  const tell = (type: string, content: JsonObject): void => {
    if (options.dialect === 'canonical') send({ type, ...stamp(), ...content })
  }

  const put = (sku: string, warehouse: string, change: number): void => {
    bookOf(book, sku, warehouse).onHand += change
    const key = `${warehouse}/${sku}`
    shelves.set(key, (shelves.get(key) ?? 0) + change)
  }

  /** One act on the lines of an order: what it changes is said per warehouse, then the figures that moved. */
  const act = (
    says: string,
    shop: string,
    orderNumber: string,
    part: Part,
    change: (line: BookLine, wanted: number) => number,
  ): void => {
    const told = new Map<string, JsonObject[]>()
    const moved: BookLine[] = []
    for (const line of lineOf(book, shop, orderNumber, part.line)) {
      if (part.warehouse !== undefined) line.warehouse = part.warehouse
      const units = change(line, part.units ?? Number.POSITIVE_INFINITY)
      if (units <= 0) continue
      told.set(line.warehouse, [...(told.get(line.warehouse) ?? []), { line: line.line, sku: line.sku, units }])
      moved.push(line)
    }
    for (const [warehouse, lines] of told) tell(`order.${says}`, { shop, order: orderNumber, warehouse, lines })
    if (says === 'acknowledged' || says === 'picked') return
    for (const { sku, warehouse } of moved) tellFigure(sku, warehouse)
  }

  const free = (line: BookLine): number => {
    const { onHand, blocked, elsewhere } = bookOf(book, line.sku, line.warehouse)
    return Math.max(0, onHand - blocked - elsewhere - ownAllocated(book, line.sku, line.warehouse))
  }

  return {
    name: options.name,
    faults,
    receive(sku, units, { warehouse = home, ...about } = {}) {
      put(sku, warehouse, units)
      tell('goods_receipt.posted', { sku, warehouse, units, ...about })
      tellFigure(sku, warehouse)
    },
    expectGoods({ units, warehouse = home, ...line }) {
      tell('purchase_order.line', { ...line, warehouse, ordered: units, received: 0, confirmed: true })
    },
    importOrder({ shop, orderNumber, lines }) {
      const key = `${shop}/${orderNumber}`
      if (book.orders.has(key)) return
      const taken = lines.map((line) => ({
        ...line,
        warehouse: home,
        allocated: 0,
        picked: 0,
        shipped: 0,
        cancelled: 0,
      }))
      book.orders.set(key, { shop, orderNumber, lines: taken })
    },
    acknowledge: (shop, order) => act('acknowledged', shop, order, {}, (line) => line.units - line.cancelled),
    allocate: (shop, order, part = {}) =>
      act('allocated', shop, order, part, (line, wanted) => {
        const open = line.units - line.cancelled - line.shipped - line.allocated
        const units = Math.min(open, free(line), wanted)
        line.allocated += Math.max(0, units)
        return units
      }),
    deallocate: (shop, order, part = {}) =>
      act('deallocated', shop, order, part, (line, wanted) => {
        const units = Math.min(line.allocated, wanted)
        line.allocated -= units
        return units
      }),
    pick: (shop, order, part = {}) =>
      act('picked', shop, order, part, (line, wanted) => {
        const units = Math.min(line.allocated - line.picked, wanted)
        line.picked += Math.max(0, units)
        return units
      }),
    ship: (shop, order, part = {}) =>
      act('shipped', shop, order, part, (line, wanted) => {
        const { onHand } = bookOf(book, line.sku, line.warehouse)
        const units = Math.min(line.units - line.cancelled - line.shipped, onHand, wanted)
        if (units <= 0) return 0
        line.shipped += units
        line.allocated -= Math.min(line.allocated, units)
        line.picked -= Math.min(line.picked, units)
        put(line.sku, line.warehouse, -units)
        return units
      }),
    short: (shop, order, part) =>
      act('short', shop, order, part, (line, wanted) => {
        const units = Math.min(line.units - line.cancelled - line.shipped, wanted)
        line.allocated -= Math.min(line.allocated, units)
        put(line.sku, line.warehouse, -Math.min(units, bookOf(book, line.sku, line.warehouse).onHand))
        return units
      }),
    cancel: (shop, order) =>
      act('cancelled', shop, order, {}, (line) => {
        const units = line.units - line.cancelled - line.shipped
        line.cancelled += units
        line.allocated = 0
        line.picked = 0
        return units
      }),
    changeOrder(shop, orderNumber, lineId, units) {
      act('cancelled', shop, orderNumber, { line: lineId }, (line) => {
        const fewer = Math.min(line.units - line.cancelled - units, line.units - line.cancelled - line.shipped)
        if (fewer <= 0) {
          line.units = Math.max(line.units, units + line.cancelled)
          return 0
        }
        line.cancelled += fewer
        line.allocated = Math.min(line.allocated, line.units - line.cancelled - line.shipped)
        line.picked = Math.min(line.picked, line.allocated)
        return fewer
      })
    },
    count(sku, units, warehouse = home) {
      const expected = bookOf(book, sku, warehouse).onHand
      bookOf(book, sku, warehouse).onHand = units
      shelves.set(`${warehouse}/${sku}`, units)
      tell('stock.count.completed', { sku, warehouse, counted: units, expected })
      tellFigure(sku, warehouse)
    },
    allocateElsewhere(sku, units, warehouse = home) {
      bookOf(book, sku, warehouse).elsewhere += units
      tellFigure(sku, warehouse)
    },
    shipElsewhere(sku, units, warehouse = home) {
      bookOf(book, sku, warehouse).elsewhere -= units
      put(sku, warehouse, -units)
      tellFigure(sku, warehouse)
    },
    takeReturn(sku, units, warehouse = home) {
      put(sku, warehouse, units)
      tell('return.received', { sku, warehouse, units })
      tellFigure(sku, warehouse)
    },
    block(sku, units, warehouse = home) {
      bookOf(book, sku, warehouse).blocked += units
      tell('stock.adjusted', { sku, warehouse, change: -units })
      tellFigure(sku, warehouse)
    },
    repeatFigure: (sku, warehouse = home) => tellFigure(sku, warehouse),
    setRight(what) {
      if ('sku' in what) {
        bookOf(book, what.sku, what.warehouse).onHand = shelves.get(`${what.warehouse}/${what.sku}`) ?? 0
        return
      }
      for (const line of lineOf(book, what.shop, what.orderNumber, what.line)) {
        line.shipped = what.units
        line.allocated = Math.max(0, Math.min(line.allocated, line.units - line.cancelled - line.shipped))
        line.picked = Math.min(line.picked, line.allocated)
      }
    },
    book: () => book,
    beginEpoch() {
      book.epoch++
    },
    transfer(sku, units, from, to) {
      const transfer = `T${random.hex(6)}`
      put(sku, from, -units)
      tell('stock.transfer.departed', { sku, warehouse: from, units, transfer })
      tellFigure(sku, from)
      put(sku, to, units)
      tell('stock.transfer.arrived', { sku, warehouse: to, units, transfer })
      tellFigure(sku, to)
    },
    snapshot(warehouse = home) {
      const skus = [...book.stock.values()].flatMap((each) => (each.warehouse === warehouse ? [each.sku] : []))
      if (options.dialect === 'flat') {
        for (const sku of skus) tellFigure(sku, warehouse)
        return
      }
      const openOrders = [...book.orders.values()].flatMap(({ shop, orderNumber, lines }) =>
        lines.flatMap(({ line, sku, units, allocated, shipped, cancelled, warehouse: where }) => {
          const open = units - shipped - cancelled
          return open > 0 && where === warehouse
            ? [{ shop, order: orderNumber, line, sku, units: open, allocated }]
            : []
        }),
      )
      tell('stock.snapshot', { warehouse, figures: skus.map((sku) => figure(sku, warehouse)), openOrders })
    },
    backUp() {
      backup = structuredClone(book)
    },
    restartFromBackup({ newEpoch = false } = {}) {
      book = structuredClone(backup)
      if (newEpoch) book.epoch++
    },
    say: send,
    truth: (sku, warehouse) =>
      [...shelves].reduce((sum, [key, units]) => {
        const [where, ...name] = key.split('/')
        return name.join('/') === sku && (warehouse ?? where) === where ? sum + units : sum
      }, 0),
    deliveries: () => delivered,
    settled: () => lane.settled(),
    async stop() {
      stopped = true
      await lane.settled()
    },
  }
}

/** One delivery; 0 where nobody answers. */
async function post(
  name: string,
  deliver: { readonly url: string; readonly auth: DeliveryAuth },
  id: string,
  body: string,
  at: number,
): Promise<number> {
  const seconds = String(Math.floor(at / 1000))
  const proof =
    deliver.auth.kind === 'bearer'
      ? { authorization: `Bearer ${deliver.auth.token}` }
      : { 'webhook-signature': `v1,${signature(deliver.auth.secret, `${id}.${seconds}.${body}`)}` }
  return call({
    method: 'POST',
    url: `${deliver.url}/v1/sources/${name}/messages`,
    headers: { 'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': seconds, ...proof },
    body,
    timeoutMs: DELIVERY_TIMEOUT_MS,
  }).then(
    (answer) => answer.status,
    () => 0,
  )
}

const signature = (secret: string, text: string): string =>
  createHmac('sha256', Buffer.from(secret.replace(/^whsec_/, ''), 'base64'))
    .update(text)
    .digest('base64')
