/** A Holdfast with simulated neighbours around it, everything over HTTP: for tests that follow a unit through the whole house. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import type { Static } from 'typebox'
import type { ConfigurationDocument } from '../src/app/configuration-file.ts'
import { type Answer, clientOf, Refused } from '../src/cli/command.ts'
import { readConfig } from '../src/config.ts'
import type { IncidentPage, Stock } from '../src/http/contract.ts'
import { type Service, startService } from '../src/service.ts'
import { freshDatabase } from '../test/postgres.ts'
import type { ShopFaults } from './shopware/world.ts'
import { type SimulatedShop, startSimulatedShop } from './shopware.ts'
import { type SimulatedWarehouse, startSimulatedWarehouse, type WarehouseOptions } from './warehouse.ts'

export type WorldOptions = {
  readonly shops: readonly string[]
  /** Units that each shop shows at first, by SKU. */
  readonly products: Readonly<Record<string, number>>
  readonly warehouse?: Partial<Pick<WarehouseOptions, 'semantics' | 'ordered' | 'dialect' | 'faults'>>
  readonly shopRules?: Partial<ConfigurationDocument['shops'][string]>
  readonly sourceRules?: Partial<ConfigurationDocument['sources'][string]>
  readonly shopFaults?: ShopFaults
  /** Whether the merchant had closed his products out; true if absent. */
  readonly closeOut?: boolean
}

export type ConnectedWorld = Awaited<ReturnType<typeof startConnectedWorld>>

const SECRET_NAME = 'TEST_SOURCE_SECRET'
/** How long anything may take that is bound to happen. Far above what it takes, so that a slow machine fails no test. */
const EVENTUALLY_MS = 20_000
const LOOK_EVERY_MS = 25

/** Starts a service on a database of its own, one warehouse and some shops, and connects them. */
export async function startConnectedWorld(options: WorldOptions) {
  const fresh = await freshDatabase()
  const home = await mkdtemp(join(tmpdir(), 'holdfast-world-'))
  const secret = `whsec_${randomBytes(32).toString('base64')}`
  const start = (port: number): Promise<Service> =>
    startService({
      config: readConfig({ DATABASE_URL: fresh.url, HOLDFAST_HOME: home, PORT: String(port) }),
      log: pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' }),
      version: 'test',
      secret: (name) => (name === SECRET_NAME ? secret : undefined),
    })
  let service = await start(0)
  const port = Number(new URL(service.url).port)
  const client = clientOf({ url: service.url, token: service.adminToken, tokenFile: '' })

  const shops: SimulatedShop[] = []
  for (const name of options.shops) {
    shops.push(
      await startSimulatedShop({
        name,
        products: Object.entries(options.products).map(([sku, stock]) => ({
          sku,
          stock,
          closeOut: options.closeOut ?? true,
        })),
        webhookRetryFactor: 0.05,
        ...(options.shopFaults === undefined ? {} : { faults: options.shopFaults }),
      }),
    )
  }
  const warehouse: SimulatedWarehouse = startSimulatedWarehouse({
    name: 'wms',
    warehouses: ['main'],
    semantics: 'net',
    ordered: 'sequence',
    dialect: 'canonical',
    ...options.warehouse,
    deliver: { url: service.url, auth: { kind: 'standard-webhooks', secret } },
  })
  const document: ConfigurationDocument = {
    sources: {
      wms: {
        semantics: options.warehouse?.semantics ?? 'net',
        auth: { kind: 'standard-webhooks', secretFrom: { env: SECRET_NAME } },
        defaultWarehouse: 'main',
        ...options.sourceRules,
      },
    },
    warehouses: { main: { source: 'wms', zone: 'Europe/Berlin' } },
    shops: {
      ...Object.fromEntries(
        shops.map(({ name, url }) => [
          name,
          {
            kind: 'shopware',
            url,
            warehouses: ['main'],
            zone: 'Europe/Berlin',
            orderInFlight: '2s',
            ...options.shopRules,
          },
        ]),
      ),
      // A till over the same pool: it holds through the API alone.
      till: { kind: 'channel', warehouses: ['main'], zone: 'Europe/Berlin' },
    },
  }
  await client.request('PUT', '/v1/configuration', { body: document })

  const request = async (method: string, path: string, body?: unknown): Promise<Answer> => {
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
    if (!first) throw new Error('no stock was told')
    return first
  }

  return {
    shops,
    warehouse,
    database: fresh.database,
    request,
    stock,
    sellable: async (sku: string, shop = options.shops[0] ?? ''): Promise<number | undefined> =>
      (await stock(sku)).shops.find((each) => each.shop === shop)?.sellableUnits,
    incidents: async () =>
      ((await client.request('GET', '/v1/incidents?closed=true')).body as Static<typeof IncidentPage>).incidents,
    verify: async () => (await client.request('POST', '/v1/verify')).body as { problems: string[] },
    /** Sends a message through the source's door, as the warehouse would. */
    say: async (message: unknown): Promise<void> => {
      warehouse.say(message)
      await warehouse.settled()
    },
    /** Makes the handshake of one shop with Holdfast. */
    install: async (shop: SimulatedShop): Promise<void> => {
      const done = await shop.install({
        appName: 'Holdfast',
        appSecret: service.appSecret,
        registrationUrl: `${service.url}/shopware/registration`,
        gatewayUrl: `${service.url}/shopware/checkout-gateway`,
        webhooksUrl: `${service.url}/shopware/webhooks`,
      })
      if (!done.installed) throw new Error(done.refused)
    },
    /** Ends the service in order; the neighbours go on. */
    stopService: (): Promise<void> => service.stop(),
    /** Starts it again where it was. */
    async startService(): Promise<void> {
      service = await start(port)
    },
    async end(): Promise<void> {
      await warehouse.stop()
      for (const shop of shops) await shop.stop()
      await service.stop()
      await fresh.drop()
      await rm(home, { recursive: true, force: true })
    },
  }
}

/** Looks again and again until something holds; says what it saw last when it never does. */
export async function eventually<T>(look: () => Promise<T> | T, holds: (seen: T) => boolean, what: string): Promise<T> {
  let last: T | undefined
  for (const until = Date.now() + EVENTUALLY_MS; Date.now() < until; ) {
    last = await look()
    if (holds(last)) return last
    await new Promise((again) => setTimeout(again, LOOK_EVERY_MS))
  }
  throw new Error(`${what}: never came true; last seen ${JSON.stringify(last)}`)
}
