import { createHash } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import { figure, order, orderWord, origin, rules } from '../../../test/postgres-world.ts'
import type { WordCommand } from '../../core/decide.ts'
import { sourceOf } from '../../core/ids.ts'
import { releaseClaims } from './claims.ts'
import { type Database, openDatabase } from './database.ts'
import { buryParked, claimPending, fileDelivery, inboxOn, wakeParked } from './inbox-store.ts'
import { createLane, type PostgresLane } from './lane.ts'

const wms = sourceOf('wms')
let fresh: FreshDatabase
let second: Database
let lane: PostgresLane

beforeAll(async () => {
  fresh = await freshDatabase()
  second = openDatabase({ url: fresh.url, schema: 'holdfast' })
  lane = createLane({ database: fresh.database, configuration: () => rules })
})
afterAll(async () => {
  await lane.stop()
  await second.close()
  await fresh.drop()
})
beforeEach(async () => {
  await fresh.database.pool.query('truncate inbox, dead_letter')
})

const message = (messageId: string, raw = `{"id":"${messageId}"}`, words = 1) => ({
  messageId,
  raw,
  words,
  notes: ['A_NOTE'],
  contentHash: createHash('sha256').update(raw).digest(),
})
const file = (...messages: ReturnType<typeof message>[]) => fileDelivery(fresh.database, 'wms', messages, [])

const rowOf = async (messageId: string) =>
  (
    await fresh.database.pool.query(
      'select state, applied, waiting, waits_for, attempts, verdict from inbox where message_id = $1',
      [messageId],
    )
  ).rows[0]
const letters = async () =>
  (await fresh.database.pool.query('select message_id, raw, reason, field, value from dead_letter order by id')).rows

/** Files a message of so many words and returns what submits its words with their receipts. */
async function filed(messageId: string, words: number) {
  await file(message(messageId, '{}', words))
  const { rows } = await fresh.database.pool.query<{ id: number }>('select id from inbox where message_id = $1', [
    messageId,
  ])
  const inboxId = rows[0]?.id ?? 0
  return (word: number, command: WordCommand) => lane.submit(command, { ...origin, receipt: { inboxId, word } })
}

describe('filing', () => {
  test('the same message twice is one message; with other content it is a dead letter, whole', async () => {
    expect((await file(message('a', '{"n":1}'))).filed).toEqual([{ messageId: 'a', outcome: 'new' }])
    expect((await file(message('a', '{"n":1}'))).filed).toEqual([{ messageId: 'a', outcome: 'repeated' }])
    const third = await file(message('a', '{"n":2}'), message('b'))
    expect(third.filed).toEqual([
      { messageId: 'a', outcome: 'conflict' },
      { messageId: 'b', outcome: 'new' },
    ])
    expect(third.deadLetterIds).toHaveLength(1)
    expect(await letters()).toMatchObject([{ message_id: 'a', raw: '{"n":2}', field: 'id', value: 'a' }])
  })

  test('sources do not share their identities', async () => {
    await file(message('same'))
    const { filed: other } = await fileDelivery(fresh.database, 'other', [message('same', '{"else":true}')], [])
    expect(other).toEqual([{ messageId: 'same', outcome: 'new' }])
  })

  test('two deliveries of the same messages at once, in opposite order, file each once', async () => {
    const ids = Array.from({ length: 40 }, (_, n) => `m-${n}`)
    const deliveries = await Promise.all([
      file(...ids.map((id) => message(id))),
      fileDelivery(
        second,
        'wms',
        ids.toReversed().map((id) => message(id)),
        [],
      ),
    ])
    const outcomes = deliveries.flatMap((each) => each.filed.map(({ outcome }) => outcome))
    expect(outcomes.filter((outcome) => outcome === 'new')).toHaveLength(40)
    expect(outcomes.filter((outcome) => outcome === 'repeated')).toHaveLength(40)
  })

  test('a NUL in any part of a dead letter does not refuse the delivery', async () => {
    const nul = 'a\u0000b'
    const { deadLetterIds } = await fileDelivery(
      fresh.database,
      'wms',
      [message('good')],
      [{ messageId: nul, raw: nul, reason: nul, field: nul, value: nul }],
    )
    expect(deadLetterIds).toHaveLength(1)
    const kept = 'a\\u0000b'
    expect(await letters()).toEqual([{ message_id: kept, raw: kept, reason: kept, field: kept, value: kept }])
    expect(await rowOf('good')).toMatchObject({ state: 'pending' })
  })
})

describe('claiming', () => {
  test('two processes never claim the same message, and together claim all', async () => {
    const ids = Array.from({ length: 60 }, (_, n) => `m-${String(n).padStart(2, '0')}`)
    await file(...ids.map((id) => message(id)))
    const claims = await Promise.all(
      Array.from({ length: 6 }, (_, n) => claimPending((n % 2 === 0 ? fresh.database : second).pool, 10)),
    )
    const claimed = claims.flat().map(({ messageId }) => messageId)
    expect(claimed.toSorted()).toEqual(ids)
  })

  test('a claim that has run out is taken again, with the attempt counted; a renewed or live one is not', async () => {
    await file(message('a'), message('b'))
    const [first, other] = await claimPending(fresh.database.pool, 10)
    await fresh.database.pool.query(`update inbox set claimed_until = clock_timestamp() - interval '1 s'`)
    await inboxOn(second).renew([other?.id ?? 0])
    expect(await claimPending(second.pool, 10)).toMatchObject([{ messageId: first?.messageId, attempts: 2 }])
    expect(await claimPending(second.pool, 10)).toEqual([])
  })

  test('claims of before a kill are given back to whoever lives alone', async () => {
    await file(message('a'))
    await claimPending(fresh.database.pool, 10)
    expect(await claimPending(second.pool, 10)).toEqual([])
    await releaseClaims(second.pool)
    expect(await claimPending(second.pool, 10)).toMatchObject([{ messageId: 'a' }])
  })

  test('a postponed message comes again and its attempt does not count', async () => {
    await file(message('a'))
    const [claimed] = await claimPending(fresh.database.pool, 10)
    await inboxOn(fresh.database).postpone(claimed?.id ?? 0)
    expect(await rowOf('a')).toMatchObject({ state: 'pending', attempts: 0 })
  })

  test('large and small messages are claimed apart', async () => {
    await file(message('small'), message('large', '[]', 1_000))
    expect(await claimPending(fresh.database.pool, 10, 'bulk')).toMatchObject([{ messageId: 'large' }])
    expect(await claimPending(fresh.database.pool, 10, 'ordinary')).toMatchObject([{ messageId: 'small' }])
  })

  test('a message that is given up becomes a dead letter, once', async () => {
    await file(message('a', '{"whole":true}'))
    const [claimed] = await claimPending(fresh.database.pool, 1)
    const inbox = inboxOn(fresh.database)
    await Promise.all([inbox.giveUp(claimed?.id ?? 0, 'why'), inboxOn(second).giveUp(claimed?.id ?? 0, 'why')])
    expect(await letters()).toMatchObject([{ message_id: 'a', raw: '{"whole":true}', reason: 'why' }])
    expect(await rowOf('a')).toMatchObject({ state: 'dead' })
  })
})

describe('words', () => {
  test('a message is done when its last word is applied, whatever their order', async () => {
    const apply = await filed('two', 2)
    await apply(1, figure('D-1', 5, 1))
    expect(await rowOf('two')).toMatchObject({ state: 'pending', applied: [1] })
    await apply(0, figure('D-2', 5, 1))
    expect(await rowOf('two')).toMatchObject({ state: 'done', applied: [1, 0] })
  })

  test('words of one batch are ticked together, and each once', async () => {
    const apply = await filed('three', 3)
    await Promise.all([0, 1, 2, 0].map((word) => apply(word, figure(`T-${word}`, 5, 1))))
    const row = await rowOf('three')
    expect([row.state, row.applied.toSorted()]).toEqual(['done', [0, 1, 2]])
  })

  test('a word whose order is unknown waits for it, and counts when it comes', async () => {
    await lane.submit(figure('W-1', 5, 1), origin)
    const apply = await filed('waits', 1)
    const allocated = orderWord('allocated', 'w-1', 'W-1', 2, 2)
    expect(await apply(0, allocated)).toEqual({ verdict: 'unknown-order' })
    expect(await rowOf('waits')).toMatchObject({ state: 'parked', waiting: [0], waits_for: ['N-w-1'] })
    await wakeParked(fresh.database.pool, ['N-other'])
    expect(await rowOf('waits')).toMatchObject({ state: 'parked' })

    await lane.submit(order('w-1', [{ sku: 'W-1', units: 2 }]), origin)
    await wakeParked(fresh.database.pool, ['N-w-1'])
    expect(await rowOf('waits')).toMatchObject({ state: 'pending', waiting: [], waits_for: [], attempts: 0 })
    expect(await apply(0, allocated)).toEqual({ verdict: 'applied' })
    expect(await rowOf('waits')).toMatchObject({ state: 'done', applied: [0], waiting: [] })
  })

  test('an order that comes between two words of one message wakes it: nothing is parked for an order that is here', async () => {
    await lane.submit(figure('W-2', 5, 1), origin)
    const apply = await filed('between', 2)
    await apply(0, orderWord('allocated', 'w-2', 'W-2', 1, 2))
    await lane.submit(order('w-2', [{ sku: 'W-2', units: 1 }]), origin)
    await wakeParked(fresh.database.pool, ['N-w-2'])
    await apply(1, figure('W-3', 5, 1))
    expect(await rowOf('between')).toMatchObject({ state: 'pending', applied: [1], waiting: [] })
    expect(await claimPending(fresh.database.pool, 1)).toMatchObject([{ messageId: 'between', applied: [1] }])
  })

  test('a waiting word that comes back does not stand for another one that was never applied', async () => {
    const apply = await filed('again', 2)
    const waiting = orderWord('allocated', 'never', 'W-4', 1, 2)
    await apply(0, waiting)
    await apply(0, waiting)
    expect(await rowOf('again')).toMatchObject({ state: 'pending', waiting: [0] })
    await apply(1, figure('W-4', 5, 1))
    expect(await rowOf('again')).toMatchObject({ state: 'parked', applied: [1], waiting: [0] })
  })

  test('an order that nobody told of is found within a minute: its words are woken all the same', async () => {
    await lane.submit(figure('W-5', 5, 1), origin)
    const apply = await filed('untold', 1)
    await apply(0, orderWord('allocated', 'w-5', 'W-5', 1, 2))
    expect(await buryParked(fresh.database.pool)).toBe(0)
    expect(await rowOf('untold')).toMatchObject({ state: 'parked' })
    await lane.submit(order('w-5', [{ sku: 'W-5', units: 1 }]), origin)
    expect(await buryParked(fresh.database.pool)).toBe(0)
    expect(await rowOf('untold')).toMatchObject({ state: 'pending', waits_for: [] })
  })

  test('an order of the same number that was here before is not the one that its words wait for: they sleep on', async () => {
    await lane.submit(figure('W-7', 5, 1), origin)
    await lane.submit(order('w-7', [{ sku: 'W-5', units: 1 }]), origin)
    const apply = await filed('another', 1)
    await apply(0, orderWord('allocated', 'w-7', 'W-7', 1, 2))
    expect(await rowOf('another')).toMatchObject({ state: 'parked' })
    await buryParked(fresh.database.pool)
    expect(await rowOf('another')).toMatchObject({ state: 'parked', waits_for: ['N-w-7'] })
  })

  test('words whose order never comes are buried as a dead letter, whole, and not before a day', async () => {
    const apply = await filed('lost', 1)
    await apply(0, orderWord('allocated', 'lost', 'W-6', 1, 2))
    await fresh.database.pool.query(`update inbox set received_at = clock_timestamp() - interval '23 hours'`)
    expect(await inboxOn(fresh.database).bury()).toBe(0)
    await fresh.database.pool.query(`update inbox set received_at = clock_timestamp() - interval '25 hours'`)
    expect(await inboxOn(fresh.database).bury()).toBe(1)
    expect(await letters()).toEqual([
      { message_id: 'lost', raw: '{}', reason: 'No shop knows this order', field: 'order', value: 'N-lost' },
    ])
    expect(await rowOf('lost')).toMatchObject({ state: 'dead', verdict: 'unknown-order' })
  })

  test('a word that breaks leaves no tick behind, and its neighbours in the batch do', async () => {
    const apply = await filed('breaks', 2)
    const broken = figure('W-7', 0.5, 1)
    const answers = await Promise.allSettled([apply(0, broken), apply(1, figure('W-8', 1, 1))])
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
    expect(await rowOf('breaks')).toMatchObject({ state: 'pending', applied: [1] })
  })
})

test('the inbox as the use case sees it computes the hash of what it keeps', async () => {
  const inbox = inboxOn(fresh.database)
  await inbox.file(wms, [{ messageId: 'a', raw: 'text', words: 1, notes: [] }], [])
  const { rows } = await fresh.database.pool.query('select content_hash, raw from inbox')
  expect(rows).toEqual([{ content_hash: createHash('sha256').update('text').digest(), raw: 'text' }])
})

describe('deliveries that come at once', () => {
  const raw = (id: string, text = '{}') => ({ messageId: id, raw: text, words: 1, notes: [] })
  const rowsLike = async (pattern: string): Promise<number> =>
    (await fresh.database.pool.query('select from inbox where message_id like $1', [pattern])).rowCount ?? 0

  test('are each answered for themselves', async () => {
    const inbox = inboxOn(fresh.database)
    const filed = await Promise.all(
      Array.from({ length: 40 }, (_, n) => inbox.file(sourceOf(n % 2 ? 'wms' : 'other'), [raw(`crowd-${n}`)], [])),
    )
    expect(filed.map(({ filed: [one] }) => one)).toEqual(
      Array.from({ length: 40 }, (_, n) => ({ messageId: `crowd-${n}`, outcome: 'new' })),
    )
    expect(await rowsLike('crowd-%')).toBe(40)
  })

  test('with one message of the same identity: the first is new, the same again repeated, another content a conflict', async () => {
    const inbox = inboxOn(fresh.database)
    const answers = await Promise.all([
      inbox.file(sourceOf('wms'), [raw('twin')], []),
      inbox.file(sourceOf('wms'), [raw('twin')], []),
      inbox.file(sourceOf('wms'), [raw('twin', '{"else":1}')], []),
    ])
    expect(answers.map(({ filed: [one] }) => one?.outcome)).toEqual(['new', 'repeated', 'conflict'])
    expect(answers.map(({ deadLetterIds }) => deadLetterIds.length)).toEqual([0, 0, 1])
  })

  test('one that PostgreSQL refuses fails alone', async () => {
    const inbox = inboxOn(fresh.database)
    const answers = await Promise.allSettled([
      inbox.file(sourceOf('wms'), [raw('fine-1')], []),
      inbox.file(sourceOf('wms'), [{ ...raw('broken'), words: -1 }], []),
      inbox.file(sourceOf('wms'), [raw('fine-2')], []),
    ])
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(await rowsLike('fine-%')).toBe(2)
  })
})
