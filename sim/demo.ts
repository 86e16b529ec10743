/** The demo: two simulated shops over one simulated warehouse, connected to a running Holdfast, told line by line. */
import { setTimeout as delay } from 'node:timers/promises'
import colors from 'picocolors'
import { connector } from './connector.ts'
import { goOn } from './everyday.ts'
import { seededRandom } from './random.ts'
import type { AppManifest } from './shopware/install.ts'
import { type SimulatedShop, startSimulatedShop } from './shopware.ts'
import { MARKET, play, type Scene } from './story.ts'
import { type DeliveryAuth, startSimulatedWarehouse } from './warehouse.ts'

/** What the demo asks of Holdfast; the caller knows how. */
export type DemoHoldfast = {
  readonly url: string
  /** Makes the source, its warehouse and the shops known, before anybody speaks. */
  configure(world: {
    readonly source: string
    readonly warehouse: string
    readonly auth: DeliveryAuth
    readonly shops: readonly { readonly name: string; readonly url: string }[]
    /** A channel without orders to read: it holds and tells its orders through the API. */
    readonly channel: string
  }): Promise<void>
  /** Holds units for a channel under a key of its own. */
  hold(channel: string, key: string, sku: string, units: number): Promise<void>
  /** The hold of that key became an order. */
  place(channel: string, key: string, order: string): Promise<void>
  /** What a shop reads from the app's manifest. */
  manifest(shop: string): AppManifest
  /** The quantities of a SKU, each by its own name; `available` is one of them. */
  stock(sku: string): Promise<Readonly<Record<string, number>>>
  deadLetters(): Promise<number>
}

/** What it takes to run the demo. */
export type DemoOptions = {
  readonly holdfast: DemoHoldfast
  /** How the warehouse proves itself; the same secret is handed to `configure`. */
  readonly auth: DeliveryAuth
  readonly log: (line: string) => void
  readonly stop: AbortSignal
  readonly seed?: number
}

/** The product that the story is about. */
const SKU = 'LAMP-OAK'
/** Sold beside it once the story is told; the shelves are bare at first. */
const OTHERS = {
  'LAMP-ASH': 'Ash lamp',
  'CHAIR-OAK': 'Oak chair',
  'CHAIR-RED': 'Red chair',
  'MUG-BLUE': 'Blue mug',
  TEAPOT: 'Teapot',
}
const SOURCE = 'demo-warehouse'
const WAREHOUSE = 'MAIN'

/**
 * Plays the story once, about half a minute, then everyday life with six products until `stop`.
 *
 * Throws where a shop cannot be connected; a stopped demo ends quietly.
 */
export async function runDemo({ holdfast, auth, log, stop, seed = 1 }: DemoOptions): Promise<void> {
  const shops: SimulatedShop[] = []
  const warehouse = startSimulatedWarehouse({
    name: SOURCE,
    warehouses: [WAREHOUSE],
    semantics: 'net',
    ordered: 'sequence',
    dialect: 'canonical',
    deliver: { url: holdfast.url, auth },
    random: seededRandom(seed),
  })
  try {
    const open = async (name: string) => {
      const random = seededRandom(seed + 1 + shops.length)
      const others = Object.entries(OTHERS).map(([sku, called]) => ({ sku, name: called, stock: 0 }))
      const products = [{ sku: SKU, name: 'Oak lamp', stock: 6 }, ...others]
      const shop = await startSimulatedShop({ name, products, random })
      shops.push(shop)
      return shop
    }
    const first = await open('demo-nord')
    const second = await open('demo-sued')
    const named = shops.map(({ name, url }) => ({ name, url }))
    await holdfast.configure({ source: SOURCE, warehouse: WAREHOUSE, auth, shops: named, channel: MARKET })
    log(HEAD)
    for (const shop of shops) {
      const done = await shop.install(holdfast.manifest(shop.name))
      if (!done.installed) throw new Error(`${shop.name} could not connect: ${done.refused}`)
      log(lineOf({ who: shop.name, what: `connected, ${shop.url}`, tone: 'calm' }))
    }
    const pause = (ms: number) => delay(ms, undefined, { signal: stop })
    const handing = connector(shops, warehouse)
    const stage = {
      warehouse,
      first,
      second,
      connector: handing,
      sku: SKU,
      stock: () => holdfast.stock(SKU),
      market: {
        hold: (units: number) => holdfast.hold(MARKET, 'basket-1', SKU, units),
        place: () => holdfast.place(MARKET, 'basket-1', 'M-1'),
      },
      deadLetters: () => holdfast.deadLetters(),
      pause,
    }
    for await (const scene of play(stage)) log(lineOf(scene))
    const skus = [SKU, ...Object.keys(OTHERS)]
    const random = seededRandom(seed)
    const everyday = { warehouse, shops, connector: handing, skus, random, stock: holdfast.stock, pause }
    for await (const scene of goOn(everyday)) log(lineOf(scene))
  } catch (cause) {
    if (!stop.aborted) throw cause
  } finally {
    await warehouse.stop()
    for (const shop of shops) await shop.stop()
  }
}

/** The quantities that every scene shows, in the order of their columns, with the width of each. */
const COLUMNS = { figure: 6, reserved: 8, shortage: 8, available: 9 } as const
const WHO_WIDTH = 14
const TONES = { calm: (text: string) => text, good: colors.green, refused: colors.yellow, odd: colors.magenta } as const

/** The line above all others: what the columns mean. */
const HEAD = colors.dim(
  `${'time'.padEnd(8)}  ${'who'.padEnd(WHO_WIDTH)}  ${Object.keys(COLUMNS).join('  ')}  what happened`,
)

/** One calm line: time, who, the quantities in columns, what happened; other numbers stand behind it. */
export function lineOf(scene: Scene, at = new Date()): string {
  const numbers = scene.numbers ?? {}
  const columns = Object.entries(COLUMNS).map(([name, width]) => String(numbers[name] ?? '').padStart(width))
  const others = Object.entries(numbers).filter(([name]) => !(name in COLUMNS))
  return [
    colors.dim(at.toISOString().slice(11, 19)),
    colors.cyan(scene.who.padEnd(WHO_WIDTH)),
    colors.bold(columns.join('  ')),
    TONES[scene.tone](scene.what),
    ...others.map(([name, units]) => colors.dim(`${name} ${units}`)),
  ].join('  ')
}
