import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ERP_TOKEN, type Served, serve, signed } from './served.ts'

let holdfast: Served
beforeAll(async () => {
  holdfast = await serve()
})
afterAll(() => holdfast.end())

const FLAT = {
  sku: 'TSHIRT-BLK-M',
  available_stock: 42,
  reserved_stock: 5,
  incoming_stock: 20,
  backorder_allowed: true,
}
const DOOR = '/v1/sources/wms/messages'

const inboxCount = async (): Promise<number> => {
  const { rows } = await holdfast.database.pool.query<{ count: number }>('select count(*)::int as count from inbox')
  return rows[0]?.count ?? 0
}
const deadLetterCount = async (): Promise<number> => {
  const { rows } = await holdfast.database.pool.query<{ count: number }>(
    'select count(*)::int as count from dead_letter',
  )
  return rows[0]?.count ?? 0
}
const shelf = async (sku: string) => {
  await holdfast.applied()
  return (await holdfast.stock(sku)).warehouses[0]
}

describe('the flat message', () => {
  test('as everybody sends it: 42 net and 47 on hand, with the note that what comes without a day is no supply', async () => {
    const told = await holdfast.deliver(FLAT)
    expect([told.status, told.body]).toEqual([
      202,
      { accepted: 1, repeated: 0, deadLetters: [], notes: ['INCOMING_WITHOUT_DAY'] },
    ])
    expect(await shelf('TSHIRT-BLK-M')).toMatchObject({
      figureUnits: 42,
      onHandUnits: 47,
      allocatedUnits: 5,
      incomingUnits: 20,
      backorderVeto: false,
    })
    expect(await holdfast.sellable('TSHIRT-BLK-M')).toBe(42)
    expect((await holdfast.stock('TSHIRT-BLK-M')).inbound).toEqual([])
  })

  test('a missing announcement or permission leaves the old one', async () => {
    await holdfast.deliver({ ...FLAT, sku: 'PARTS', backorder_allowed: false })
    await holdfast.deliver({ sku: 'PARTS', available_stock: 40 })
    expect(await shelf('PARTS')).toMatchObject({ figureUnits: 40, incomingUnits: 20, backorderVeto: true })
  })

  test('without an order of its own a fall counts at once and a rise waits', async () => {
    await holdfast.deliver({ sku: 'UNORDERED', available_stock: 10 })
    await holdfast.deliver({ sku: 'UNORDERED', available_stock: 4 })
    expect(await holdfast.sellable('UNORDERED')).toBe(4)
    await holdfast.deliver({ sku: 'UNORDERED', available_stock: 9 })
    expect(await holdfast.sellable('UNORDERED')).toBe(4)
    expect(await shelf('UNORDERED')).toMatchObject({ waitingRises: 1 })
  })

  test('with a sequence or a moment it has an order: the older one changes nothing', async () => {
    for (const [name, older, newer] of [
      ['SEQ', { sequence: 1 }, { sequence: 2 }],
      ['ASOF', { as_of: '2026-11-23T08:00:00Z' }, { as_of: '2026-11-23T08:00:01Z' }],
    ] as const) {
      await holdfast.deliver({ sku: name, available_stock: 5, ...newer })
      await holdfast.applied()
      await holdfast.deliver({ sku: name, available_stock: 50, ...older })
      expect(await holdfast.sellable(name)).toBe(5)
    }
  })

  test('is one, an array, or lines', async () => {
    const lines = ['A', 'B', 'C'].map((name) => JSON.stringify({ sku: `MANY-${name}`, available_stock: 3 }))
    const array = await holdfast.deliver(`[${lines.join()}]`)
    expect(array.body).toMatchObject({ accepted: 3, deadLetters: [] })
    const ndjson = await holdfast.deliver(lines.join('\n'), { headers: { 'content-type': 'application/x-ndjson' } })
    expect(ndjson.body).toMatchObject({ accepted: 3, deadLetters: [] })
    expect(await holdfast.sellable('MANY-C')).toBe(3)
  })
})

describe('a delivery that is not authentic', () => {
  test('rows 21 to 27: is answered 401 with one body, whatever was wrong, and leaves nothing behind', async () => {
    const text = JSON.stringify(FLAT)
    const good = signed(text, 'forged')
    const signature = good['webhook-signature'] ?? ''
    const [inbox, letters] = [await inboxCount(), await deadLetterCount()]
    const tries: [string, Record<string, string>, string][] = [
      [DOOR, {}, text],
      [DOOR, { ...good, 'webhook-signature': '' }, text],
      [DOOR, { ...good, 'webhook-signature': signature.slice(0, -1) }, text],
      [DOOR, { ...good, 'webhook-signature': `${signature}A` }, text],
      [DOOR, { ...good, 'webhook-signature': signature.toUpperCase() }, text],
      [DOOR, good, text.replace('42', '43')],
      [DOOR, good, `${text}\n`],
      [DOOR, good, JSON.stringify(Object.fromEntries(Object.entries(FLAT).reverse()))],
      [DOOR, { authorization: `Bearer ${ERP_TOKEN}` }, text],
      ['/v1/sources/erp/messages', good, text],
      ['/v1/sources/erp/messages', { authorization: `Bearer ${holdfast.token}` }, text],
      ['/v1/sources/nobody/messages', good, text],
      ['/v1/sources/constructor/messages', good, text],
      [DOOR, signed(text, 'old', String(Math.floor(Date.now() / 1000) - 360)), text],
      [DOOR, signed(text, 'ahead', String(Math.floor(Date.now() / 1000) + 360)), text],
      [DOOR, signed(text, 'ms', String(Date.now())), text],
      [DOOR, signed(text, 'words', '1e9'), text],
    ]
    const answers = await Promise.all(
      tries.map(([path, headers, body]) => holdfast.ask('POST', path, { body, headers, as: null })),
    )
    expect(answers.map(({ status }) => status)).toEqual(tries.map(() => 401))
    expect(new Set(answers.map(({ text: told }) => told)).size).toBe(1)
    expect([await inboxCount(), await deadLetterCount()]).toEqual([inbox, letters])
  })

  test('row 26: two signature headers are as good as none, whichever is right', async () => {
    const text = JSON.stringify(FLAT)
    const { 'webhook-signature': right = '', ...rest } = signed(text, 'twice')
    for (const pair of [
      [right, right],
      ['v1,wrong', right],
      [right, 'v1,wrong'],
    ]) {
      const head = [
        `POST ${DOOR} HTTP/1.1`,
        'Host: holdfast',
        ...Object.entries(rest).map(([name, value]) => `${name}: ${value}`),
        ...pair.map((each) => `webhook-signature: ${each}`),
        `Content-Length: ${text.length}`,
        'Connection: close',
        '',
        text,
      ]
      expect(await holdfast.raw(head.join('\r\n'))).toMatch(/^HTTP\/1\.1 401/)
    }
  })

  test('row 27: a source of ten megabytes, or with dots and slashes, is no door', async () => {
    const text = JSON.stringify(FLAT)
    for (const name of ['..%2fx', '%2e%2e', 'a b', '__proto__%00', 'x'.repeat(64)]) {
      const told = await holdfast.ask('POST', `/v1/sources/${name}/messages`, {
        body: text,
        headers: signed(text, 'x'),
        as: null,
      })
      expect([401, 404]).toContain(told.status)
    }
    const huge = await holdfast
      .raw(`POST /v1/sources/${'x'.repeat(100_000)}/messages HTTP/1.1\r\nHost: x\r\n\r\n`)
      .catch(() => 'HTTP/1.1 431')
    expect(huge).toMatch(/^HTTP\/1\.1 431/)
  })

  test('its reason is in our log, its secret and body are not', () => {
    const log = holdfast.logged.join('')
    expect(log).toContain('webhook-timestamp is too far from now')
    expect(log).toContain('the signature does not match')
    expect(log).not.toMatch(/TSHIRT|whsec|the-token-of-the-erp/)
  })
})

describe('an authentic delivery', () => {
  test('rows 29 and 30: of the same id is known when it is the same, and a dead letter when it is not', async () => {
    const message = { sku: 'REPEATED', available_stock: 5 }
    expect((await holdfast.deliver(message, { id: 'r1' })).body).toMatchObject({ accepted: 1, repeated: 0 })
    await holdfast.applied()
    await holdfast.deliver({ sku: 'REPEATED', available_stock: 3 }, { id: 'r2' })
    expect(await holdfast.sellable('REPEATED')).toBe(3)
    expect((await holdfast.deliver(message, { id: 'r1' })).body).toMatchObject({
      accepted: 0,
      repeated: 1,
      deadLetters: [],
    })
    expect(await holdfast.sellable('REPEATED')).toBe(3)
    expect(await shelf('REPEATED')).toMatchObject({ waitingRises: 0 })
    const conflict = await holdfast.deliver({ sku: 'REPEATED', available_stock: 99 }, { id: 'r1' })
    expect([conflict.status, conflict.body]).toEqual([
      202,
      {
        accepted: 0,
        repeated: 0,
        deadLetters: [
          { index: 0, id: expect.any(Number), field: 'id', reason: expect.stringMatching(/other content/) },
        ],
        notes: [],
      },
    ])
    expect(await holdfast.sellable('REPEATED')).toBe(3)
  })

  test('the same figure again under a new id is news', async () => {
    await holdfast.deliver({ sku: 'NEWS', available_stock: 5, sequence: 1 })
    await holdfast.deliver({ sku: 'NEWS', available_stock: 4, sequence: 2 })
    const again = await holdfast.deliver({ sku: 'NEWS', available_stock: 5, sequence: 3 })
    expect(again.body).toMatchObject({ accepted: 1 })
    expect(await holdfast.sellable('NEWS')).toBe(5)
  })

  test('rows 45, 53 and 57: that is no JSON is 202 and one dead letter, whole', async () => {
    for (const body of ['{"sku":"A",}', Buffer.from([0x7b, 0xff, 0x7d]), `"${'x'.repeat(1_000_000)}"`, '']) {
      const told = await holdfast.ask('POST', DOOR, { body, as: null, headers: signed(body, `junk-${body.length}`) })
      expect([told.status, told.body.accepted, told.body.deadLetters.length]).toEqual([202, 0, 1])
      const { rows } = await holdfast.database.pool.query<{ raw: string }>(
        'select raw from dead_letter where id = $1',
        [told.body.deadLetters[0].id],
      )
      const raw = rows[0]?.raw ?? ''
      expect(raw.startsWith('base64:') ? Buffer.from(raw.slice(7), 'base64') : Buffer.from(raw)).toEqual(
        Buffer.from(body),
      )
    }
  })

  test('row 62: a wrong message among good ones is told by its place, reason and id, and hinders none', async () => {
    const told = await holdfast.deliver(
      '[{"sku":"GOOD-1","available_stock":1},{"sku":"BAD","available_stock":1.5},{"sku":"GOOD-2","available_stock":2},{"sku":"BAD","sku":"X"}]',
    )
    expect(told.body).toEqual({
      accepted: 2,
      repeated: 0,
      deadLetters: [
        {
          index: 1,
          id: expect.any(Number),
          field: 'available_stock',
          reason: 'must be whole units, written as digits alone',
        },
        { index: 3, id: expect.any(Number), field: 'message', reason: expect.stringMatching(/appears twice/) },
      ],
      notes: [],
    })
    expect(await holdfast.sellable('GOOD-2')).toBe(2)
    expect((await holdfast.stock('BAD')).tracked).toBe(false)
  })

  test('two messages of one id in one delivery: the same is known, another one is a dead letter, and none vanishes', async () => {
    const message = (units: number) => ({ id: 'twin', type: 'stock.level.reported', sku: 'TWIN', net: units })
    const told = await holdfast.deliver([message(5), message(5), message(7)])
    expect(told.body).toMatchObject({ accepted: 1, repeated: 1, deadLetters: [{ index: 2, field: 'id' }] })
    expect(await holdfast.sellable('TWIN')).toBe(5)
  })

  test('by a bearer token is taken, with and without an id', async () => {
    const headers = { authorization: `Bearer ${ERP_TOKEN}` }
    const erp = (more: Record<string, string> = {}) =>
      holdfast.ask('POST', '/v1/sources/erp/messages', {
        body: { sku: 'DEPOT', available_stock: 6 },
        headers: { ...headers, ...more },
        as: null,
      })
    expect((await erp()).body).toMatchObject({ accepted: 1 })
    expect((await erp()).body).toMatchObject({ accepted: 1 })
    expect((await erp({ 'webhook-id': 'e1' })).body).toMatchObject({ accepted: 1 })
    expect((await erp({ 'webhook-id': 'e1' })).body).toMatchObject({ repeated: 1 })
    expect(await shelf('DEPOT')).toMatchObject({ warehouse: 'depot', figureUnits: 6 })
  })

  test('row 85: about a warehouse of another source is a dead letter', async () => {
    const told = await holdfast.deliver({ sku: 'A', available_stock: 1, warehouse: 'depot' })
    expect(told.body.deadLetters).toMatchObject([
      { field: 'warehouse', reason: expect.stringMatching(/no warehouse of this source/) },
    ])
  })

  test('rows 75 to 81: SKUs of every kind arrive as they are, in the database, the ledger and the answers', async () => {
    const skus = [
      'MÜTZE',
      'abc',
      'ABC',
      '00123',
      '1E5',
      'true',
      'null',
      '=1+1',
      "'; DROP TABLE sku; --",
      '%',
      '_',
      '\\',
      '$1',
      '{{7*7}}',
      '<script>alert(1)</script>',
      '../../etc/passwd',
      'con',
      'a/b?c#d',
      '😀'.repeat(255),
      'x'.repeat(255),
      'ß',
      'İ',
    ]
    const told = await holdfast.deliver(skus.map((sku, nth) => ({ sku, available_stock: nth + 1 })))
    expect(told.body).toMatchObject({ accepted: skus.length, deadLetters: [] })
    await holdfast.applied()
    for (const [nth, sku] of skus.entries()) {
      const one = await holdfast.ask('GET', `/v1/stock/${encodeURIComponent(sku)}`)
      expect([one.status, one.body?.sku, one.body?.shops[0].sellableUnits]).toEqual([200, sku, nth + 1])
      const { entries } = (await holdfast.ask('GET', `/v1/ledger?sku=${encodeURIComponent(sku)}`)).body
      expect(entries).toMatchObject([{ stream: `sku:${sku}` }])
    }
    const decomposed = await holdfast.deliver({ sku: 'MU\u0308TZE ', available_stock: 1 })
    expect(decomposed.body).toMatchObject({ accepted: 1, notes: ['SKU_TRIMMED_OR_COMPOSED'] })
    expect(await holdfast.sellable('MÜTZE')).toBe(1)
  })

  test('row 70: a sum above what a column holds is a dead letter, not an error of the database', async () => {
    const told = await holdfast.deliver({ sku: 'SUM', available_stock: 2_147_483_647, reserved_stock: 1 })
    expect(told.body.deadLetters).toMatchObject([{ field: 'reserved_stock' }])
    const largest = await holdfast.deliver({ sku: 'SUM', available_stock: 2_147_483_647, reserved_stock: 0 })
    expect(largest.body).toMatchObject({ accepted: 1 })
    expect(await holdfast.sellable('SUM')).toBe(2_147_483_647)
  })
})

test('nothing of all this was a bug', () => expect(holdfast.logged.join('')).not.toContain('invariant'))
