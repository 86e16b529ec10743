/** The whole service beside a real Tryton, as a merchant runs it: rules in, numbers out, and what is wrong with them told. */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Client, clientOf } from '../../src/cli/command.ts'
import { readConfig } from '../../src/config.ts'
import { type Service, startService } from '../../src/service.ts'
import { type FreshDatabase, freshDatabase } from '../postgres.ts'
import { eventually } from '../shopware/eventually.ts'
import { type Clerk, clerkOf } from './clerk.ts'
import { trytonDocument } from './pulled-document.ts'
import { logIn, NO_TRYTON, trytonEnvironment } from './real-tryton.ts'

const place = trytonEnvironment(process.env)
if (!place) console.log(NO_TRYTON)

describe.skipIf(!place)('a service that asks a Tryton', () => {
  let clerk: Clerk
  let fresh: FreshDatabase
  let home: string
  let service: Service
  let client: Client
  const sku = `SERVED-${randomUUID().slice(0, 8)}`

  beforeAll(async () => {
    if (!place) return
    clerk = await clerkOf(await logIn(place))
    await clerk.makeProduct(sku)
    await clerk.count(sku, 6)
    fresh = await freshDatabase()
    home = await mkdtemp(join(tmpdir(), 'holdfast-tryton-'))
    service = await startService({
      config: readConfig({ DATABASE_URL: fresh.url, HOLDFAST_HOME: home, PORT: '0' }),
      log: pino({ level: 'silent' }),
      version: 'test',
      secret: (name) => (name === 'TRYTON_PASSWORD' ? place.password : undefined),
    })
    client = clientOf({ url: service.url, token: service.adminToken, tokenFile: '' })
  })
  afterAll(async () => {
    await service?.stop()
    await fresh?.drop()
    if (home) await rm(home, { recursive: true, force: true })
  })

  const configure = (warehouses: Readonly<Record<string, string>>) =>
    place && client.request('PUT', '/v1/configuration', { body: trytonDocument(place, { warehouses }) })
  const said = async (path: string): Promise<string> =>
    JSON.stringify(await client.request('GET', path).catch((cause: unknown) => String(cause)))

  test('a warehouse that is named wrongly is an incident with the names that there are, which closes when it is mended', async () => {
    await configure({ main: 'HOUSE' })
    const told = await eventually(
      () => said('/v1/incidents'),
      (seen) => seen.includes('PULL_FAILED'),
      'the incident is told',
    )
    expect(told).toContain('WMS_REQUEST_REFUSED')
    expect(told).toContain('WH')
    await configure({ main: 'WH' })
    await eventually(
      () => said('/v1/incidents'),
      (seen) => !seen.includes('PULL_FAILED'),
      'the incident is closed',
    )
  })

  test('what is done in Tryton is sellable here within a moment', async () => {
    const sellable = (units: number) =>
      eventually(
        () => said(`/v1/stock/${sku}`),
        (seen) => seen.includes(`"sellableUnits":${units}`),
        `${units} are sellable`,
      )
    await sellable(6)
    await clerk.count(sku, 11)
    await sellable(11)
  })

  test('nobody can speak for it from outside', async () => {
    const response = await fetch(`${service.url}/v1/sources/erp/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${service.adminToken}` },
      body: JSON.stringify({ type: 'stock.level.reported', sku, net: 999, sequence: 999_999 }),
    })
    expect(response.status).toBe(401)
  })
})
