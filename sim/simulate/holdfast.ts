/**
 * One process of Holdfast: the real use cases, loops and core on the store in memory, in virtual time. It can be killed between
 * any two of its steps; what it had not committed is lost, what it had asked of others may or may not have been done.
 */
import type { Decided } from '../../src/adapters/memory/decision.ts'
import { inboxOn, wakeParked } from '../../src/adapters/memory/inbox.ts'
import { memoryLane } from '../../src/adapters/memory/lane.ts'
import { loadStates } from '../../src/adapters/memory/load.ts'
import { publicationBookOn } from '../../src/adapters/memory/publication-book.ts'
import { shopBookOn } from '../../src/adapters/memory/shop-book.ts'
import { demandAt, type MemoryStore } from '../../src/adapters/memory/store.ts'
import { answerCheckout, type CheckoutCall, type CheckoutOutcome, type Objection } from '../../src/app/checkout.ts'
import { insistOn } from '../../src/app/insist.ts'
import type { Lane } from '../../src/app/lane.ts'
import type { Shop } from '../../src/app/ports.ts'
import { applyPending, type ReceivePorts, receiveDelivery, type SourceDoor } from '../../src/app/receive.ts'
import type { SeenRow } from '../../src/app/shop-ports.ts'
import { type ShopSide, startShopSide } from '../../src/app/shop-side.ts'
import type { Configuration } from '../../src/core/configuration.ts'
import type { Command } from '../../src/core/decide.ts'
import { isHeld } from '../../src/core/demand.ts'
import { instantOf, type ShopId, type SourceId } from '../../src/core/ids.ts'
import { bandOf } from '../../src/core/publication.ts'
import { Failure } from '../../src/errors.ts'
import type { Noise } from './noise.ts'
import type { Sightings } from './rare.ts'
import type { Rates } from './shape.ts'
import { loopsOn, type Timeline } from './timeline.ts'
import type { Weather } from './weather.ts'

export type HoldfastOptions = {
  readonly name: string
  readonly timeline: Timeline
  readonly store: MemoryStore
  readonly rules: Configuration
  readonly doors: ReadonlyMap<SourceId, SourceDoor>
  readonly connection: (shop: ShopId) => Shop
  readonly weather: Weather
  readonly noise: Noise
  readonly rates: Rates
  readonly rare: Sightings
  readonly onDecided: (command: Command, decided: Decided) => void
  /** Something happened that must never happen. */
  readonly onBug: (cause: unknown, where: string) => void
  readonly onDeath: () => void
}

export type CheckoutAnswer = { readonly outcome: CheckoutOutcome; readonly objections: readonly Objection[] }

/** A running process. What is asked of a dead one is never answered. */
export interface Holdfast {
  readonly isAlive: () => boolean
  /** Whether its door is open: who is stopped in order closes it first, and ends what was begun behind it. */
  readonly isListening: () => boolean
  readonly side: ShopSide
  readonly lane: Lane
  /** Takes a delivery; the answer is the HTTP code, 503 with the database away. */
  receive(source: SourceId, id: string, body: string): Promise<number>
  checkout(shop: ShopId, call: CheckoutCall): Promise<CheckoutAnswer>
  /** Live holds of an API key, by SKU. */
  held(shop: ShopId, reservation: string): ReadonlyMap<string, number>
  onRecorded(orderNumbers: readonly string[]): Promise<void>
  /** Dies after so many more steps; at once when 0. */
  kill(steps: number): void
  /** Takes back what {@link kill} has begun. */
  spare(): void
  stop(): Promise<void>
}

/** Loops go slower than in production, so that an hour of the world costs less; heartbeats stay well below what counts as lost. */
const STRETCH = 3
const NEVER = new Promise<never>(() => undefined)

/** The database does not answer. */
export const away = (): Failure => new Failure('DATABASE_UNREACHABLE', 'It is away', { retry: 'later' })

/** Starts a process; rejects when the database is away. */
export async function startHoldfast(options: HoldfastOptions): Promise<Holdfast> {
  const { name, timeline, store, rules, weather, noise, rates, rare } = options
  let alive = true
  let isClosed = false
  let fuse: number | undefined
  let receiving = 0
  let named = 0

  const die = (): void => {
    if (!alive) return
    alive = false
    if (receiving > 0) rare.saw('crash while a message was being received')
    options.onDeath()
  }
  /** Burns the fuse one step; true when the process dies at this very step. */
  const burns = (): boolean => {
    if (fuse === undefined) return false
    fuse -= 1
    if (fuse > 0) return false
    die()
    return true
  }
  const step = <T>(work: () => T): T | Promise<never> => {
    if (!alive) return NEVER
    if (burns()) {
      rare.saw('crash in the middle of a round')
      if (noise.chance(0.5)) void Promise.resolve(work()).catch(() => undefined)
      return NEVER
    }
    return work()
  }
  const onDatabase = <T>(work: () => T): T | Promise<never> =>
    step(() => (weather.is('database-away') ? Promise.reject(away()) : work()))
  const guarded = <T extends object>(target: T, through: (work: () => unknown) => unknown): T =>
    new Proxy(target, {
      get(on, property, receiver) {
        const value: unknown = Reflect.get(on, property, receiver)
        return typeof value === 'function' ? (...given: unknown[]) => through(() => value.apply(on, given)) : value
      },
    })
  const trouble = (cause: unknown, where: string): void => {
    if (!(cause instanceof Failure)) options.onBug(cause, where)
  }
  const newId = (): string => `${name}-${named++}`
  const startLoop = loopsOn(timeline, STRETCH, () => alive)
  const pause = (ms: number): Promise<void> => timeline.sleep(ms)

  const lane = memoryLane({
    store,
    configuration: () => rules,
    onChanged: () => side?.wakePublishers(),
    onBug: (cause, command) => options.onBug(cause, `command ${command.kind}`),
    onDecided: options.onDecided,
    async turn(urgency) {
      if (!alive || burns()) await NEVER
      if (weather.is('database-away')) throw away()
      if (weather.is('database-slow') && urgency === 'checkout') {
        rare.saw('database slow at checkout')
        await timeline.sleep(noise.between(1_000, 6_000))
      } else if (noise.chance(0.4)) await timeline.sleep(noise.between(1, 12))
      if (!alive) await NEVER
      if (weather.is('database-away')) throw away()
    },
    async acknowledge() {
      if (burns()) {
        rare.saw('crash between commit and answer')
        await NEVER
      }
      if (!weather.isCalm() && noise.chance(rates.lostAnswer)) {
        rare.saw('commit whose outcome is unknown')
        throw away()
      }
      if (noise.chance(0.2)) {
        await timeline.sleep(noise.between(1, 12))
        if (!alive) await NEVER
      }
    },
  })
  const noticeWaiting = (shop: ShopId, { skuId, seenUnits, written }: SeenRow): void => {
    const table = store.skusById[skuId - 1]
    if (!table || seenUnits === null || written) return
    const [state] = loadStates(store, [table.sku])
    const band = state && bandOf(state, rules, shop, store.now())
    if (band && seenUnits < band.leastUnits) rare.saw('rise had to wait after a silence')
  }
  const insist = insistOn(lane, (cause, command) => trouble(cause, `insisted ${command.kind}`), pause)
  const publicationBook = publicationBookOn(store)
  const publications = guarded(
    {
      ...publicationBook,
      async remember(shop: ShopId, rows: Parameters<typeof publicationBook.remember>[1]) {
        for (const row of store.shops.get(shop)?.silentFrom === undefined ? [] : rows) noticeWaiting(shop, row)
        return await publicationBook.remember(shop, rows)
      },
    },
    onDatabase,
  )
  const book = guarded(shopBookOn(store), onDatabase)
  const receivePorts: ReceivePorts = {
    inbox: guarded(inboxOn(store), onDatabase),
    lane,
    doors: (source) => options.doors.get(source),
    newId,
    onTrouble: (cause, messageId) => trouble(cause, `message ${messageId}`),
    wake: () => {
      applying.wake()
      applyingBulk.wake()
    },
  }
  const onRecorded = async (orderNumbers: readonly string[]): Promise<void> => {
    const woken = await onDatabase(() => wakeParked(store, orderNumbers))
    if (woken > 0) {
      rare.saw('parked word woken by its order')
      receivePorts.wake()
    }
  }
  const states = async (skus: Parameters<typeof loadStates>[1]) => await onDatabase(() => loadStates(store, skus))

  const side: ShopSide = await startShopSide({
    book,
    publications,
    lane,
    rules: () => rules,
    states,
    connection: async (shop) => guarded(options.connection(shop), step),
    holdsLease: async () => alive,
    enter: (whenAlone) => whenAlone(),
    onRecorded,
    onTrouble: trouble,
    onIncident: async () => undefined,
    onSettled: async () => undefined,
    processId: name,
    startLoop,
    newRevision: newId,
    clock: () => instantOf(timeline.now()),
  })
  const applyLoop = (size: 'ordinary' | 'bulk') =>
    startLoop({
      name: `apply-${size}`,
      everyMs: 500,
      onTrouble: trouble,
      round: async () => (await applyPending(receivePorts, size)) > 0,
    })
  const applying = applyLoop('ordinary')
  const applyingBulk = applyLoop('bulk')
  const burying = startLoop({
    name: 'bury',
    everyMs: 60_000 / STRETCH,
    onTrouble: trouble,
    async round() {
      await receivePorts.inbox.bury()
      return false
    },
  })

  return {
    isAlive: () => alive,
    isListening: () => alive && !isClosed,
    side,
    lane,
    async receive(source, id, body) {
      receiving += 1
      try {
        const headers = { authorization: `Bearer ${TOKEN}`, 'webhook-id': id, 'content-type': 'application/json' }
        const result = await receiveDelivery(receivePorts, source, { headers, raw: Buffer.from(body) })
        if (!alive) return await NEVER
        return 'receipt' in result ? 202 : result.refused.httpCode
      } catch (cause) {
        trouble(cause, 'receive')
        return 503
      } finally {
        receiving -= 1
      }
    },
    async checkout(shop, call) {
      if (!alive) return NEVER
      const answer = await answerCheckout(
        {
          lane,
          rules: () => rules,
          status: side.status,
          lastShown: side.lastShown,
          now: async () => store.now(),
          afterAnswer: insist.submit,
          states,
          onCall: side.onCall,
          newId,
          pause,
        },
        shop,
        call,
      )
      return alive ? answer : NEVER
    },
    held(shop, reservation) {
      const units = new Map<string, number>()
      for (const place of store.byReservation.get(reservation) ?? []) {
        const demand = demandAt(place)
        if (!isHeld(demand) || demand.shop !== shop) continue
        units.set(place.table.sku, (units.get(place.table.sku) ?? 0) + demand.units)
      }
      return units
    },
    onRecorded,
    kill(steps) {
      if (steps === 0) die()
      else fuse = steps
    },
    spare() {
      fuse = undefined
    },
    async stop() {
      isClosed = true
      insist.stop()
      await Promise.all([applying.stop(), applyingBulk.stop(), burying.stop(), side.stop()])
      die()
    },
  }
}

/** The bearer token of every simulated warehouse; it guards nothing. */
export const TOKEN = 'a-token-of-a-simulated-warehouse'
