/**
 * The world of the story: a real shop with the app in it, a real Holdfast, and two warehouses that speak to it, one net and one gross.
 * Each file of the story opens it afresh and leaves the shop as it found it: the app uninstalled, orders and products of the run gone.
 */
import type { Static } from 'typebox'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { databaseNow } from '../../src/adapters/postgres/database.ts'
import type { ConfigurationDocument } from '../../src/app/configuration-file.ts'
import { type Answer, Refused } from '../../src/cli/command.ts'
import type { Instant } from '../../src/core/ids.ts'
import type { IncidentPage, Stock } from '../../src/http/contract.ts'
import { eventually } from './eventually.ts'
import type { GoBetween } from './go-between.ts'
import { type HoldfastProcess, openHoldfast, SOURCE_SECRET } from './holdfast-process.ts'
import { openRealShop, type RealShop } from './real-shop.ts'
import type { Cart, Placed } from './shop-carts.ts'
import { type StoryWarehouse, storyWarehouse } from './story-warehouse.ts'

/** The shop's name in the configuration, the one of the other channel, and the app's technical name. */
export const SHOP = 'real'
export const TILL = 'till'
const APP = 'Holdfast'
/** The rule under which the whole story is played, in milliseconds. */
export const ORDER_IN_FLIGHT_MS = 10_000
/** What is promised: a change is in the shop so long after its message in ordinary running, and after connecting or a restart. */
export const SHOWN_WITHIN_MS = 2_000
export const SHOWN_AFTER_SILENCE_MS = ORDER_IN_FLIGHT_MS + 5_000

export type StoryWorld = {
  readonly shop: RealShop
  readonly holdfast: HoldfastProcess
  readonly net: StoryWarehouse
  readonly gross: StoryWarehouse
  /** Puts the rules in force; `shopRules` replace single ones of the shop. */
  configure(shopRules?: Partial<ConfigurationDocument['shops'][string]>): Promise<void>
  /** Builds the app, installs it in the shop, and waits until the shop is connected. Returns how long the connecting took, in ms. */
  install(): Promise<number>
  uninstall(): Promise<void>
  shopState(): Promise<string>
  request(method: string, path: string, body?: unknown): Promise<Answer>
  stock(sku: string): Promise<Static<typeof Stock>>
  /** What Holdfast says of a SKU for the shop. */
  view(sku: string): Promise<View>
  sees(sku: string, wanted: Partial<View>): Promise<View>
  /** Waits until the shop shows so many units, and returns how long it took in ms. */
  shows(sku: string, units: number, withinMs?: number): Promise<number>
  /** Waits until Holdfast has nothing left to do about a SKU: no message unread, no number to be looked at. */
  quiet(sku: string): Promise<void>
  /**
   * Waits until nothing makes Holdfast look at a SKU by itself: the shop has delivered all that it had to say of the product, and
   * our last write was looked at once more. From then on only new words wake it, or the round of old numbers after five minutes.
   */
  settled(sku: string): Promise<void>
  /** How many writes of a product the shop has told the app of, whoever wrote; waits until all of them have arrived. */
  writesTold(sku: string): Promise<number>
  /** Sets the shop's number as nobody can notice: by SQL, which sends no webhook. */
  setStockUnseen(sku: string, units: number): Promise<void>
  /** The same for all SKUs that begin so. */
  setStocksUnseen(prefix: string, units: number): Promise<void>
  /** Waits until every order that was in the shop before this call is known. */
  ordersRead(): Promise<void>
  /** Waits until the watermark has passed this call: what is read as new or changed then no longer goes back to what was before. */
  watermarkPassed(): Promise<void>
  /** A close-out product that the net warehouse has `units` of, shown by the shop. */
  stocked(name: string, units: number): Promise<string>
  ordered(sku: string, units: number): Promise<Placed>
  place(cart: Cart): Promise<Placed>
  incidents(): Promise<Static<typeof IncidentPage>['incidents']>
  verify(): Promise<{ readonly problems: readonly unknown[] }>
  /** Broken invariants that this process counted; 0 unless something is wrong with Holdfast. */
  bugs(): Promise<number>
  /** Gateway calls that this process answered, and the mean time of one from its arrival to its answer, in ms. */
  answers(): Promise<{ readonly count: number; readonly meanMs: number }>
  end(): Promise<void>
}

export type View = {
  readonly sellable: number | undefined
  readonly reserved: number | undefined
  readonly shortage: number | undefined
}

/** Events of the shop's log that are looked through; the newest come first. */
const LOG_ROWS = 500
const logRows = Compile(
  Type.Object({
    data: Type.Array(Type.Object({ deliveryStatus: Type.String(), requestContent: Type.Unknown() })),
  }),
)
const appRows = Compile(Type.Object({ data: Type.Array(Type.Object({ name: Type.String() })) }))

/**
 * Opens the shop and starts Holdfast; the app is not installed yet.
 *
 * @param between through which the shop reaches Holdfast; without it, directly
 */
export async function openStory(between?: GoBetween): Promise<StoryWorld> {
  const shop = await openRealShop(process.env)
  const { installApp, uninstallApp } = shop.commands
  if (installApp === undefined || uninstallApp === undefined)
    throw new Error(
      'SHOPWARE_VARIABLE_MISSING: SHOPWARE_INSTALL_APP and SHOPWARE_UNINSTALL_APP. Set both for the story.',
    )
  const isInstalled = async (): Promise<boolean> => {
    const filter = [{ type: 'equals', field: 'name', value: APP }]
    return (await shop.admin.search('app', { filter, includes: { app: ['name'] } }, appRows)).data.length > 0
  }
  // An app that an interrupted run has left knows another Holdfast.
  if (await isInstalled()) await uninstallApp(APP)
  const holdfast = await openHoldfast(between?.url)
  if (between) between.target = () => holdfast.url
  const { client, database } = holdfast
  const [net, gross] = ['net', 'gross'].map((name) => storyWarehouse(name, holdfast))
  if (net === undefined || gross === undefined) throw new Error('no warehouses')

  const request: StoryWorld['request'] = async (method, path, body) => {
    try {
      return await client.request(method, path, body === undefined ? {} : { body })
    } catch (cause) {
      if (cause instanceof Refused) return { httpCode: 409, body: cause.body }
      throw cause
    }
  }
  const stock = async (sku: string): Promise<Static<typeof Stock>> => {
    const { body } = await client.request('GET', `/v1/stock?skus=${encodeURIComponent(sku)}`)
    const [first] = body as Static<typeof Stock>[]
    if (first === undefined) throw new Error(`NO_STOCK: Holdfast told nothing of ${sku}.`)
    return first
  }
  const view = async (sku: string): Promise<View> => {
    const mine = (await stock(sku)).shops.find((each) => each.shop === SHOP)
    return { sellable: mine?.sellableUnits, reserved: mine?.reservedUnits, shortage: mine?.shortageUnits }
  }
  const sees: StoryWorld['sees'] = (sku, wanted) =>
    eventually(
      () => view(sku),
      (seen) => Object.entries(wanted).every(([name, units]) => seen[name as keyof View] === units),
      `Holdfast says ${JSON.stringify(wanted)} of ${sku}`,
    )
  const shows: StoryWorld['shows'] = async (sku, units, withinMs) => {
    const beganMs = performance.now()
    await eventually(
      () => shop.stockOf(sku),
      (seen) => seen === units,
      `the shop shows ${units} of ${sku}`,
      withinMs,
    )
    return performance.now() - beganMs
  }
  const shopState = async (): Promise<string> => {
    const { body } = await client.request('GET', '/v1/shops')
    return (body as { shop: string; state: string }[]).find((each) => each.shop === SHOP)?.state ?? 'unknown'
  }
  const place = async (cart: Cart): Promise<Placed> => {
    const outcome = await shop.order(cart)
    if (outcome.refused) throw new Error(`ORDER_REFUSED: ${outcome.messages.join('; ')}. The story expected a yes.`)
    return outcome
  }
  /** A metric without labels; NaN when there is none. */
  const metric = async (name: string): Promise<number> => {
    const text = await (await fetch(`${holdfast.url}/metrics`)).text()
    return Number(new RegExp(`^holdfast_${name} (\\S+)$`, 'm').exec(text)?.[1])
  }
  /** Waits until the watermark stands behind the moment of this call plus `ms`. */
  const watermarkAfter = async (ms: number): Promise<void> => {
    const calledAt = await databaseNow(database.pool)
    const watermark = async (): Promise<number> => {
      const { rows } = await database.pool.query<{ moment: Instant }>('select moment from watermark where owner = $1', [
        SHOP,
      ])
      return rows[0]?.moment ?? 0
    }
    await eventually(watermark, (moment) => moment > calledAt + ms, 'the orders of the shop are read')
  }
  const configure: StoryWorld['configure'] = async (shopRules = {}) => {
    const auth = { kind: 'standard-webhooks', secretFrom: { env: SOURCE_SECRET } } as const
    const rules = { warehouses: ['net', 'gross'], zone: 'Europe/Berlin' }
    const document: ConfigurationDocument = {
      sources: {
        net: { semantics: 'net', auth, defaultWarehouse: 'net' },
        gross: { semantics: 'gross', auth, defaultWarehouse: 'gross' },
      },
      warehouses: { net: { source: 'net', zone: 'Europe/Berlin' }, gross: { source: 'gross', zone: 'Europe/Berlin' } },
      shops: {
        [SHOP]: { kind: 'shopware', url: shop.url, orderInFlight: `${ORDER_IN_FLIGHT_MS}ms`, ...rules, ...shopRules },
        [TILL]: { kind: 'channel', ...rules },
      },
    }
    await client.request('PUT', '/v1/configuration', { body: document })
  }

  const world: StoryWorld = {
    shop,
    holdfast,
    net,
    gross,
    configure,
    async install() {
      await installApp(await holdfast.buildApp())
      const beganMs = performance.now()
      await eventually(shopState, (state) => state === 'connected', 'the shop is connected')
      return performance.now() - beganMs
    },
    async uninstall() {
      await uninstallApp(APP)
    },
    shopState,
    request,
    stock,
    view,
    sees,
    shows,
    async quiet(sku) {
      const busy = async (): Promise<number> => {
        const { rows } = await database.pool.query<{ busy: number }>(
          `select (select count(*) from inbox where state = 'pending')::int
                + (select count(*) from dirty join sku on sku.id = dirty.sku_id
                   where sku.sku = $1 and (due_at <= clock_timestamp() or claimed_until > clock_timestamp()))::int as busy`,
          [sku],
        )
        return rows[0]?.busy ?? 0
      }
      await eventually(busy, (left) => left === 0, `nothing is left to do about ${sku}`)
    },
    async settled(sku) {
      await world.writesTold(sku)
      // Far later it looks once more after a foreign write, to say that it is over.
      const marks = async (): Promise<number> => {
        const { rows } = await database.pool.query(
          `select 1
           from dirty
           join sku on sku.id = dirty.sku_id
           where sku.sku = $1
             and due_at < clock_timestamp() + interval '1 minute'`,
          [sku],
        )
        return rows.length
      }
      await eventually(marks, (left) => left === 0, `nothing is left to look at about ${sku}`)
    },
    async writesTold(sku) {
      const { productId } = await shop.productOf(sku)
      const told = async () => {
        const { data } = await shop.admin.search(
          'webhook-event-log',
          {
            filter: [{ type: 'equals', field: 'eventName', value: 'product.written' }],
            sort: [{ field: 'createdAt', order: 'DESC' }],
            limit: LOG_ROWS,
          },
          logRows,
        )
        return data.filter(({ requestContent }) => JSON.stringify(requestContent).includes(productId))
      }
      const events = await eventually(
        told,
        (found) => found.every(({ deliveryStatus }) => deliveryStatus === 'success'),
        'the shop has delivered what it says of its products',
      )
      return events.length
    },
    async setStockUnseen(sku, units) {
      const { sql } = shop.commands
      if (sql === undefined) throw new Error('SHOPWARE_VARIABLE_MISSING: SHOPWARE_SQL. Set it for this test.')
      const { productId } = await shop.productOf(sku)
      // With its time of change, so that carts which were filled before see it.
      await sql(
        `UPDATE product SET stock = ${units}, available_stock = ${units}, available = 1, updated_at = NOW(3) WHERE id = UNHEX('${productId}')`,
      )
    },
    async setStocksUnseen(prefix, units) {
      const { sql } = shop.commands
      if (sql === undefined) throw new Error('SHOPWARE_VARIABLE_MISSING: SHOPWARE_SQL. Set it for this test.')
      await sql(
        `UPDATE product SET stock = ${units}, available_stock = ${units}, updated_at = NOW(3) WHERE product_number LIKE '${prefix}%'`,
      )
    },
    ordersRead: () => watermarkAfter(-ORDER_IN_FLIGHT_MS),
    watermarkPassed: () => watermarkAfter(0),
    async stocked(name, units) {
      const sku = shop.sku(name)
      await shop.createProduct({ sku, stock: 0, closeOut: true })
      await net.say({ type: 'stock.level.reported', sku, net: units })
      await shows(sku, units)
      await world.quiet(sku)
      return sku
    },
    ordered: async (sku, units) => place(await shop.prepareCart({ sku, units })),
    place,
    incidents: async () => {
      const { body } = await client.request('GET', '/v1/incidents?closed=true&limit=500')
      return (body as Static<typeof IncidentPage>).incidents
    },
    verify: async () => (await client.request('POST', '/v1/verify')).body as { problems: unknown[] },
    bugs: () => metric('bugs_total'),
    async answers() {
      const [seconds, count] = [
        await metric('checkout_answer_seconds_sum'),
        await metric('checkout_answer_seconds_count'),
      ]
      return { count, meanMs: (seconds * 1_000) / count }
    },
    async end() {
      try {
        if (await isInstalled()) await uninstallApp(APP)
        await shop.removeEverythingOf()
      } finally {
        shop.close()
        await holdfast.end()
      }
    },
  }
  return world
}

/** Prints a figure of the story beside what is promised. A slow machine fails no test: only what never comes does, at `eventually`. */
export function promised(what: string, tookMs: number, withinMs: number): void {
  tell(what, `${Math.round(tookMs)} ms, promised ${withinMs} ms${tookMs > withinMs ? ': SLOWER' : ''}`)
}

export function tell(what: string, text: string): void {
  console.log(`[story] ${what}: ${text}`)
}
