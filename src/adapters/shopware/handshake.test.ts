import { describe, expect, test } from 'vitest'
import { APP_SECRET, recordedBytes, recordedNames, SHOP_SECRET } from '../../../test/fixtures/recorded.ts'
import { type Instant, instantOf, type ShopId, shopOf } from '../../core/ids.ts'
import { claimedShopIds, confirm, disconnect, type HandshakeWorld, register, senderOf } from './handshake.ts'
import { type RegistrationRecord, type RegistrationStore, reopen } from './registration-record.ts'
import { signBody } from './signature.ts'

const NOW = instantOf(1_795_423_752_000)
const SOON = instantOf(NOW + 1)
const URL_NORD = 'https://nord.example'

const memoryStore = (): RegistrationStore & { readonly records: Map<string, RegistrationRecord> } => {
  const records = new Map<string, RegistrationRecord>()
  const invited = new Map<ShopId, Instant>()
  return {
    records,
    load: (id) => Promise.resolve(records.get(id)),
    invitedUntil: (shop) => Promise.resolve(invited.get(shop)),
    invite: async (shop, until) => void invited.set(shop, until),
    liveOf: (shop) => Promise.resolve([...records.values()].find((record) => record.shop === shop && record.live)),
    save(record) {
      const fits = (records.get(record.shopwareShopId)?.revision ?? 0) === record.revision - 1
      if (fits) records.set(record.shopwareShopId, record)
      return Promise.resolve(fits)
    },
  }
}

const worldOf = (store: RegistrationStore): HandshakeWorld => ({
  store,
  appSecret: APP_SECRET,
  confirmationUrl: 'https://holdfast.example/shopware/confirmation',
  policy: { allowPrivate: false },
  shopWithUrl: (url) => (url === URL_NORD ? shopOf('nord') : undefined),
})

const registerAs = (world: HandshakeWorld, shopId: string, provenBy?: string) => {
  const query = `shop-id=${shopId}&shop-url=${URL_NORD}&timestamp=${NOW / 1_000}`
  const headers = {
    'shopware-app-signature': signBody(query, APP_SECRET),
    ...(provenBy === undefined ? {} : { 'shopware-shop-signature': signBody(query, provenBy) }),
  }
  return register(world, query, headers, NOW)
}

const confirmAs = (world: HandshakeWorld, shopId: string, secret: string) => {
  const body = { apiKey: 'SWIAKEY', secretKey: 'c2VjcmV0', timestamp: '1', shopUrl: URL_NORD, shopId }
  const raw = Buffer.from(JSON.stringify(body))
  return confirm(world, raw, { 'shopware-shop-signature': signBody(raw, secret) }, NOW)
}

const appDeleted = (over: object = {}) =>
  Buffer.from(
    JSON.stringify({
      data: { payload: [], event: 'app.deleted' },
      source: { url: URL_NORD, eventId: 'e1', shopId: 'shop-1', appVersion: '1.0.0', ...over },
      timestamp: 1795423752,
    }),
  )

const install = async (world: HandshakeWorld, shopId: string): Promise<string> => {
  const secret = (await registerAs(world, shopId)).answer.body.secret ?? ''
  expect((await confirmAs(world, shopId, secret)).connected?.shopwareShopId).toBe(shopId)
  return secret
}

describe('the doors of the handshake', () => {
  test('connect a shop in two messages', async () => {
    const store = memoryStore()
    const secret = await install(worldOf(store), 'shop-1')
    expect((await store.liveOf(shopOf('nord')))?.live?.secret).toBe(secret)
  })

  test('answer what is no registration with a reason', async () => {
    const result = await register(worldOf(memoryStore()), 'a=1', {}, NOW)
    expect(result).toMatchObject({ refusal: 'MALFORMED', answer: { status: 400 } })
  })

  test('row 36: two registrations at once leave one pending secret, and only its confirmation is taken', async () => {
    const world = worldOf(memoryStore())
    const [a, b] = await Promise.all([registerAs(world, 'shop-1'), registerAs(world, 'shop-1')])
    const results = await Promise.all([a, b].map(({ answer }) => confirmAs(world, 'shop-1', answer.body.secret ?? '')))
    expect(results.map(({ answer }) => answer.status).sort()).toEqual([200, 401])
  })

  test('end the installation that a new one replaces', async () => {
    const store = memoryStore()
    const world = worldOf(store)
    await install(world, 'shop-1')
    expect((await registerAs(world, 'shop-2')).refusal).toBe('SHOP_TAKEN')
    const first = store.records.get('shop-1')
    if (first !== undefined) await store.save(reopen(first, NOW))
    await install(world, 'shop-2')
    expect([...store.records.values()].map((record) => record.live !== undefined)).toEqual([false, true])
  })

  test('an invited shop comes again without proof, once: after it moved, or in place of another installation', async () => {
    const store = memoryStore()
    const world = worldOf(store)
    const nord = shopOf('nord')
    await install(world, 'shop-1')
    expect((await registerAs(world, 'shop-1')).refusal).toBe('PROOF_MISSING')
    await store.invite(nord, SOON)
    await install(world, 'shop-1')
    expect((await registerAs(world, 'shop-1')).refusal).toBe('PROOF_MISSING')
    expect((await registerAs(world, 'shop-2')).refusal).toBe('SHOP_TAKEN')
    await store.invite(nord, SOON)
    await install(world, 'shop-2')
    expect([...store.records.values()].map((record) => record.live !== undefined)).toEqual([false, true])
    await store.invite(nord, NOW)
    expect((await registerAs(world, 'shop-2')).refusal).toBe('PROOF_MISSING')
  })

  test('where it is asked for, a shop comes for the first time only by invitation', async () => {
    const store = memoryStore()
    const world: HandshakeWorld = { ...worldOf(store), needsInvitation: () => true }
    expect((await registerAs(world, 'shop-1')).refusal).toBe('NOT_INVITED')
    expect(store.records.size).toBe(0)
    await store.invite(shopOf('nord'), SOON)
    await install(world, 'shop-1')
    expect((await registerAs(world, 'shop-1')).refusal).toBe('PROOF_MISSING')
  })

  test('row 41: an uninstalled app is disconnected, and may be installed again', async () => {
    const store = memoryStore()
    const world = worldOf(store)
    const secret = await install(world, 'shop-1')
    const raw = appDeleted()
    expect(await disconnect(store, 'shop-1', raw, signBody(raw, 'wrong'), NOW)).toBe(false)
    expect(await disconnect(store, 'nobody', raw, signBody(raw, secret), NOW)).toBe(false)
    expect(await disconnect(store, 'shop-1', raw, signBody(raw, secret), NOW)).toBe(true)
    await install(world, 'shop-1')
  })
})

describe('who sent a body', () => {
  const record: RegistrationRecord = {
    shopwareShopId: 'dSdIBFaoTY0Q4At2',
    shop: shopOf('nord'),
    revision: 2,
    live: { url: URL_NORD, secret: SHOP_SECRET, credentials: { apiKey: 'a', secretKey: 'b' } },
  }
  const load = (id: string) => Promise.resolve(id === record.shopwareShopId ? record : undefined)

  test.each(recordedNames.filter((name) => name !== 'app-registration'))('%s names its shop', (name) => {
    const body: unknown = JSON.parse(recordedBytes(name).toString())
    const { source, shopId } = body as { source?: { shopId: string }; shopId?: string }
    expect(claimedShopIds(recordedBytes(name))).toEqual([source?.shopId ?? shopId])
  })

  test('is the shop whose secret signs it, wherever the body names it', async () => {
    for (const text of [
      '{"source":{"shopId":"dSdIBFaoTY0Q4At2"},"cart":{"shopId":"other"}}',
      '{"data":{"shopId":"other"},"source":{"shopId":"dSdIBFaoTY0Q4At2"}}',
    ]) {
      const raw = Buffer.from(text)
      const headers = { 'shopware-shop-signature': signBody(raw, SHOP_SECRET) }
      expect(await senderOf(raw, headers, load, NOW)).toBe(record)
    }
  })

  test('rows 24, 27: is nobody for another shop, no shop, or an odd one', async () => {
    for (const text of [
      '{"source":{"shopId":"other"}}',
      '{"source":{"shopId":["dSdIBFaoTY0Q4At2"]}}',
      '{"source":{"shopId":"../x"}}',
      `{"source":{"shopId":"${'a'.repeat(1_000_000)}"}}`,
      '{}',
      '',
    ]) {
      const raw = Buffer.from(text)
      const headers = { 'shopware-shop-signature': signBody(raw, SHOP_SECRET) }
      expect(await senderOf(raw, headers, load, NOW)).toBeUndefined()
    }
  })

  test('is nobody where a buyer writes a shop id into a text', () => {
    const raw = Buffer.from(JSON.stringify({ comment: '"shopId":"dSdIBFaoTY0Q4At2"' }))
    expect(claimedShopIds(raw)).toEqual([])
  })
})
