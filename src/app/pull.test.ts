import { describe, expect, test } from 'vitest'
import { type Instant, sourceOf } from '../core/ids.ts'
import { Failure } from '../errors.ts'
import { type PullBook, type PullPlace, pullRound, SKUS_AT_ONCE, type Told } from './pull.ts'
import type { Look, PulledStatement, PulledSystem, Reading } from './pulled.ts'

const ERP = sourceOf('erp')
const statement = (sku: string, net: number, more: Partial<PulledStatement> = {}): PulledStatement => ({
  warehouse: 'main',
  sku,
  net,
  orders: [],
  inbound: [],
  ...more,
})

/** A system that says what it is told to, a book in memory, and the order in which they were asked. */
function world(
  say: {
    look?: () => Look
    read?: (skus: readonly string[]) => Reading
    place?: Partial<PullPlace>
    waiting?: readonly string[]
  } = {},
) {
  const asked: string[] = []
  const filed: { readonly messageId: string; readonly message: unknown }[] = []
  const letters: { readonly messageId: string; readonly reason: string }[] = []
  const incidents: string[] = []
  const told = new Map<string, Told>()
  let place: PullPlace = { cursor: undefined, turn: '', isSuspected: false, ...say.place }
  let number = 0
  let overtaken = false
  let woken = 0
  const book: PullBook = {
    place: async () => place,
    isBusy: async () => false,
    async begin() {
      asked.push('begin')
      number += 1
      return { epoch: 2, number }
    },
    waiting: async () => say.waiting ?? [],
    inTurn: async (_, after, limit) =>
      [...told.values()]
        .map(({ sku }) => sku)
        .sort()
        .filter((sku) => sku > after)
        .slice(0, limit),
    async standing(_, skus) {
      asked.push('standing')
      return new Map(skus.map((sku) => [sku, { orders: [], inbound: [] }]))
    },
    told: async () => [...told.values()],
    async tell(_, __, said) {
      if (overtaken) return false
      for (const { messageId, raw } of said.messages) filed.push({ messageId, message: JSON.parse(raw) })
      letters.push(...said.letters)
      for (const each of said.told) told.set(`${each.warehouse} ${each.sku}`, each)
      return true
    },
    async moveOn(_, next) {
      place = { ...place, ...next }
    },
    async suspect() {
      place = { cursor: undefined, turn: '', isSuspected: true }
      told.clear()
    },
  }
  const system: PulledSystem = {
    async look() {
      return say.look?.() ?? { skus: ['A', 'B'], cursor: 'next' }
    },
    async read(standing) {
      asked.push(`read ${[...standing.keys()].join(' ')}`)
      return (
        say.read?.([...standing.keys()]) ?? {
          statements: [...standing.keys()].map((sku) => statement(sku, 1)),
          problems: [],
        }
      )
    },
  }
  /** As the door would: one word for each figure is enough here. */
  const readMessage = (raw: string, _: Instant) => ({
    words: JSON.parse(raw).parts,
    notes: [],
    problems: [],
  })
  const round = () =>
    pullRound(
      {
        book,
        system,
        readMessage,
        holdsLease: async () => true,
        isStopping: () => false,
        wake: () => {
          woken += 1
        },
        onIncident: async ({ code, cause }) => incidents.push(`${code} ${cause}`),
        onSettled: async (code) => incidents.push(`settled ${code}`),
      },
      ERP,
    )
  return {
    ...{ round, asked, filed, letters, incidents },
    place: () => place,
    woken: () => woken,
    overtake: () => {
      overtaken = true
    },
  }
}

describe('a pull', () => {
  test('draws its number before it looks up what is counted, and both before it asks', async () => {
    const { round, asked } = world()
    await round()
    expect(asked).toEqual(['begin', 'standing', 'read A B'])
  })

  test('says figures, orders and what is on its way under its number, in one message of a warehouse', async () => {
    const orders = [{ order: '1', units: 2, allocated: 1, shipped: 0 }]
    const inbound = [{ purchaseOrder: 'P', line: 'l', ordered: 5, received: 0, confirmed: true, cancelled: false }]
    const { round, filed } = world({
      read: () => ({
        statements: [
          statement('A', 3, { orders }),
          statement('B', 4, { inbound }),
          statement('A', 0, { warehouse: 'east' }),
        ],
        problems: [],
      }),
    })
    await round()
    expect(filed).toEqual([
      {
        messageId: 'pull-2-1-main',
        message: {
          ...{ type: 'pulled', warehouse: 'main', epoch: 2, sequence: 1 },
          parts: [
            {
              type: 'stock.snapshot',
              figures: [
                { sku: 'A', net: 3 },
                { sku: 'B', net: 4 },
              ],
              tellsShipped: true,
              openOrders: [{ sku: 'A', ...orders[0] }],
            },
            { type: 'purchase_order.line', sku: 'B', ...inbound[0] },
          ],
        },
      },
      expect.objectContaining({ messageId: 'pull-2-1-east' }),
    ])
  })

  test('tells only what reads otherwise than it was told', async () => {
    let net = 1
    const { round, filed, woken } = world({
      read: (skus) => ({ statements: skus.map((sku) => statement(sku, sku === 'A' ? net : 1)), problems: [] }),
    })
    await round()
    await round()
    expect([filed.length, woken()]).toEqual([1, 1])
    net = 2
    await round()
    expect(filed[1]?.message).toMatchObject({ sequence: 3, parts: [{ figures: [{ sku: 'A', net: 2 }] }] })
  })

  test('tells once more what an order waits for that was read since', async () => {
    const orders = [{ order: '1', units: 0, allocated: 0, shipped: 2 }]
    const { round, filed } = world({
      waiting: ['A'],
      read: (skus) => ({
        statements: skus.map((sku) => statement(sku, 1, sku === 'A' ? { orders } : {})),
        problems: [],
      }),
    })
    await round()
    await round()
    expect(filed[1]?.message).toMatchObject({ parts: [{ figures: [{ sku: 'A' }] }] })
  })

  test('reads every SKU in its turn, found or not, and begins again after the last', async () => {
    const { round, asked, place } = world({ look: () => ({ skus: [], cursor: 'c' }), place: { turn: 'A' } })
    const first = world()
    await first.round()
    first.asked.length = 0
    await first.round()
    expect(first.asked.at(-1)).toBe('read A B')
    await round()
    expect([asked, place().turn]).toEqual([[], ''])
  })

  test('asks for so many SKUs at once, and each time under a new number', async () => {
    const skus = Array.from({ length: SKUS_AT_ONCE + 1 }, (_, nth) => `S${nth}`)
    const { round, asked } = world({ look: () => ({ skus, cursor: 'c' }) })
    await round()
    expect(asked.filter((each) => each === 'begin')).toHaveLength(2)
  })

  test('that a later one has overtaken tells nobody anything', async () => {
    const { round, filed, woken, overtake } = world()
    overtake()
    await round()
    expect([filed, woken()]).toEqual([[], 0])
  })

  test('keeps what cannot be used as a dead letter, once', async () => {
    const problem = { warehouse: 'main', sku: 'A', field: 'quantity', value: '1.5', reason: 'is no whole number' }
    const { round, filed, letters } = world({ read: () => ({ statements: [], problems: [problem] }) })
    await round()
    await round()
    expect(filed).toEqual([])
    expect(letters).toMatchObject([{ ...problem, messageId: 'pull-2-1-main/A' }])
  })
})

describe('a system that cannot be asked', () => {
  test('is an incident with its code and remedy; the cursor stays, and the next success settles it', async () => {
    let isAway = true
    const { round, incidents, place } = world({
      look() {
        if (isAway) throw new Failure('WMS_UNREACHABLE', 'It did not answer. Check that it runs.', { retry: 'later' })
        return { skus: [], cursor: 'next' }
      },
    })
    await expect(round()).rejects.toThrow('WMS_UNREACHABLE')
    expect(incidents).toEqual(['PULL_FAILED WMS_UNREACHABLE: It did not answer. Check that it runs.'])
    expect(place().cursor).toBeUndefined()
    isAway = false
    await round()
    expect(incidents.at(-1)).toBe('settled PULL_FAILED')
    expect(place().cursor).toBe('next')
  })

  test('half-way leaves the cursor where it was', async () => {
    const { round, place } = world({
      read() {
        throw new Failure('WMS_ANSWER_UNREADABLE', 'Half an answer.', { retry: 'later' })
      },
    })
    await expect(round()).rejects.toThrow('WMS_ANSWER_UNREADABLE')
    expect(place().cursor).toBeUndefined()
  })

  test('that went back in time is told with the lowest number and without its orders, as an answer to our own question', async () => {
    let restored: { readonly restored?: string } = { restored: 'sale.sale 7, which nothing can delete, is gone' }
    const { round, filed, incidents } = world({
      look: () => ({ skus: ['A'], cursor: 'c', ...restored }),
      read: () => ({
        statements: [statement('A', 9, { orders: [{ order: '1', units: 1, allocated: 0, shipped: 0 }] })],
        problems: [],
      }),
    })
    expect(await round()).toBe(true)
    expect(filed).toEqual([])
    expect(incidents[0]).toContain('PULLED_SYSTEM_RESTORED')
    expect(incidents[0]).toContain('sale.sale 7')
    restored = {}
    await round()
    expect(filed[0]?.message).toEqual({
      ...{ type: 'pulled', warehouse: 'main', epoch: 2, sequence: 0, isSuspected: true },
      parts: [{ type: 'stock.snapshot', figures: [{ sku: 'A', net: 9 }] }],
    })
  })
})
