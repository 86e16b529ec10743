/** What goes wrong with a real Tryton: it is told with its code and remedy, no figure is invented, and all heals by itself. */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type TcpProxy, tcpProxyFor } from '../tcp-proxy.ts'
import { type Clerk, clerkOf } from './clerk.ts'
import { openPulledHouse, type PulledHouse } from './pulled-house.ts'
import { logIn, NO_TRYTON, trytonEnvironment } from './real-tryton.ts'

const place = trytonEnvironment(process.env)
if (!place) console.log(NO_TRYTON)
/** A command that ends, begins, backs up and restores this Tryton; see `life.sh`. */
const life = process.env.TRYTON_LIFE?.split(' ')

const live = async (...acts: readonly string[]): Promise<void> => {
  const [command = '', ...args] = life ?? []
  for (const act of acts) await promisify(execFile)(command, [...args, act])
}

describe.skipIf(!place)('a real Tryton that goes wrong', () => {
  let proxy: TcpProxy
  let house: PulledHouse
  let clerk: Clerk
  let reader: { readonly user: string; readonly password: string }
  const sku = `STURDY-${randomUUID().slice(0, 8)}`

  beforeAll(async () => {
    if (!place) return
    proxy = await tcpProxyFor(place.url)
    clerk = await clerkOf(await logIn(place))
    reader = await clerk.makeReader()
    await clerk.makeProduct(sku)
    await clerk.count(sku, 10)
    house = await openPulledHouse({ ...place, ...reader, url: proxy.url })
    await house.pull()
  })
  afterAll(async () => {
    await house?.close()
    await proxy?.close()
  })

  /** A pull that fails with a code, tells it, and leaves the figure alone. */
  const fails = async (code: string): Promise<void> => {
    await expect(house.pull()).rejects.toMatchObject({ code })
    expect(house.incidents.at(-1)).toMatchObject({ code: 'PULL_FAILED', cause: expect.stringMatching(`^${code}: `) })
  }

  test('while it cannot be reached the last figure stands, and the first pull after it finds what was done meanwhile', async () => {
    proxy.refuse()
    await fails('WMS_UNREACHABLE')
    expect(await house.sellable(sku)).toBe(10)
    await clerk.count(sku, 9)
    proxy.pass()
    await house.pull()
    expect(await house.sellable(sku)).toBe(9)
  })

  test('of half an answer nothing is taken', async () => {
    await clerk.count(sku, 8)
    proxy.loseAnswers()
    await fails('WMS_UNREACHABLE')
    expect(await house.sellable(sku)).toBe(9)
    proxy.pass()
    await house.pull()
    expect(await house.sellable(sku)).toBe(8)
  })

  test('a wrong password is tried once, told, and shuts nobody out', async () => {
    house.reconnect({ ...reader, password: 'wrong', url: proxy.url })
    await fails('WMS_LOGIN_REFUSED')
    expect(house.incidents.at(-1)?.cause).not.toContain('wrong"')
    house.reconnect({ ...reader, url: proxy.url })
    await house.pull()
    expect(await house.sellable(sku)).toBe(8)
  })

  test('a database and a warehouse that are not there are told with what is', async () => {
    house.reconnect({ ...reader, database: 'nope', url: proxy.url })
    await expect(house.pull()).rejects.toMatchObject({ code: expect.stringMatching(/^WMS_/) })
    expect(house.incidents.at(-1)?.cause).toContain('nope')
    house.reconnect({ ...reader, url: proxy.url })
  })

  test.skipIf(!life)(
    'after a restart it goes on; after a restored backup the lowest figure counts until somebody trusts it',
    async () => {
      const [kept, lost, late] = ['KEPT', 'LOST', 'LATE'].map((name) => `${name}-${randomUUID().slice(0, 8)}`)
      if (!place || !kept || !lost || !late) throw new Error('Unreachable')
      let now = await clerkOf(await logIn(place))
      for (const each of [kept, lost]) {
        await now.makeProduct(each)
        await now.count(each, 10)
      }
      await live('stop', 'backup')
      await fails('WMS_UNREACHABLE')
      await live('start')
      now = await clerkOf(await logIn(place))
      // Since the backup three of the one were sold and shipped, and the other came back.
      await house.order(late, kept, 3)
      const sold = await now.sell(late, kept, 3)
      await now.assign(sold)
      await now.pick(sold)
      await now.ship(sold)
      await now.count(lost, 25)
      await house.pull()
      expect([await house.sellable(kept), await house.sellable(lost)]).toEqual([7, 25])

      await live('stop', 'restore', 'start')
      await house.pull()
      expect(house.incidents.at(-1)).toMatchObject({ code: 'PULLED_SYSTEM_RESTORED' })
      // Its books say 10 of each: of the first 7 are there, of the second 25, and it knows neither.
      expect([await house.sellable(kept), await house.sellable(lost)]).toEqual([7, 10])
      now = await clerkOf(await logIn(place))
      await now.count(kept, 7)
      await house.pull()
      expect(await house.sellable(kept)).toBe(7)

      await house.trust()
      await house.pull()
      expect([await house.sellable(kept), await house.sellable(lost)]).toEqual([7, 10])
      await now.count(lost, 25)
      await house.pull()
      expect(await house.sellable(lost)).toBe(25)
    },
  )

  test('nothing broke on the way', () => expect(house.bugs).toEqual([]))
})
