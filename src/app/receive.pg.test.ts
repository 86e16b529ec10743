import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../test/postgres.ts'
import { inboxOn, wakeParked } from '../adapters/postgres/inbox-store.ts'
import { createLane, type PostgresLane } from '../adapters/postgres/lane.ts'
import { loadStates } from '../adapters/postgres/load.ts'
import { deadLetterPage } from '../adapters/postgres/queries.ts'
import { deadLettersOn } from '../adapters/postgres/replay.ts'
import { doorOf } from '../adapters/wms/door.ts'
import { sha256, sourceNamed } from '../adapters/wms/door-fixture.ts'
import { shopOf, skuOf, sourceOf } from '../core/ids.ts'
import { checkConfiguration, configurationOf } from './configuration-file.ts'
import { type Lane, LaneBusy } from './lane.ts'
import {
  applyPending,
  type Receipt,
  type ReceivePorts,
  receiveDelivery,
  replayDeadLetter,
  type SourceDoor,
} from './receive.ts'

const checked = checkConfiguration({
  sources: { wms: { semantics: 'net', auth: { kind: 'bearer', secretFrom: { env: 'X' } }, defaultWarehouse: 'main' } },
  warehouses: { main: { source: 'wms', zone: 'Europe/Berlin' }, west: { source: 'wms', zone: 'Europe/Berlin' } },
  shops: { till: { kind: 'channel', warehouses: ['main', 'west'], zone: 'Europe/Berlin' } },
})
if (!('document' in checked)) throw new Error('The configuration is wrong')
const rules = configurationOf(checked.document, 1)
const WMS = sourceOf('wms')
const TOKEN = 'the-token-of-the-wms'
const SOURCE = sourceNamed({ auth: { kind: 'bearer', tokenHashes: [sha256(TOKEN)] } })

let fresh: FreshDatabase
let lane: PostgresLane
let ports: ReceivePorts
const troubles: string[] = []
beforeAll(async () => {
  fresh = await freshDatabase()
  lane = createLane({ database: fresh.database, configuration: () => rules })
  let ids = 0
  ports = {
    inbox: inboxOn(fresh.database),
    lane,
    doors: (source) => (source === WMS ? doorOf(SOURCE) : undefined),
    newId: () => `made-${++ids}`,
    onTrouble: (cause) => troubles.push(String(cause)),
    wake: () => undefined,
  }
})
afterAll(async () => {
  await lane.stop()
  await fresh.drop()
})

async function deliver(message: unknown, id?: string): Promise<Receipt> {
  const raw = Buffer.from(typeof message === 'string' ? message : JSON.stringify(message))
  const headers = { authorization: `Bearer ${TOKEN}`, ...(id === undefined ? {} : { 'webhook-id': id }) }
  const told = await receiveDelivery(ports, WMS, { headers, raw })
  if ('refused' in told) throw new Error(told.refused.code)
  return told.receipt
}

/** Applies until nothing is left that can be applied now. */
async function applyAll(through: ReceivePorts = ports): Promise<void> {
  for (const size of ['ordinary', 'bulk'] as const) while ((await applyPending(through, size)) > 0);
}

async function take(message: unknown, id?: string): Promise<Receipt> {
  const receipt = await deliver(message, id)
  await applyAll()
  return receipt
}

const state = async (sku: string) => (await loadStates(fresh.database.pool, [skuOf(sku)]))[0]
const figure = async (sku: string) => (await state(sku))?.shelves.values().next().value?.figure.units
const phases = async (sku: string) =>
  [...((await state(sku))?.demands.values() ?? [])]
    .map(({ phase, units, contained }) => `${units} ${phase}${contained ? ' contained' : ''}`)
    .sort()
const inboxRow = async (messageId: string) =>
  (
    await fresh.database.pool.query<{ state: string; verdict: string | null; attempts: number; raw: string }>(
      'select state, verdict, attempts, raw from inbox where message_id = $1',
      [messageId],
    )
  ).rows[0]
const letters = async (messageId: string) =>
  (await deadLetterPage(fresh.database.pool, { after: 0, limit: 500 })).filter(
    (letter) => letter.messageId === messageId,
  )

async function order(number: string, sku: string, units: number): Promise<void> {
  await lane.submit(
    {
      kind: 'order',
      shop: shopOf('till'),
      order: { orderId: number, orderNumber: number, state: 'open', lines: [{ lineId: 'L1', sku: skuOf(sku), units }] },
    },
    { actor: 'test', cause: 'test' },
  )
  await wakeParked(fresh.database.pool, [number])
}

const level = (sku: string, net: number, sequence: number) => ({ type: 'stock.level.reported', sku, net, sequence })
const word = (says: string, number: string, sku: string, units: number, sequence: number, more: object = {}) => ({
  type: `order.${says}`,
  order: number,
  sequence,
  lines: [{ sku, units }],
  ...more,
})

describe('what is acknowledged', () => {
  test('is on disk, whole, before it is acknowledged', async () => {
    const raw = '{ "type":"stock.level.reported", "sku":"DURABLE", "net": 5, "note": "as sent" }'
    expect(await deliver(raw, 'durable')).toEqual({ accepted: 1, repeated: 0, deadLetters: [], notes: [] })
    expect(await inboxRow('durable')).toMatchObject({ state: 'pending', raw })
    await applyAll()
    expect(await inboxRow('durable')).toMatchObject({ state: 'done', verdict: 'in-force' })
    expect(await figure('DURABLE')).toBe(5)
  })

  test('is nothing where the database refuses', async () => {
    const broken = { ...ports, inbox: { ...ports.inbox, file: () => Promise.reject(new Error('disk full')) } }
    const raw = Buffer.from(JSON.stringify(level('NEVER', 1, 1)))
    await expect(receiveDelivery(broken, WMS, { headers: { authorization: `Bearer ${TOKEN}` }, raw })).rejects.toThrow(
      'disk full',
    )
  })

  test('asks the database nothing before it is proved', async () => {
    const untouched = { ...ports, inbox: {} as ReceivePorts['inbox'] }
    const told = await receiveDelivery(untouched, WMS, {
      headers: { authorization: 'Bearer another-token-here' },
      raw: Buffer.from('{}'),
    })
    expect(told).toMatchObject({ refused: { httpCode: 401 } })
  })

  test('rows 29 and 30: twice is known, with other content it is a dead letter whole, with the id', async () => {
    await take(level('TWICE', 5, 1), 'twice')
    expect(await take(level('TWICE', 5, 1), 'twice')).toMatchObject({ accepted: 0, repeated: 1 })
    const told = await take(level('TWICE', 9, 2), 'twice')
    expect(told).toMatchObject({ accepted: 0, deadLetters: [{ index: 0, field: 'id' }] })
    expect(await letters('twice')).toMatchObject([
      { id: told.deadLetters[0]?.id, raw: JSON.stringify(level('TWICE', 9, 2)), field: 'id', value: 'twice' },
    ])
    expect(await figure('TWICE')).toBe(5)
  })

  test('row 96: older than what is in force is late; the same sequence with other content is a restart, and the lowest counts', async () => {
    await take(level('LATE', 5, 10), 'late-1')
    await take(level('LATE', 50, 9), 'late-2')
    expect(await figure('LATE')).toBe(5)
    expect(await inboxRow('late-2')).toMatchObject({ state: 'done', verdict: 'late' })
    await take(level('LATE', 8, 10), 'late-3')
    expect(await inboxRow('late-3')).toMatchObject({ verdict: 'disputed' })
    await take(level('LATE', 4, 10), 'late-4')
    expect(await figure('LATE')).toBe(4)
  })

  test('row 98: a snapshot with a SKU twice takes the others, and each conflicting row is a message of its own', async () => {
    const told = await take(
      {
        type: 'stock.snapshot',
        sequence: 1,
        figures: [
          { sku: 'S-A', net: 1 },
          { sku: 'S-B', net: 2 },
          { sku: 'S-B', net: 3 },
        ],
      },
      'snap',
    )
    expect(told).toMatchObject({ accepted: 1, deadLetters: [{ field: 'figures[2].sku' }, { field: 'figures[1].sku' }] })
    expect([await figure('S-A'), await figure('S-B')]).toEqual([1, undefined])
    const [row] = await letters('snap/figures[2]')
    expect(row?.raw).toBe('{"sequence":1,"sku":"S-B","net":3,"type":"stock.level.reported"}')
    expect(await replayDeadLetter(ports, deadLettersOn(fresh.database), row?.id ?? 0)).toMatchObject({
      accepted: 1,
      deadLetters: [],
    })
    await applyAll()
    expect(await figure('S-B')).toBe(3)
  })
})

describe('words about orders', () => {
  test('row 100: of an order that nobody knows yet wait for it, and are a dead letter after a day', async () => {
    await take(level('PARK', 10, 1))
    await take(word('allocated', 'P-1', 'PARK', 2, 2), 'parked')
    await take(word('allocated', 'P-2', 'PARK', 2, 3), 'buried')
    expect(await inboxRow('parked')).toMatchObject({ state: 'parked' })
    await order('P-1', 'PARK', 2)
    await applyAll()
    expect(await inboxRow('parked')).toMatchObject({ state: 'done', verdict: 'applied' })
    expect(await phases('PARK')).toEqual(['2 allocated'])
    expect(await ports.inbox.bury()).toBe(0)
    await fresh.database.pool.query(
      `update inbox set received_at = received_at - interval '25 hours' where message_id = 'buried'`,
    )
    expect(await ports.inbox.bury()).toBe(1)
    expect(await letters('buried')).toMatchObject([
      {
        field: 'order',
        value: 'P-2',
        reason: 'No shop knows this order',
        raw: JSON.stringify(word('allocated', 'P-2', 'PARK', 2, 3)),
      },
    ])
  })

  test('row 100: of another shop’s order, or of more units than it has, touch nothing else', async () => {
    await take(level('OTHER', 10, 1))
    await order('O-1', 'OTHER', 2)
    await take(word('allocated', 'O-1', 'OTHER', 2, 2, { shop: 'elsewhere' }), 'of-another')
    expect(await inboxRow('of-another')).toMatchObject({ state: 'parked' })
    await take(word('allocated', 'O-1', 'OTHER', 9, 3), 'too-many')
    expect(await phases('OTHER')).toEqual(['2 allocated'])
  })

  test('row 101: an acknowledgement twice, and one after the shipment, change nothing', async () => {
    await take(level('ACK', 10, 1))
    await order('A-1', 'ACK', 2)
    for (const [nth, says] of ['acknowledged', 'acknowledged', 'shipped', 'acknowledged', 'allocated'].entries()) {
      await take(word(says, 'A-1', 'ACK', 2, nth + 2), `ack-${nth}`)
    }
    expect(await phases('ACK')).toEqual(['2 shipped'])
    expect(await inboxRow('ack-1')).toMatchObject({ state: 'done', verdict: 'repeated' })
    expect(await inboxRow('ack-3')).toMatchObject({ state: 'done', verdict: 'repeated' })
  })

  test('row 102: a shipment implies what came before it, and of more than is open it is an incident', async () => {
    await take(level('SHIP', 10, 1))
    await order('S-1', 'SHIP', 2)
    await take(word('shipped', 'S-1', 'SHIP', 3, 2), 'over')
    // The third unit is a fact as well: it is subtracted until a figure holds it.
    expect(await phases('SHIP')).toEqual(['1 shipped', '2 shipped'])
    await take(level('SHIP', 7, 3))
    expect((await state('SHIP'))?.demands.size).toBe(0)
    const { rows } = await fresh.database.pool.query<{ code: string; units: number }>(
      `select code, units from incident where order_number = 'S-1'`,
    )
    expect(rows).toEqual([{ code: 'OVER_SHIPMENT', units: 1 }])
    await take(word('shipped', 'NOBODYS', 'SHIP', 1, 4), 'of-nobody')
    expect(await inboxRow('of-nobody')).toMatchObject({ state: 'parked' })
  })

  test('row 103: a cancellation twice counts once, and of an unknown line it touches nothing', async () => {
    await take(level('CANCEL', 10, 1))
    await order('C-1', 'CANCEL', 2)
    await take(word('cancelled', 'C-1', 'CANCEL', 2, 2), 'c-1')
    await take(word('cancelled', 'C-1', 'CANCEL', 2, 3), 'c-2')
    await take(
      { ...word('cancelled', 'C-1', 'CANCEL', 2, 4), lines: [{ line: 'NONE', sku: 'CANCEL', units: 1 }] },
      'c-3',
    )
    expect(troubles).toEqual([])
    expect(await figure('CANCEL')).toBe(10)
    expect(await inboxRow('c-3')).toMatchObject({ state: 'parked' })
  })
})

describe('between the inbox and the lane', () => {
  /** A lane that behaves for a while as told. */
  const laneThat = (submit: Lane['submit']): ReceivePorts => ({ ...ports, lane: { submit } })
  const rest = (messageId: string) =>
    fresh.database.pool.query('update inbox set claimed_until = null where message_id = $1', [messageId])

  test('a busy lane costs a message no attempt', async () => {
    await deliver(level('BUSY', 5, 1), 'busy')
    const busy = laneThat(() => Promise.reject(new LaneBusy(1)))
    for (let round = 0; round < 20; round += 1) {
      await applyPending(busy)
      await rest('busy')
    }
    expect(await inboxRow('busy')).toMatchObject({ state: 'pending', attempts: 0 })
    await applyAll()
    expect(await figure('BUSY')).toBe(5)
  })

  test('a message that makes the lane fail is tried eight times, then it is a dead letter, whole', async () => {
    await deliver(level('POISON', 5, 1), 'poison')
    const broken = laneThat(() => Promise.reject(new Error('an invariant broke')))
    for (let round = 0; round < 9; round += 1) {
      await applyPending(broken)
      await rest('poison')
    }
    expect(troubles.splice(0)).toHaveLength(8)
    expect(await inboxRow('poison')).toMatchObject({ state: 'dead' })
    expect(await letters('poison')).toMatchObject([
      { raw: JSON.stringify(level('POISON', 5, 1)), reason: expect.stringMatching(/8 times/) },
    ])
  })

  test('a source that this process does not know yet loses no message', async () => {
    await deliver(level('UNKNOWN-SOURCE', 5, 1), 'unknown-source')
    const ignorant = { ...ports, doors: (): SourceDoor | undefined => undefined }
    await applyPending(ignorant)
    expect(await inboxRow('unknown-source')).toMatchObject({ state: 'pending' })
    await rest('unknown-source')
    await applyAll()
    expect(await figure('UNKNOWN-SOURCE')).toBe(5)
  })

  test('rules that changed meanwhile make a dead letter of what they no longer allow, not silence', async () => {
    await deliver({ ...level('MOVED', 5, 1), warehouse: 'west' }, 'moved')
    const smaller = { ...ports, doors: () => doorOf({ ...SOURCE, warehouses: ['main'] }) }
    await applyPending(smaller)
    expect(await inboxRow('moved')).toMatchObject({ state: 'dead' })
    const [letter] = await letters('moved')
    expect(letter?.reason).toMatch(/warehouse "west" is no warehouse of this source/)
    expect(await replayDeadLetter(ports, deadLettersOn(fresh.database), letter?.id ?? 0)).toMatchObject({ accepted: 1 })
    await applyAll()
    expect(await figure('MOVED')).toBe(5)
  })

  test('a word that was applied before a crash is not applied again', async () => {
    await take(level('HALF-A', 10, 1))
    await order('H-1', 'HALF-A', 4)
    await deliver(
      {
        type: 'order.allocated',
        order: 'H-1',
        sequence: 2,
        lines: [
          { sku: 'HALF-A', units: 1 },
          { sku: 'HALF-B', units: 1 },
        ],
      },
      'half',
    )
    let submitted = 0
    const crashing = laneThat((command, origin, urgency) => {
      submitted += 1
      return submitted === 1 ? lane.submit(command, origin, urgency) : Promise.reject(new Error('the process ended'))
    })
    await applyPending(crashing)
    troubles.splice(0)
    await rest('half')
    await applyAll()
    expect(await phases('HALF-A')).toEqual(['1 allocated', '3 placed'])
    // Half of it waits for a line that never comes; buried and replayed, the other half still counts once.
    await fresh.database.pool.query(
      `update inbox set received_at = received_at - interval '25 hours' where message_id = 'half'`,
    )
    await ports.inbox.bury()
    const [letter] = await letters('half')
    expect(await replayDeadLetter(ports, deadLettersOn(fresh.database), letter?.id ?? 0)).toMatchObject({ accepted: 1 })
    await applyAll()
    expect(await phases('HALF-A')).toEqual(['1 allocated', '3 placed'])
  })

  test('two processes at once apply everything once', async () => {
    const skus = Array.from({ length: 60 }, (_, nth) => `RACE-${nth}`)
    for (const [nth, sku] of skus.entries()) await deliver(level(sku, nth, 1), `race-${nth}`)
    await Promise.all([applyAll(), applyAll(), applyAll()])
    const figures = await Promise.all(skus.map(figure))
    expect(figures).toEqual(skus.map((_, nth) => nth))
    const { rows } = await fresh.database.pool.query<{ stream: string }>(
      `select stream from ledger_entry where stream like 'sku:RACE-%'`,
    )
    expect(rows).toHaveLength(60)
  })

  test('a snapshot of thousands of rows and its open orders is applied whole, in a loop of its own', async () => {
    const figures = Array.from({ length: 2_500 }, (_, nth) => ({ sku: `BULK-${nth}`, net: nth }))
    await take(level('BULK-7', 1, 1))
    await order('B-1', 'BULK-7', 1)
    const openOrders = [{ order: 'B-1', sku: 'BULK-7', units: 1, allocated: 1 }]
    await deliver({ type: 'stock.snapshot', sequence: 5, figures, openOrders }, 'bulk')
    expect(await applyPending(ports, 'ordinary')).toBe(0)
    expect(await applyPending(ports, 'bulk')).toBe(1)
    expect(await inboxRow('bulk')).toMatchObject({ state: 'done' })
    expect(await figure('BULK-2499')).toBe(2_499)
    expect(await phases('BULK-7')).toEqual(['1 allocated contained'])
  })

  test('a backlog is taken piece by piece, never more text at once than memory has for it', async () => {
    const large = (nth: number) =>
      `{"type":"stock.level.reported","sku":"LARGE-${nth}","net":1,"note":"${'x'.repeat(9_000)}"${',"more":"'.concat('y'.repeat(9_000), '"')}}`
    for (let batch = 0; batch < 5; batch += 1) {
      await deliver(`[${Array.from({ length: 100 }, (_, nth) => large(batch * 100 + nth)).join()}]`, `large-${batch}`)
    }
    const claimed: number[] = []
    const counting = {
      ...ports,
      inbox: {
        ...ports.inbox,
        claim: async (...asked: Parameters<typeof ports.inbox.claim>) => {
          const messages = await ports.inbox.claim(...asked)
          claimed.push(messages.reduce((sum, { raw }) => sum + raw.length, 0))
          return messages
        },
      },
    }
    await applyAll(counting)
    expect(Math.max(...claimed)).toBeLessThan(9 * 1024 * 1024)
    expect(await figure('LARGE-499')).toBe(1)
  })
})

describe('a dead letter', () => {
  const replay = (id: number) => replayDeadLetter(ports, deadLettersOn(fresh.database), id)

  test('that still cannot be used stays open; of no id there is none', async () => {
    const told = await deliver({ sku: 'STILL', available_stock: -1 }, 'still')
    const id = told.deadLetters[0]?.id ?? 0
    expect(await replay(id)).toEqual({
      accepted: 0,
      repeated: 0,
      deadLetters: [{ index: 0, id, field: 'available_stock', reason: 'must lie between 0 and 2147483647' }],
      notes: [],
    })
    expect(await letters('still')).toHaveLength(1)
    expect(await replay(999_999)).toBe('unknown')
  })

  test('row 132: replayed by two people at once counts once', async () => {
    await take(level('BOTH', 3, 1), 'both')
    const told = await deliver(level('BOTH', 7, 2), 'both')
    const id = told.deadLetters[0]?.id ?? 0
    const answers = await Promise.all([replay(id), replay(id), replay(id)])
    expect(answers.filter((answer) => answer === 'not-open')).toHaveLength(2)
    await applyAll()
    expect(await figure('BOTH')).toBe(7)
    expect(await replay(id)).toBe('not-open')
  })

  test('of a message that was sent again meanwhile is known', async () => {
    const bad = { ...level('AGAIN', 5, 1), warehouse: 'east' }
    const first = await deliver(bad, 'again')
    const second = await deliver(bad, 'again')
    const wider = { ...ports, doors: () => doorOf({ ...SOURCE, warehouses: ['main', 'west', 'east'] }) }
    expect(await replayDeadLetter(wider, deadLettersOn(fresh.database), first.deadLetters[0]?.id ?? 0)).toMatchObject({
      accepted: 1,
    })
    expect(await replayDeadLetter(wider, deadLettersOn(fresh.database), second.deadLetters[0]?.id ?? 0)).toMatchObject({
      accepted: 0,
      repeated: 1,
    })
  })

  test('of a source that is gone says so and stays', async () => {
    await fresh.database.pool.query(
      `insert into dead_letter (source, message_id, raw, reason) values ('shop:nord', 'w1', '{}', 'unreadable')`,
    )
    const [letter] = await letters('w1')
    expect(await replay(letter?.id ?? 0)).toMatchObject({ accepted: 0, deadLetters: [{ field: 'source' }] })
    expect(await letters('w1')).toHaveLength(1)
  })
})

test('nothing of all this was a bug', () => expect(troubles).toEqual([]))
