/**
 * The warehouses of a world, the merchant's connector that hands them orders, and the road from them to us. The road is slow,
 * late, and delivers twice; what we answered 202 must never be asked again.
 */

import { createHash } from 'node:crypto'
import { doorOf } from '../../src/adapters/wms/door.ts'
import type { SourceDoor } from '../../src/app/receive.ts'
import { type SourceId, sourceOf } from '../../src/core/ids.ts'
import { objectOf } from '../shopware/json.ts'
import { type BookLine, bookOf, lineOf, ownAllocated } from '../warehouse/book.ts'
import { type SimulatedWarehouse, startSimulatedWarehouse } from '../warehouse.ts'
import { type Holdfast, TOKEN } from './holdfast.ts'
import type { Noise } from './noise.ts'
import type { Sightings } from './rare.ts'
import type { Rates, SourceShape } from './shape.ts'
import type { Timeline } from './timeline.ts'
import type { Weather } from './weather.ts'

export type SourceOptions = {
  readonly shape: SourceShape
  readonly timeline: Timeline
  readonly weather: Weather
  readonly noise: Noise
  readonly rates: Rates
  readonly rare: Sightings
  readonly roadMs: number
  readonly lateMs: number
  readonly holdfast: () => Holdfast | undefined
  /** A message set out. */
  readonly onSaid: (messageId: string, body: string) => void
}

/** One line of an order as the connector wants the warehouse to have it now. */
export type WantedLine = {
  readonly shop: string
  readonly orderNumber: string
  readonly line: string
  readonly sku: string
  readonly units: number
}

export interface SimulatedSource {
  readonly name: string
  readonly shape: SourceShape
  readonly wms: SimulatedWarehouse
  /** Brings the book to what an order says now. */
  handOver(wanted: WantedLine): void
  /** Units of a line that have truly left, whatever the book says. */
  shipped(line: string): number
  ship(line: BookLine, order: { shop: string; orderNumber: string }, units: number): void
  free(sku: string, warehouse: string): number
  /** Takes units from sale (or, negative, gives them back): damaged ones, or those of orders that are not ours. */
  bind(what: 'blocked' | 'elsewhere', sku: string, warehouse: string, units: number): void
  shipElsewhere(sku: string, warehouse: string, units: number): void
  bound(what: 'blocked' | 'elsewhere', sku: string, warehouse: string): number
  /** Units that truly lie on the shelves for customers of ours, promised to them or not. */
  sellable(sku: string): number
  readonly lines: () => readonly { readonly shop: string; readonly orderNumber: string; readonly line: BookLine }[]
  /** When the oldest message that we did not acknowledge yet was said; `Infinity` when none is under way. */
  oldestUnderWay(): number
  /** Messages said so far. */
  readonly said: () => number
  /** When the first message after number `after` that tells the figure of a shelf was acknowledged. */
  figureToldAt(after: number, sku: string, warehouse: string): number | undefined
  /** When the last of the messages with these numbers was acknowledged; `undefined` while one is not. */
  allToldAt(after: number, upTo: number): number | undefined
  /** Messages that we answered 202, by their id. */
  readonly acknowledged: ReadonlySet<string>
  /** Everything under way arrives now. */
  hurry(): void
  readonly wasRestored: () => boolean
  restore(newEpoch: boolean): void
  /** An operator sets the book right after a restart. */
  setRight(): void
}

/** Pauses between tries of one message, in ms. */
const TRY_AGAIN_MS = [300, 1_000, 3_000, 10_000] as const

export function openSource(options: SourceOptions): SimulatedSource {
  const { shape, timeline, weather, noise, rates, rare } = options
  const id = sourceOf(shape.name)
  const shippedUnits = new Map<string, number>()
  /** What is truly blocked or promised elsewhere, whatever a restarted book believes. */
  const blocked = new Map<string, number>()
  const elsewhere = new Map<string, number>()
  const underWay = new Map<string, { readonly saidAt: number; readonly body: string }>()
  const acknowledged = new Set<string>()
  const handed = new Map<string, WantedLine>()
  let said = 0
  let tick = 0
  const spoken: { readonly id: string; readonly shelves: ReadonlySet<string>; acknowledgedAt: number | undefined }[] =
    []
  let newestArrived = 0
  let restored = false
  let toldEpoch = false

  const deliver = async (messageId: string, body: string, tried: number): Promise<void> => {
    const holdfast = options.holdfast()
    const isUp = holdfast?.isListening() === true && !weather.is(`road:${shape.name}`)
    const code = isUp
      ? await Promise.race([holdfast.receive(id, messageId, body), timeline.sleep(10_000).then(() => 0)])
      : 0
    if (code === 202) {
      if (acknowledged.has(messageId)) rare.saw('same message delivered twice')
      if (!acknowledged.has(messageId)) {
        const one = spoken.findLast((each) => each.id === messageId)
        if (one) one.acknowledgedAt = timeline.now()
      }
      acknowledged.add(messageId)
      underWay.delete(messageId)
      return
    }
    const pauseMs = weather.isCalm() ? 300 : (TRY_AGAIN_MS[Math.min(tried, TRY_AGAIN_MS.length - 1)] ?? 0)
    timeline.after(pauseMs, () => void deliver(messageId, body, tried + 1))
  }

  const carry = (messageId: string, body: string): void => {
    options.onSaid(messageId, body)
    said += 1
    const number = said
    underWay.set(messageId, { saidAt: timeline.now(), body })
    spoken.push({ id: messageId, shelves: shelvesIn(body), acknowledgedAt: undefined })
    const isLate = !weather.isCalm() && noise.chance(rates.lateWord)
    const ms = isLate ? noise.between(options.roadMs, options.lateMs) : noise.between(0, options.roadMs)
    const arrive = (): void => {
      if (number < newestArrived) rare.saw('word overtaken by a later one')
      newestArrived = Math.max(newestArrived, number)
      void deliver(messageId, body, 0)
    }
    timeline.after(weather.isCalm() ? 5 : ms, arrive)
    if (!weather.isCalm() && noise.chance(rates.twiceWord))
      timeline.after(ms + noise.between(1, options.lateMs), () => void deliver(messageId, body, 0))
  }

  const wms = startSimulatedWarehouse({
    name: shape.name,
    warehouses: shape.warehouses,
    semantics: shape.semantics,
    ordered: shape.ordered,
    dialect: shape.dialect,
    deliver: { carry },
    random: noise,
    // Two acts never share a tick: what a coarser clock leaves open is proved elsewhere.
    clock: () => {
      tick = Math.max(tick + 1, timeline.now())
      return tick
    },
    pause: timeline.sleep,
  })
  const source: SimulatedSource = {
    name: shape.name,
    shape,
    wms,
    handOver({ shop, orderNumber, line, sku, units }) {
      const known = wms.book().orders.get(`${shop}/${orderNumber}`)
      if (units > 0) handed.set(line, { shop, orderNumber, line, sku, units })
      if (!known) {
        if (units === 0) return
        wms.importOrder({ shop, orderNumber, lines: [{ line, sku, units }] })
        wms.acknowledge(shop, orderNumber)
        return
      }
      const found = known.lines.find((each) => each.line === line)
      if (!found) {
        if (units > 0) known.lines.push({ ...emptyLine, line, sku, units, warehouse: shape.warehouses[0] })
        if (units > 0) wms.acknowledge(shop, orderNumber)
        return
      }
      if (found.units - found.cancelled === units) return
      wms.changeOrder(shop, orderNumber, line, units)
      if (units > 0) wms.acknowledge(shop, orderNumber)
    },
    shipped: (line) => shippedUnits.get(line) ?? 0,
    ship(line, { shop, orderNumber }, units) {
      // A picker does not send a second time what a restarted book has forgotten that it sent.
      const gone = shippedUnits.get(line.line) ?? 0
      const truly = Math.min(units, line.units - line.cancelled - Math.max(gone, line.shipped))
      if (truly <= 0) return
      const before = line.shipped
      wms.ship(shop, orderNumber, { line: line.line, units: truly })
      shippedUnits.set(line.line, gone + line.shipped - before)
    },
    free(sku, warehouse) {
      const { onHand, blocked, elsewhere } = bookOf(wms.book(), sku, warehouse)
      return Math.max(0, onHand - blocked - elsewhere - ownAllocated(wms.book(), sku, warehouse))
    },
    bind(what, sku, warehouse, units) {
      const kept = what === 'blocked' ? blocked : elsewhere
      const key = `${warehouse}/${sku}`
      kept.set(key, (kept.get(key) ?? 0) + units)
      if (what === 'blocked') wms.block(sku, units, warehouse)
      else wms.allocateElsewhere(sku, units, warehouse)
    },
    shipElsewhere(sku, warehouse, units) {
      const key = `${warehouse}/${sku}`
      elsewhere.set(key, (elsewhere.get(key) ?? 0) - units)
      wms.shipElsewhere(sku, units, warehouse)
    },
    bound: (what, sku, warehouse) => (what === 'blocked' ? blocked : elsewhere).get(`${warehouse}/${sku}`) ?? 0,
    sellable(sku) {
      return shape.warehouses.reduce((sum, warehouse) => {
        const key = `${warehouse}/${sku}`
        return sum + wms.truth(sku, warehouse) - (blocked.get(key) ?? 0) - (elsewhere.get(key) ?? 0)
      }, 0)
    },
    lines: () =>
      [...wms.book().orders.values()].flatMap(({ shop, orderNumber, lines }) =>
        lines.map((line) => ({ shop, orderNumber, line })),
      ),
    oldestUnderWay: () => {
      let oldest = Number.POSITIVE_INFINITY
      for (const { saidAt } of underWay.values()) oldest = Math.min(oldest, saidAt)
      return oldest
    },
    acknowledged,
    said: () => said,
    figureToldAt(after, sku, warehouse) {
      const moments = spoken
        .slice(after)
        .flatMap(({ shelves, acknowledgedAt }) => (shelves.has(`${warehouse}/${sku}`) ? (acknowledgedAt ?? []) : []))
      return moments.length === 0 ? undefined : Math.min(...moments)
    },
    allToldAt(after, upTo) {
      const moments = spoken.slice(after, upTo).map(({ acknowledgedAt }) => acknowledgedAt)
      return moments.reduce<number | undefined>(
        (last, each) => (last === undefined || each === undefined ? undefined : Math.max(last, each)),
        0,
      )
    },
    hurry() {
      for (const [messageId, { body }] of underWay) void deliver(messageId, body, 0)
    },
    wasRestored: () => restored,
    restore(newEpoch) {
      wms.restartFromBackup({ newEpoch })
      restored = true
      toldEpoch = newEpoch
      rare.saw(newEpoch ? 'restart with a new epoch' : 'restart disputed')
    },
    setRight() {
      // The connector hands over again what the restarted book has forgotten, the cancelled ones too.
      for (const lost of handed.values()) {
        const known = wms.book().orders.get(`${lost.shop}/${lost.orderNumber}`)
        if (!known?.lines.some(({ line }) => line === lost.line)) source.handOver(lost)
      }
      for (const { shop, orderNumber, line } of source.lines()) {
        wms.setRight({ shop, orderNumber, line: line.line, units: shippedUnits.get(line.line) ?? 0 })
      }
      for (const stock of wms.book().stock.values()) {
        wms.setRight(stock)
        stock.blocked = blocked.get(`${stock.warehouse}/${stock.sku}`) ?? 0
        stock.elsewhere = elsewhere.get(`${stock.warehouse}/${stock.sku}`) ?? 0
      }
      // What the restarted book gave out twice it takes back.
      for (const { line } of source.lines()) {
        const { onHand, blocked: held, elsewhere: others } = bookOf(wms.book(), line.sku, line.warehouse)
        const over = held + others + ownAllocated(wms.book(), line.sku, line.warehouse) - onHand
        line.allocated -= Math.min(line.allocated, Math.max(0, over))
        line.picked = Math.min(line.picked, line.allocated)
      }
      // Whoever sets the book right says so: numbers from before it compare with nothing that follows.
      if (!toldEpoch) wms.beginEpoch()
      restored = false
    },
  }
  return source
}

/** The shelves whose figures a message tells. */
function shelvesIn(body: string): ReadonlySet<string> {
  const { type, warehouse, sku, figures } = objectOf(JSON.parse(body))
  if (type === 'stock.snapshot' && Array.isArray(figures))
    return new Set(figures.map((each) => `${warehouse}/${objectOf(each).sku}`))
  return new Set(type === undefined || type === 'stock.level.reported' ? [`${warehouse}/${sku}`] : [])
}

const emptyLine = { allocated: 0, picked: 0, shipped: 0, cancelled: 0 } as const

/** The line of an order in a warehouse's book, if it is there. */
export const bookLine = (
  source: SimulatedSource,
  shop: string,
  orderNumber: string,
  line: string,
): BookLine | undefined =>
  source.wms.book().orders.has(`${shop}/${orderNumber}`)
    ? lineOf(source.wms.book(), shop, orderNumber, line)[0]
    : undefined

/** The doors of all sources, as they read real messages. */
export const doorsOf = (shapes: readonly SourceShape[]): ReadonlyMap<SourceId, SourceDoor> =>
  new Map(
    shapes.map(({ name, dialect, semantics, warehouses }) => [
      sourceOf(name),
      doorOf({
        name,
        dialect,
        auth: { kind: 'bearer', tokenHashes: [createHash('sha256').update(TOKEN).digest()] },
        semantics,
        defaultWarehouse: warehouses[0],
        warehouses,
        availableIncludesReserved: false,
      }),
    ]),
  )
