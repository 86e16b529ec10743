import { randomUUID } from 'node:crypto'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { ShopAdmin } from './shop-admin.ts'

/** Price of a product when a test names none, gross, in the shop's own currency. */
const DEFAULT_PRICE = 10

export type NewProduct = {
  readonly sku: string
  readonly stock: number
  /** True: sold only while it lasts, so that Shopware itself looks at the stock. */
  readonly closeOut: boolean
  readonly price?: number
}
export type Product = { readonly productId: string; readonly sku: string; readonly price: number }

/** One look of `watchStock`: milliseconds since the watch began, how long the look took, and the units of each SKU. */
export type StockSample = {
  readonly atMs: number
  readonly tookMs: number
  readonly stock: ReadonlyMap<string, number>
}

/**
 * A running watch. `stop` waits for the looks under way, takes a last one, and gives all samples in the order in which they began:
 * the last shows what the stock was after `stop` was called. A failed look is thrown there.
 */
export type StockWatch = {
  /** Waits for the first look. */
  readonly begun: Promise<void>
  readonly stop: () => Promise<readonly StockSample[]>
}

/** Samples that one watch keeps; at 50 ms this is 16 minutes, and after them the watch ends by itself. */
const MAX_SAMPLES = 20_000

/** What products belong to: one tax rate, the shop's own currency, the category that the sales channel shows. */
export type ProductGround = {
  readonly taxId: string
  readonly currencyId: string
  readonly salesChannelId: string
  readonly categoryId: string
}

const idRows = Compile(Type.Object({ data: Type.Array(Type.Object({ id: Type.String() })) }))
const countRows = Compile(Type.Object({ total: Type.Integer() }))
/** Rows of one sync request: what a shop takes best. */
const SYNC_ROWS = 250

const stockRows = Compile(
  Type.Object({
    data: Type.Array(Type.Object({ id: Type.String(), stock: Type.Integer(), productNumber: Type.String() })),
  }),
)

/** The products of a test, made, read and deleted through the Admin API. */
export function productsOf(admin: ShopAdmin, ground: ProductGround) {
  const known = new Map<string, Product>()

  /** The stock of many SKUs by one search; a SKU that the shop does not have is absent. */
  const stockOfAll = async (skus: readonly string[]): Promise<Map<string, number>> => {
    const { data } = await admin.search(
      'product',
      {
        filter: [{ type: 'equalsAny', field: 'productNumber', value: skus }],
        includes: { product: ['id', 'stock', 'productNumber'] },
        limit: skus.length,
      },
      stockRows,
    )
    return new Map(data.map((row) => [row.productNumber, row.stock]))
  }

  const bodyOf = (wanted: NewProduct, { productId, price }: Product) => ({
    id: productId,
    productNumber: wanted.sku,
    name: `Test ${wanted.sku}`,
    stock: wanted.stock,
    isCloseout: wanted.closeOut,
    active: true,
    taxId: ground.taxId,
    price: [{ currencyId: ground.currencyId, gross: price, net: price, linked: false }],
    categories: [{ id: ground.categoryId }],
    visibilities: [{ salesChannelId: ground.salesChannelId, visibility: 30 }],
  })

  const sync = (entity: string, payload: readonly unknown[], what: string) =>
    admin.write(
      {
        method: 'POST',
        path: '/api/_action/sync',
        headers: { 'indexing-behavior': 'use-queue-indexing' },
        body: [{ key: 'w', entity, action: 'upsert', payload }],
      },
      what,
    )

  return {
    stockOfAll,

    /** Makes a product that the sales channel sells, visible everywhere, without variants. */
    async createProduct(wanted: NewProduct): Promise<Product> {
      const price = wanted.price ?? DEFAULT_PRICE
      const product = { productId: newId(), sku: wanted.sku, price }
      await admin.write(
        {
          method: 'POST',
          path: '/api/product',
          body: bodyOf(wanted, product),
        },
        `the new product ${wanted.sku}`,
      )
      known.set(wanted.sku, product)
      return product
    },

    /** Makes many close-out products with no stock, by the sync API. */
    async createProducts(skus: readonly string[]): Promise<void> {
      for (let from = 0; from < skus.length; from += SYNC_ROWS) {
        const made = skus
          .slice(from, from + SYNC_ROWS)
          .map((sku) => ({ productId: newId(), sku, price: DEFAULT_PRICE }))
        const payload = made.map((product) => bodyOf({ sku: product.sku, stock: 0, closeOut: true }, product))
        await sync('product', payload, `${made.length} new products`)
        for (const product of made) known.set(product.sku, product)
      }
    },

    /** Writes one number for many products as fast as the shop takes it, one request at a time. Returns products per second. */
    async writeStocks(skus: readonly string[], units: number, atOnce: number): Promise<number> {
      const ids = await Promise.all(skus.map(async (sku) => (await this.productOf(sku)).productId))
      ids.sort()
      const beganMs = performance.now()
      for (let from = 0; from < ids.length; from += atOnce) {
        const payload = ids.slice(from, from + atOnce).map((id) => ({ id, stock: units }))
        await sync('product', payload, 'numbers of many products')
      }
      return (skus.length * 1_000) / (performance.now() - beganMs)
    },

    /** How many products whose SKUs begin so show so many units. */
    async countWithStock(prefix: string, units: number): Promise<number> {
      const filter = [
        { type: 'prefix', field: 'productNumber', value: prefix },
        { type: 'equals', field: 'stock', value: units },
      ]
      const criteria = { filter, includes: { product: ['id'] }, limit: 1, 'total-count-mode': 1 }
      return (await admin.search('product', criteria, countRows)).total
    },

    /** A product, remembered from its making or looked up once (then with the default price); throws when the shop has no such SKU. */
    async productOf(sku: string): Promise<Product> {
      const made = known.get(sku)
      if (made !== undefined) return made
      const { data } = await admin.search(
        'product',
        { filter: [{ type: 'equals', field: 'productNumber', value: sku }], includes: { product: ['id'] }, limit: 1 },
        idRows,
      )
      const row = data[0]
      if (row === undefined) throw new Error(`NO_SUCH_PRODUCT: the shop has no SKU "${sku}". Create it first.`)
      const product = { productId: row.id, sku, price: DEFAULT_PRICE }
      known.set(sku, product)
      return product
    },

    async deleteProduct(sku: string): Promise<void> {
      const { productId } = await this.productOf(sku)
      known.delete(sku)
      await admin.write({ method: 'DELETE', path: `/api/product/${productId}` }, `the deletion of ${sku}`)
    },

    /** Sets the stock as a merchant does in the administration: a foreign write, absolute. */
    async setStock(sku: string, units: number): Promise<void> {
      const { productId } = await this.productOf(sku)
      await admin.write(
        { method: 'PATCH', path: `/api/product/${productId}`, body: { stock: units } },
        `the stock of ${sku}`,
      )
    },

    /** The units that the shop shows for a SKU now: its `product.stock`, one search. */
    async stockOf(sku: string): Promise<number> {
      const units = (await stockOfAll([sku])).get(sku)
      if (units === undefined) throw new Error(`NO_SUCH_PRODUCT: the shop has no SKU "${sku}". Create it first.`)
      return units
    },

    /**
     * Looks at the stock of SKUs again and again, begun at most every `everyMs`, with at most `lanes` looks under way. What a look
     * saw was true at some moment between `atMs` and `atMs + tookMs`. One lane is enough while the shop has a worker to spare;
     * behind a full queue of buyers several lanes keep the looks close together, and take their place in that queue.
     */
    watchStock(skus: readonly string[], everyMs = 50, lanes = 1): StockWatch {
      const samples: StockSample[] = []
      const stopping = new AbortController()
      const beganMs = performance.now()
      const look = async (): Promise<number> => {
        const lookMs = performance.now()
        const stock = await stockOfAll(skus)
        const tookMs = performance.now() - lookMs
        samples.push({ atMs: lookMs - beganMs, tookMs, stock })
        first.resolve()
        return tookMs
      }
      const watch = async (lane: number): Promise<void> => {
        await pause(everyMs * lane, stopping.signal)
        while (!stopping.signal.aborted && samples.length < MAX_SAMPLES)
          await pause(everyMs * lanes - (await look()), stopping.signal)
      }
      const first = Promise.withResolvers<void>()
      const running = Promise.all(Array.from({ length: lanes }, (_, lane) => watch(lane)))
      running.catch(first.reject) // Thrown again by `stop`; without these lines a failed look would end the process first.
      first.promise.catch(() => undefined)
      return {
        begun: first.promise,
        async stop() {
          stopping.abort()
          await running
          await look()
          return samples.sort((one, other) => one.atMs - other.atMs)
        },
      }
    },

    /** Forgets what was remembered of deleted products. */
    forget: (): void => known.clear(),
  }
}

/** A new id in Shopware's form: 32 hexadecimal digits. */
export function newId(): string {
  return randomUUID().replaceAll('-', '')
}

/** Waits between two looks, or less when the watch is stopped; a sampler is paced by the clock, not by a signal. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (ms <= 0 || signal.aborted) return resolve()
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}
