import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import { nord } from '../../../test/postgres-world.ts'
import { applyConfiguration, configurationVersion, loadConfiguration } from './configuration-store.ts'
import { isNewWebhook, registrationsOn, tokensOn } from './registration-store.ts'
import { allows, createToken, holderOf, keepToken } from './token-store.ts'
import { verify } from './verify.ts'

let fresh: FreshDatabase

beforeAll(async () => {
  fresh = await freshDatabase()
})
afterAll(() => fresh.drop())

describe('the configuration', () => {
  const documentWith = (zone: string, warehouses: readonly string[] = ['main']) => ({
    sources: { wms: { semantics: 'net' as const, defaultWarehouse: 'main', auth: { kind: 'none' as const } } },
    warehouses: Object.fromEntries(warehouses.map((name) => [name, { source: 'wms', zone }])),
    shops: { nord: { kind: 'shopware' as const, url: 'http://nord.test', warehouses: ['main'], zone } },
  })
  // The store keeps whatever document was checked before: what it says is not its business.
  type Document = Parameters<typeof applyConfiguration>[1]
  const apply = (document: object, author = 'anna') =>
    applyConfiguration(fresh.database, document as unknown as Document, author)

  test('nothing configured is version 0 of nothing', async () => {
    expect(await loadConfiguration(fresh.database.pool)).toMatchObject({ version: 0, document: { shops: {} } })
  })

  test('each change is a version and a ledger entry with its author; no change is none', async () => {
    expect((await apply(documentWith('Europe/Berlin'))).version).toBe(1)
    expect((await apply(documentWith('Europe/Berlin'), 'bert')).version).toBe(1)
    expect((await apply(documentWith('Europe/Paris'), 'bert')).version).toBe(2)
    expect(await configurationVersion(fresh.database.pool)).toBe(2)
    const { rows } = await fresh.database.pool.query(
      `select version, actor, configuration, body -> 'changes' -> 0 ->> 'path' as path
       from ledger_entry where stream = 'configuration' order by version`,
    )
    expect(rows).toMatchObject([
      { version: 1, actor: 'anna', configuration: 1 },
      { version: 2, actor: 'bert', configuration: 2, path: 'shops.nord.zone' },
    ])
    expect((await verify(fresh.database)).problems).toEqual([])
  })

  test('warehouses and shops stand in their tables with their zones, and those that went are gone', async () => {
    await apply(documentWith('Europe/Vienna', ['main', 'spare']))
    await apply(documentWith('Europe/Rome', ['main']))
    const { rows: warehouses } = await fresh.database.pool.query('select name, source, zone from warehouse')
    expect(warehouses).toEqual([{ name: 'main', source: 'wms', zone: 'Europe/Rome' }])
    const { rows: shops } = await fresh.database.pool.query('select name, zone, state from shop')
    expect(shops).toEqual([{ name: 'nord', zone: 'Europe/Rome', state: 'awaited' }])
  })

  test('two people at once make two versions, one after the other', async () => {
    const before = await configurationVersion(fresh.database.pool)
    const zones = ['Europe/Oslo', 'Europe/Riga', 'Europe/Minsk']
    const applied = await Promise.all(zones.map((zone) => apply(documentWith(zone), zone)))
    expect(applied.map(({ version }) => version - before).toSorted()).toEqual([1, 2, 3])
    expect((await verify(fresh.database)).problems).toEqual([])
  })
})

describe('tokens', () => {
  test('a token opens what it was made for, and only its hash is kept', async () => {
    const { pool } = fresh.database
    const token = await createToken(pool, 'till', 'operate')
    expect(await holderOf(pool, token)).toEqual({ name: 'till', scope: 'operate' })
    const { rows } = await pool.query('select * from token')
    expect(JSON.stringify(rows)).not.toContain(token)
    expect(rows[0].hash).toEqual(createHash('sha256').update(token).digest())
  })

  test('an unknown, changed or revoked one opens nothing', async () => {
    const { pool } = fresh.database
    const token = await createToken(pool, 'gone', 'admin')
    expect(await holderOf(pool, `${token}x`)).toBeUndefined()
    expect(await holderOf(pool, '')).toBeUndefined()
    await pool.query(`update token set revoked_at = clock_timestamp() where name = 'gone'`)
    expect(await holderOf(pool, token)).toBeUndefined()
    // A revoked token that is kept again at the next start stays revoked.
    await keepToken(pool, token, 'gone', 'admin')
    expect(await holderOf(pool, token)).toBeUndefined()
  })

  test('a wider scope includes the narrower', () => {
    const scopes = ['read', 'operate', 'admin'] as const
    expect(scopes.map((has) => scopes.map((needs) => allows(has, needs)))).toEqual([
      [true, false, false],
      [true, true, false],
      [true, true, true],
    ])
  })
})

describe('registrations', () => {
  const record = (shopwareShopId: string, revision: number, shop = nord, isLive = true) => ({
    shopwareShopId,
    shop,
    revision,
    ...(isLive ? { live: { url: 'http://nord.test', secret: 's', credentials: { apiKey: 'k', secretKey: 's' } } } : {}),
  })

  test('a value made from an older one is refused, so that nobody overwrites what he has not seen', async () => {
    const store = registrationsOn(fresh.database)
    expect(await store.save(record('one', 1))).toBe(true)
    expect(await store.save(record('one', 1))).toBe(false)
    expect(await store.save(record('one', 3))).toBe(false)
    expect(await store.save(record('unheard-of', 2))).toBe(false)
    const racing = await Promise.all([store.save(record('one', 2)), store.save(record('one', 2))])
    expect(racing.toSorted()).toEqual([false, true])
    expect((await store.load('one'))?.revision).toBe(2)
    expect(await store.load('two')).toBeUndefined()
  })

  test('two installations of one shop are never in force together', async () => {
    const store = registrationsOn(fresh.database)
    expect((await store.liveOf(nord))?.shopwareShopId).toBe('one')
    await expect(store.save(record('second', 1))).rejects.toMatchObject({ constraint: 'registration_one_live' })
    await store.save(record('one', 3, nord, false))
    expect(await store.liveOf(nord)).toBeUndefined()
    expect(await store.save(record('second', 1))).toBe(true)
    expect((await store.liveOf(nord))?.shopwareShopId).toBe('second')
  })

  test('one access token for all processes, the newest', async () => {
    const tokens = tokensOn(fresh.database)
    expect(await tokens.load('nord')).toBeUndefined()
    await tokens.save('nord', { token: 'first', expiresAt: 1_800_000_000_000 })
    await tokens.save('nord', { token: 'second', expiresAt: 1_800_000_600_000 })
    expect(await tokens.load('nord')).toEqual({ token: 'second', expiresAt: 1_800_000_600_000 })
  })

  test('a webhook is new once, for each shop', async () => {
    const seen = await Promise.all([1, 2, 3].map(() => isNewWebhook(fresh.database, 'one', 'event')))
    expect(seen.filter(Boolean)).toHaveLength(1)
    expect(await isNewWebhook(fresh.database, 'two', 'event')).toBe(true)
  })
})
