/**
 * # Tests against a real Shopware shop
 *
 * `npm run test:shopware` runs every `test/shopware/**\/*.shopware.ts`. The shop is taken from the environment and from nowhere
 * else; without `SHOPWARE_URL` these tests are skipped.
 *
 * | variable | meaning |
 * |---|---|
 * | `SHOPWARE_URL` | the shop's own URL, equal to its `APP_URL` and to a domain of its sales channel |
 * | `SHOPWARE_ADMIN_USER`, `SHOPWARE_ADMIN_PASSWORD` | an administrator; the token comes by password |
 * | `SHOPWARE_STORE_API_KEY` | access key of the storefront sales channel |
 * | `SHOPWARE_SALES_CHANNEL_ID` | its id, 32 hexadecimal digits in lower case |
 * | `SHOPWARE_INSTALL_APP` | shell command that installs the app folder given as its last argument |
 * | `SHOPWARE_UNINSTALL_APP` | shell command that uninstalls the app named by its last argument |
 * | `SHOPWARE_SQL` | shell command that runs the SQL statement given as its last argument and prints the rows |
 * | `SHOPWARE_ENV_FILE` | the shop's `.env`, in which a test changes `APP_URL` for some seconds; without it that test is skipped |
 * | `SHOPWARE_CONSOLE` | shell command that runs `bin/console` with the arguments that follow |
 * | `SHOPWARE_DOSE` | `full`: every race and every disturbance as often as it takes to believe it; a short dose if absent |
 *
 * The four commands are optional; a test that needs one asks for it and fails by name. The driver itself uses HTTP only.
 *
 * A race while Holdfast is killed, hangs, errs or is not believed (`story-disturbed.shopware.ts`) has its shop talk through a
 * go-between. The story (`story*.shopware.ts`) installs the app of a Holdfast that it starts as a process of its own, so it needs the commands
 * that install and uninstall, and the console to deactivate; `STORY_LOG` names a file for that process's log, `STORY_LOG_LEVEL` its
 * level. It uninstalls an app named Holdfast that it finds: use no shop where one is at work.
 *
 * A shop can be used again and again: each driver has a *run*, a short word. SKUs made by `sku('a')` begin with `<run>-`, buyers'
 * addresses with `<run>.`, and `removeEverythingOf(run)` deletes both with all their orders. Use no shop that somebody sells with.
 *
 * Concurrency belongs to the shop: PHP's built-in server (8 workers, say) runs one request per worker, closes each connection
 * after its answer and queues the rest, so that calls beyond the workers only wait. Whoever watches the stock takes one worker now
 * and then, and waits in the same queue as the buyers.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { openAdmin, type ShopAdmin } from './shop-admin.ts'
import { type Cart, cartsOf, type Placed } from './shop-carts.ts'
import { clearRun } from './shop-clearing.ts'
import { environmentOf, type ShopEnvironment } from './shop-environment.ts'
import { ordersOf } from './shop-orders.ts'
import { newId, productsOf } from './shop-products.ts'
import { raceCarts } from './shop-race.ts'

/** The driver of one real shop for one run of tests. */
export type RealShop = Awaited<ReturnType<typeof openRealShop>>

const channelRows = Compile(
  Type.Object({
    data: Type.Array(
      Type.Object({
        currencyId: Type.String(),
        languageId: Type.String(),
        countryId: Type.String(),
        navigationCategoryId: Type.String(),
      }),
    ),
  }),
)
const idRows = Compile(Type.Object({ data: Type.Array(Type.Object({ id: Type.String() })) }))

/**
 * Opens the shop of the environment and looks up once what products, guests and imports need.
 *
 * @param run lower-case letters and digits; a fresh one when absent
 * @throws Error naming the missing variable, or what the shop refused
 */
export async function openRealShop(env: NodeJS.ProcessEnv, run = `t${randomBytes(4).toString('hex')}`) {
  checkRun(run)
  const environment = environmentOf(env)
  const admin = openAdmin(environment)
  const ground = await lookUpGround(admin, environment)
  const products = productsOf(admin, ground)
  const orders = ordersOf(admin, ground, (sku) => products.productOf(sku))
  const newEmail = (): string => `${run}.${newId().slice(0, 12)}@example.com`
  const guests = { countryId: ground.countryId, salutationId: ground.salutationId, storefrontUrl: environment.url }
  const carts = cartsOf({
    environment,
    guests,
    productIdOf: async (sku) => (await products.productOf(sku)).productId,
    newEmail,
  })

  return {
    ...products,
    ...orders,
    ...carts,
    run,
    guests,
    newEmail,
    url: environment.url,
    commands: environment.commands,
    /** The Admin API itself, for what the driver has no word for. */
    admin,
    /** A SKU of this run. */
    sku: (name: string): string => `${run}-${name}`,

    /** The id of a language by its code, such as `de-DE`; throws when the shop has none. */
    async languageOf(code: string): Promise<string> {
      const filter = [{ type: 'equals', field: 'locale.code', value: code }]
      const { data } = await admin.search('language', { filter, includes: { language: ['id'] } }, idRows)
      const languageId = data[0]?.id
      if (languageId === undefined) throw new Error(`SHOP_UNFIT: the shop has no language ${code}.`)
      return languageId
    },

    createOrderByAdminApi: (wanted: { readonly sku: string; readonly units: number }) =>
      orders.createOrderByAdminApi({ ...wanted, email: newEmail() }),

    /** Open orders that are there before anything connects to the shop: the baseline; two of one unit each by default. */
    async openOrderBefore(wanted: { readonly sku: string; readonly units?: number; readonly count?: number }) {
      const placed: Placed[] = []
      for (let made = 0; made < (wanted.count ?? 2); made++) {
        const outcome = await carts.order(await carts.prepareCart({ sku: wanted.sku, units: wanted.units ?? 1 }))
        if (outcome.refused) throw new Error(`BASELINE_REFUSED: ${outcome.messages.join('; ')}. Give it more stock.`)
        placed.push(outcome)
      }
      return placed
    },

    /** Orders all carts at once; see `raceCarts`. */
    race: (racing: readonly Cart[], concurrency: number) => raceCarts(racing, concurrency, carts.order),

    /** Deletes orders, products and buyers of a run, by default of this one. */
    async removeEverythingOf(which: string = run) {
      checkRun(which)
      products.forget()
      return clearRun(admin, which)
    },

    close(): void {
      carts.close()
      admin.close()
    },
  }
}

/** What is deleted is found by the run, so that a short or empty one must never pass. */
function checkRun(run: string): void {
  if (/^[a-z0-9]{3,20}$/.test(run)) return
  throw new Error(`RUN_MALFORMED: "${run}" is no run. Use 3 to 20 lower-case letters and digits.`)
}

/** Everything that the driver looks up once: five small searches. */
async function lookUpGround(admin: ShopAdmin, environment: ShopEnvironment) {
  const first = async (entity: string, filter: readonly unknown[]): Promise<string> => {
    const { data } = await admin.search(entity, { filter, includes: { [entity]: ['id'] }, limit: 1 }, idRows)
    const row = data[0]
    if (row === undefined)
      throw new Error(`SHOP_UNFIT: the shop has no ${entity} that fits. Take a shop with basic setup.`)
    return row.id
  }
  const [taxId, salutationId, openStateId, channels] = await Promise.all([
    first('tax', []),
    first('salutation', []),
    first('state-machine-state', [
      { type: 'equals', field: 'technicalName', value: 'open' },
      { type: 'equals', field: 'stateMachine.technicalName', value: 'order.state' },
    ]),
    admin.search(
      'sales-channel',
      {
        ids: [environment.salesChannelId],
        includes: { sales_channel: ['currencyId', 'languageId', 'countryId', 'navigationCategoryId'] },
      },
      channelRows,
    ),
  ])
  const channel = channels.data[0]
  if (channel === undefined)
    throw new Error(
      `SHOP_UNFIT: the shop has no sales channel ${environment.salesChannelId}. Check SHOPWARE_SALES_CHANNEL_ID.`,
    )
  return {
    taxId,
    salutationId,
    openStateId,
    salesChannelId: environment.salesChannelId,
    currencyId: channel.currencyId,
    languageId: channel.languageId,
    countryId: channel.countryId,
    categoryId: channel.navigationCategoryId,
  }
}
