import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Served, serve } from './served.ts'

let holdfast: Served
beforeAll(async () => {
  holdfast = await serve()
})
afterAll(() => holdfast.end())

let made = 0
/** A SKU of its own for each test, with so many units. */
async function goods(units: number): Promise<string> {
  made += 1
  const sku = `SKU-${made}`
  expect((await holdfast.deliver({ type: 'stock.level.reported', sku, net: units, sequence: made })).status).toBe(202)
  await holdfast.applied()
  return sku
}

type More = { readonly key?: string; readonly headers?: Record<string, string>; readonly mode?: string }
const hold = (sku: string, units: unknown, { key = `k-${sku}`, headers = {}, ...more }: More = {}) =>
  holdfast.ask('PUT', `/v1/shops/till/reservations/${encodeURIComponent(key)}`, {
    body: { lines: [{ sku, units }], ...more },
    headers,
  })
const once = (key: string): { headers: Record<string, string> } => ({ headers: { 'idempotency-key': key } })
const path = (sku: string, rest = '') => `/v1/shops/till/reservations/k-${sku}${rest}`

describe('a hold', () => {
  test('is made, looked at, replaced, and given back', async () => {
    const sku = await goods(10)
    const made = await hold(sku, 4)
    expect(made.status).toBe(201)
    expect(made.body).toEqual({
      shop: 'till',
      key: `k-${sku}`,
      until: expect.stringMatching(/^\d{4}-.*Z$/),
      lines: [
        {
          sku,
          askedUnits: 4,
          grantedUnits: 4,
          untracked: false,
          supplies: [{ kind: 'on-hand', warehouse: 'main', units: 4 }],
        },
      ],
    })
    expect((await holdfast.ask('GET', path(sku))).body).toEqual(made.body)
    expect(await holdfast.sellable(sku)).toBe(6)
    expect((await hold(sku, 4)).status).toBe(200)
    expect(await holdfast.sellable(sku)).toBe(6)
    expect((await hold(sku, 9)).status).toBe(200)
    expect(await holdfast.sellable(sku)).toBe(1)
    const other = await goods(5)
    expect((await hold(other, 1, { key: `k-${sku}` })).status).toBe(200)
    expect(await holdfast.sellable(sku)).toBe(10)
    expect((await holdfast.ask('DELETE', path(sku))).body).toEqual({ releasedUnits: 1 })
    expect((await holdfast.ask('DELETE', path(sku))).body).toEqual({ releasedUnits: 0 })
    expect((await holdfast.ask('GET', path(sku))).body).toMatchObject({ status: 404, code: 'RESERVATION_UNKNOWN' })
    expect(await holdfast.sellable(other)).toBe(5)
  })

  test.each([
    [undefined, 'en', /^Only 3 of “SKU-\d+” left/],
    ['de-DE,de;q=0.9,en;q=0.5', 'de', /^„SKU-\d+“ ist nur noch 3 Mal verfügbar/],
    ['fr', 'en', /^Only 3/],
  ])('that is refused says the numbers, a stable key and a text: Accept-Language %s', async (wish, language, text) => {
    const sku = await goods(3)
    const refused = await hold(sku, 4, { headers: wish === undefined ? {} : { 'accept-language': wish } })
    expect(refused.status).toBe(409)
    expect(refused.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(refused.headers.get('content-language')).toBe(language)
    expect(refused.body).toEqual({
      type: 'about:blank',
      title: 'Conflict',
      status: 409,
      code: 'NOT_ENOUGH',
      detail: `${sku}: 4 asked, 3 sellable`,
      messageKey: 'NOT_ENOUGH',
      message: expect.stringMatching(text),
      language,
      lines: [{ sku, askedUnits: 4, sellableUnits: 3 }],
    })
    expect(await holdfast.sellable(sku)).toBe(3)
  })

  test('in part takes what fits', async () => {
    const sku = await goods(3)
    const part = await hold(sku, 5, { mode: 'partial' })
    expect(part.status).toBe(201)
    expect(part.body.lines[0]).toMatchObject({ askedUnits: 5, grantedUnits: 3 })
  })

  test('of a SKU without a figure is neither refused nor counted', async () => {
    const told = await hold('NOBODY-KNOWS', 1_000)
    expect(told.status).toBe(201)
    expect(told.body.lines[0]).toMatchObject({ untracked: true })
  })

  test('rows 69 and 70: too large is refused with the number, nothing is refused as no hold, and no sum wraps', async () => {
    const sku = await goods(10)
    expect((await hold(sku, 1_000_000)).body).toMatchObject({ code: 'NOT_ENOUGH', lines: [{ sellableUnits: 10 }] })
    expect((await hold(sku, 0)).body).toMatchObject({ status: 422, problems: [{ field: 'lines.0.units' }] })
    for (const each of [sku, 'NOBODY-KNOWS-2']) {
      const lines = Array.from({ length: 3 }, () => ({ sku: each, units: 2_147_483_647 }))
      const told = await holdfast.ask('PUT', path(each), { body: { lines } })
      expect(told.body).toMatchObject({ status: 422, code: 'UNITS_UNUSABLE' })
    }
    const order = { order: 'huge', lines: [1, 2].map((n) => ({ lineId: `L${n}`, sku, units: 2_147_483_647 })) }
    expect((await holdfast.ask('POST', '/v1/shops/till/orders', { body: order })).body.code).toBe('UNITS_UNUSABLE')
    expect(await holdfast.sellable(sku)).toBe(10)
  })

  test('rows 64 to 68: units are whole and plain; nothing is turned into them', async () => {
    const sku = await goods(10)
    const literals = [
      '1.5',
      '2.9999999999999999',
      '1e1',
      '1.0',
      '-1',
      '1e400',
      '2147483648',
      '9007199254740993',
      '"5"',
      '""',
      '"0x10"',
      'null',
      'true',
      '[5]',
      '{}',
    ]
    for (const literal of literals) {
      const body = `{"lines":[{"sku":"${sku}","units":${literal}}]}`
      const told = await holdfast.ask('PUT', path(sku), { body })
      expect([literal, told.status, told.body.problems]).toEqual([
        literal,
        422,
        [{ field: 'lines.0.units', problem: 'must be whole units from 1 to 2147483647' }],
      ])
    }
    expect(await holdfast.sellable(sku)).toBe(10)
  })

  test.each([
    ['{"lines":[{"sku":"A","units":1,"units":9}]}', 400, 'BODY_UNREADABLE'],
    ['{"lines":[{"sku":"A","units":1}],"__proto__":{"mode":"partial"}}', 400, 'BODY_UNREADABLE'],
    ['{"lines":[{"sku":"A\\u0000","units":1}]}', 400, 'BODY_UNREADABLE'],
    ['{"lines":[{"sku":"\\ud800","units":1}]}', 400, 'BODY_UNREADABLE'],
    ['{"lines":[', 400, 'BODY_UNREADABLE'],
    [`{"lines":${'['.repeat(100)}`, 400, 'BODY_UNREADABLE'],
    ['null', 422, 'REQUEST_WRONG'],
    ['[]', 422, 'REQUEST_WRONG'],
    ['{}', 422, 'REQUEST_WRONG'],
    ['{"lines":{"length":1}}', 422, 'REQUEST_WRONG'],
    ['{"lines":[]}', 422, 'REQUEST_WRONG'],
    [JSON.stringify({ lines: Array.from({ length: 201 }, () => ({ sku: 'A', units: 1 })) }), 422, 'REQUEST_WRONG'],
    ['{"lines":[{"sku":"","units":1}]}', 422, 'REQUEST_WRONG'],
    ['{"lines":[{"sku":7,"units":1}]}', 422, 'REQUEST_WRONG'],
    ['{"lines":[{"sku":"a\\u200bb","units":1}]}', 422, 'SKU_UNUSABLE'],
    ['{"lines":[{"sku":"A","units":1,"price":2}]}', 422, 'REQUEST_WRONG'],
    ['{"lines":[{"sku":"A","units":1}],"onHand":999}', 422, 'REQUEST_WRONG'],
    ['{"lines":[{"sku":"A","units":1}],"mode":"most"}', 422, 'REQUEST_WRONG'],
    ['{"lines":[{"sku":"A","units":1}],"until":"2026-02-30T00:00:00Z"}', 422, 'UNTIL_UNUSABLE'],
    ['{"lines":[{"sku":"A","units":1}],"until":"2020-01-01T00:00:00Z"}', 422, 'UNTIL_UNUSABLE'],
    ['{"lines":[{"sku":"A","units":1}],"until":"2098-01-01T00:00:00Z"}', 422, 'UNTIL_UNUSABLE'],
    ['{"lines":[{"sku":"A","units":1}],"until":"1"}', 422, 'UNTIL_UNUSABLE'],
    ['{"lines":[{"sku":"A","units":1}],"until":7}', 422, 'REQUEST_WRONG'],
  ])('rows 46 to 59: %s is refused as %i %s', async (body, status, code) => {
    const told = await holdfast.ask('PUT', '/v1/shops/till/reservations/bad', { body })
    expect([told.status, told.body.code]).toEqual([status, code])
    expect(told.text).not.toContain('stack')
  })

  test('keys are any short text, and none of them is a path', async () => {
    const sku = await goods(10)
    for (const key of ['../../admin', 'a/b?c#d', 'ä😀', "'; drop table demand", '%', '__proto__']) {
      expect((await hold(sku, 1, { key })).status).toBe(201)
      expect((await holdfast.ask('GET', `/v1/shops/till/reservations/${encodeURIComponent(key)}`)).body.key).toBe(key)
      expect((await holdfast.ask('DELETE', `/v1/shops/till/reservations/${encodeURIComponent(key)}`)).body).toEqual({
        releasedUnits: 1,
      })
    }
    expect((await hold(sku, 1, { key: 'x'.repeat(201) })).status).toBe(422)
    expect((await hold(sku, 1, { key: 'a\nb' })).status).toBe(422)
  })
})

describe('an order', () => {
  test('takes its hold, and told again it is the same answer', async () => {
    const sku = await goods(10)
    await hold(sku, 4)
    const place = (order: string, headers = {}) =>
      holdfast.ask('POST', path(sku, '/place'), { body: { order, lineIds: { [sku]: 'L1' } }, headers })
    const answer = { order: `O-${sku}`, fromHoldsUnits: 4, unheldUnits: 0, shortageUnits: 0 }
    expect((await place(`O-${sku}`)).body).toEqual(answer)
    expect((await place(`O-${sku}`)).body).toEqual(answer)
    expect(await holdfast.sellable(sku)).toBe(6)
    const other = await place('ANOTHER')
    expect(other.body).toMatchObject({
      status: 409,
      code: 'ALREADY_PLACED',
      messageKey: 'ALREADY_PLACED',
      order: `O-${sku}`,
    })
    expect(
      (await holdfast.ask('POST', '/v1/shops/till/reservations/never/place', { body: { order: 'X' } })).body.code,
    ).toBe('RESERVATION_UNKNOWN')
  })

  test('that nobody held is a fact: counted once however often it is told, and what nothing covers is a shortage', async () => {
    const sku = await goods(3)
    const tell = (units: number, more = {}) =>
      holdfast.ask('POST', '/v1/shops/till/orders', {
        body: { order: `F-${sku}`, lines: [{ lineId: 'L1', sku, units }], ...more },
      })
    expect((await tell(5)).body).toEqual({ order: `F-${sku}`, fromHoldsUnits: 0, unheldUnits: 5, shortageUnits: 2 })
    expect((await tell(5)).body).toMatchObject({ unheldUnits: 0, shortageUnits: 2 })
    expect((await holdfast.stock(sku)).shops[0]).toMatchObject({ reservedUnits: 5, shortageUnits: 2, sellableUnits: 0 })
    expect((await tell(5, { state: 'cancelled' })).status).toBe(200)
    expect(await holdfast.sellable(sku)).toBe(3)
  })

  test('row 104: without lines is nothing, of 5,000 lines is taken, of 5,001 refused', async () => {
    expect(
      (await holdfast.ask('POST', '/v1/shops/till/orders', { body: { order: 'empty', lines: [] } })).body,
    ).toMatchObject({ unheldUnits: 0 })
    const sku = await goods(10_000)
    const lines = (count: number) => Array.from({ length: count }, (_, nth) => ({ lineId: `L${nth}`, sku, units: 1 }))
    const told = await holdfast.ask('POST', '/v1/shops/till/orders', { body: { order: 'long', lines: lines(5_000) } })
    expect(told.body).toMatchObject({ unheldUnits: 5_000, shortageUnits: 0 })
    expect(await holdfast.sellable(sku)).toBe(5_000)
    expect(
      (await holdfast.ask('POST', '/v1/shops/till/orders', { body: { order: 'longer', lines: lines(5_001) } })).status,
    ).toBe(422)
  })

  test('row 105: of a SKU that nobody knows is never lost', async () => {
    const told = await holdfast.ask('POST', '/v1/shops/till/orders', {
      body: { order: 'unmapped', lines: [{ lineId: 'L1', sku: 'UNMAPPED', units: 2 }] },
    })
    expect(told.body).toEqual({ order: 'unmapped', fromHoldsUnits: 0, unheldUnits: 2, shortageUnits: 0 })
    expect((await holdfast.stock('UNMAPPED')).shops[0]).toMatchObject({ reservedUnits: 2 })
    await holdfast.deliver({ type: 'stock.level.reported', sku: 'UNMAPPED', net: 5 })
    expect(await holdfast.sellable('UNMAPPED')).toBe(3)
  })
})

describe('the Idempotency-Key', () => {
  test('brings the same answer again, a yes and a no alike, whatever has changed since', async () => {
    const sku = await goods(3)
    const yes = await hold(sku, 2, once('yes'))
    expect((await hold(sku, 2, once('yes'))).text).toBe(yes.text)
    expect((await hold(sku, 2, once('yes'))).status).toBe(201)
    const no = await hold(sku, 4, { key: 'other', ...once('no') })
    expect(no.status).toBe(409)
    await holdfast.deliver({ type: 'stock.level.reported', sku, net: 100, sequence: 1_000 + made })
    expect(await holdfast.sellable(sku)).toBe(98)
    const again = await hold(sku, 4, { key: 'other', ...once('no') })
    expect([again.status, again.text, again.headers.get('content-type')]).toEqual([
      409,
      no.text,
      no.headers.get('content-type'),
    ])
    expect((await hold(sku, 4, { key: 'other', ...once('no-2') })).status).toBe(201)
  })

  test('row 128: with other content is refused, and without a use is one', async () => {
    const sku = await goods(3)
    await hold(sku, 1, once('reused'))
    expect((await hold(sku, 2, once('reused'))).body).toMatchObject({ status: 422, code: 'KEY_REUSED' })
    expect(await holdfast.sellable(sku)).toBe(2)
    for (const key of ['x'.repeat(201), ' ']) {
      const told = await hold(sku, 1, { headers: { 'idempotency-key': key } })
      expect(told.body.code).toBe('IDEMPOTENCY_KEY_UNUSABLE')
    }
  })

  test('counts for its own door and path alone', async () => {
    const sku = await goods(5)
    expect((await hold(sku, 1, { key: 'a', ...once('shared') })).status).toBe(201)
    expect((await hold(sku, 1, { key: 'b', ...once('shared') })).status).toBe(201)
    expect((await holdfast.ask('DELETE', '/v1/shops/till/reservations/a', once('shared'))).body).toEqual({
      releasedUnits: 1,
    })
    expect((await holdfast.ask('DELETE', '/v1/shops/till/reservations/a', once('shared'))).body).toEqual({
      releasedUnits: 1,
    })
    expect(await holdfast.sellable(sku)).toBe(4)
  })

  test('sent twenty times at once is decided once', async () => {
    const sku = await goods(10)
    const told = await Promise.all(Array.from({ length: 20 }, () => hold(sku, 3, once('at-once'))))
    expect(new Set(told.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
    expect(told[0]?.status).toBe(201)
    expect(await holdfast.sellable(sku)).toBe(7)
    const mixed = await Promise.all(
      Array.from({ length: 10 }, (_, nth) => hold(sku, 1 + (nth % 2), { key: 'mixed', ...once('mixed') })),
    )
    expect(mixed.map(({ status }) => status).sort()).toEqual([201, 201, 201, 201, 201, 422, 422, 422, 422, 422])
    const granted = mixed.find(({ status }) => status === 201)?.body.lines[0].grantedUnits
    expect((await holdfast.ask('GET', '/v1/shops/till/reservations/mixed')).body.lines[0].grantedUnits).toBe(granted)
    // One figure and one decision for each key: what was refused decided nothing on its way.
    expect((await holdfast.stock(sku)).ledgerVersion).toBe(3)
  })

  test('does not keep what was never decided', async () => {
    const sku = await goods(5)
    const shop = (name: string) =>
      holdfast.ask('PUT', `/v1/shops/${name}/reservations/k`, {
        body: { lines: [{ sku, units: 1 }] },
        ...once('undecided'),
      })
    expect((await shop('nowhere')).body.code).toBe('SHOP_UNKNOWN')
    expect((await hold(sku, 'x', { key: 'u', ...once('undecided') })).status).toBe(422)
    expect((await hold(sku, 1, { key: 'u', ...once('undecided') })).status).toBe(201)
  })
})

test('every change names who made it', async () => {
  const sku = await goods(5)
  const as = await holdfast.tokenFor('operate')
  await holdfast.ask('PUT', path(sku), { body: { lines: [{ sku, units: 1 }] }, as })
  const { entries } = (await holdfast.ask('GET', `/v1/ledger?sku=${sku}`)).body
  expect(entries.map(({ actor, kind }: { actor: string; kind: string }) => [actor, kind])).toEqual([
    ['source:wms', 'word'],
    ['token:a-operate', 'hold'],
  ])
})
