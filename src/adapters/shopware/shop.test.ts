import { describe, expect, test } from 'vitest'
import type { StockWrite } from '../../app/ports.ts'
import { instantOf, skuOf } from '../../core/ids.ts'
import { Failure } from '../../errors.ts'
import { FIRST_REFUSED_PAUSE_MS, LONGEST_REFUSED_PAUSE_MS, memoryTokenStore, type TokenStore } from './access-token.ts'
import { type HttpAnswer, type HttpCall, HttpFault, type HttpRequest } from './http-call.ts'
import { connectShop, type ShopwareShop } from './shop.ts'
import { DEADLOCK_RETRIES } from './stock-write.ts'

type Reply = { status?: number; body?: unknown; raw?: string; headers?: Record<string, string> }

/** A shop that answers from a script; tokens are `t1`, `t2`, …, and all but those in `spoiled` are good. */
function scripted(
  reply: (request: { path: string; body: unknown; headers: Readonly<Record<string, string>> }, nth: number) => Reply,
  over: { tokens?: TokenStore; now?: () => number; tokenReply?: () => Reply; spoiled?: string[] } = {},
) {
  const seen: HttpRequest[] = []
  const pauses: number[] = []
  let tokensAsked = 0
  let nth = 0
  const answer = ({ status = 200, body, raw, headers = {} }: Reply): HttpAnswer => ({
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: Buffer.from(raw ?? JSON.stringify(body ?? {})),
  })
  const call: HttpCall = async (request) => {
    seen.push(request)
    const path = request.url.slice('https://nord.example'.length)
    if (path === '/api/oauth/token') {
      tokensAsked++
      return answer(over.tokenReply?.() ?? { body: { access_token: `t${tokensAsked}`, expires_in: 600 } })
    }
    const token = request.headers.authorization?.slice('Bearer '.length) ?? ''
    if (over.spoiled?.includes(token)) return answer({ status: 401, body: { errors: [{ code: '9' }] } })
    const body: unknown = request.body === undefined ? undefined : JSON.parse(request.body)
    return answer(reply({ path, body, headers: request.headers }, nth++))
  }
  const shop: ShopwareShop = connectShop({
    url: 'https://nord.example',
    apiKey: 'KEY',
    secretKey: 'SECRET',
    tokens: over.tokens ?? memoryTokenStore(),
    call,
    now: over.now ?? (() => 0),
    pause: async (ms) => void pauses.push(ms),
  })
  return { shop, seen, pauses, tokensAsked: () => tokensAsked }
}

const failureOf = async (promise: Promise<unknown>): Promise<Failure> => {
  const failure = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(failure instanceof Failure)) throw new Error(`no failure: ${String(failure)}`)
  return failure
}

const orderRow = (over: object = {}) => ({
  id: 'o1',
  autoIncrement: 7,
  orderNumber: '10007',
  orderDateTime: '2026-11-24T14:15:50.769+00:00',
  stateMachineState: { id: 's', technicalName: 'open' },
  transactions: [{ stateMachineState: { technicalName: 'open' } }],
  deliveries: [],
  lineItems: [
    {
      id: 'l1',
      type: 'product',
      quantity: 2,
      productId: 'p1',
      states: ['is-physical'],
      payload: { productNumber: 'SKU-9', holdfastKey: 'a-stamp-of-ours' },
    },
  ],
  ...over,
})
const lineOf = (over: object) => orderRow({ lineItems: [{ ...orderRow().lineItems[0], ...over }] })
const page = (...data: object[]): Reply => ({ body: { total: data.length, data } })

describe('orders', () => {
  test('are told by what units need, with the stamp that came through the cart', async () => {
    const { shop } = scripted(() => page(orderRow()))
    expect(await shop.ordersAfter(6)).toEqual({
      highestNumber: 7,
      orders: [
        {
          orderId: 'o1',
          orderNumber: '10007',
          state: 'open',
          orderedAt: Date.parse('2026-11-24T14:15:50.769Z'),
          lines: [{ lineId: 'l1', lineKey: 'a-stamp-of-ours', sku: 'SKU-9', units: 2 }],
        },
      ],
    })
  })

  test('are asked for by named fields, none of a person, an address or a price', async () => {
    const { shop, seen } = scripted(() => page())
    expect(await shop.ordersAfter(6)).toEqual({ orders: [], highestNumber: 0 })
    const body = JSON.parse(seen.at(-1)?.body ?? '')
    expect(body).toMatchObject({
      limit: 500,
      filter: [{ type: 'range', field: 'autoIncrement', parameters: { gt: 6 } }],
      sort: [{ field: 'autoIncrement', order: 'ASC' }],
    })
    expect(JSON.stringify(body)).not.toMatch(/customer|address|price|amount|email/i)
  })

  test.each([
    ['open', 'open'],
    ['in_progress', 'in-progress'],
    ['completed', 'completed'],
    ['cancelled', 'cancelled'],
    ['a_state_of_the_merchant', 'in-progress'],
  ])('in the state %s are %s', async (technicalName, state) => {
    const { shop } = scripted(() => page(orderRow({ stateMachineState: { technicalName } })))
    expect((await shop.ordersAfter(0)).orders[0]?.state).toBe(state)
  })

  test('leave out lines without stock', async () => {
    for (const over of [{ type: 'promotion' }, { type: null }, { states: ['is-download'] }, { quantity: 0 }]) {
      const { shop } = scripted(() => page(lineOf(over)))
      expect((await shop.ordersAfter(0)).orders[0]?.lines).toEqual([])
    }
  })

  test('take the SKU from the order line, else from the product, and never lose units that name none', async () => {
    const skuWith = async (over: object) => {
      const { shop } = scripted(() => page(lineOf(over)))
      return (await shop.ordersAfter(0)).orders[0]?.lines[0]?.sku
    }
    const product = { productNumber: 'NOW' }
    expect(await skuWith({ payload: { productNumber: 'THEN' }, product })).toBe('THEN')
    expect(await skuWith({ payload: null, product })).toBe('NOW')
    expect(await skuWith({ payload: [], product: null })).toBe('unknown-product:p1')
    expect(await skuWith({ payload: [], productId: null })).toBe('unknown-product:l1')
  })

  test.each([
    ['lines', { lineItems: undefined }],
    ['lines', { lineItems: null }],
    ['state', { stateMachineState: undefined }],
    ['state', { stateMachineState: null }],
  ])('row 119: without their %s are a failure, never an empty order', async (_part, over) => {
    const { shop } = scripted(() => page(orderRow(over)))
    expect((await failureOf(shop.ordersAfter(0))).code).toBe('SHOP_ANSWER_INCOMPLETE')
  })

  test('that changed are found by the order, its lines, payments and deliveries, each by both moments', async () => {
    const { shop, seen } = scripted(() => page())
    await shop.ordersChangedSince(instantOf(Date.UTC(2026, 10, 24, 14, 0, 0, 7)), 3)
    const body = JSON.parse(seen.at(-1)?.body ?? '')
    expect(body.page).toBe(3)
    expect(body.filter[0].operator).toBe('or')
    expect(body.filter[0].queries.map((query: { field: string }) => query.field).sort()).toEqual(
      [
        'createdAt',
        'updatedAt',
        'lineItems.createdAt',
        'lineItems.updatedAt',
        'transactions.createdAt',
        'transactions.updatedAt',
        'deliveries.createdAt',
        'deliveries.updatedAt',
      ].sort(),
    )
    expect(body.filter[0].queries[0].parameters).toEqual({ gte: '2026-11-24 14:00:00.007' })
  })

  test('by id: none asked, none told; more than 100 is a mistake of ours', async () => {
    const { shop, seen } = scripted(() => page(orderRow()))
    expect(await shop.ordersById([])).toEqual([])
    expect(seen).toEqual([])
    expect(await shop.ordersById(['o1'])).toHaveLength(1)
    await expect(shop.ordersById(Array.from({ length: 101 }, String))).rejects.toThrow(RangeError)
  })
})

const productRow = (over: object = {}) => ({
  id: 'p1',
  productNumber: 'A',
  stock: 5,
  isCloseout: true,
  childCount: 0,
  parentId: null,
  customFields: null,
  ...over,
})

describe('what a shop shows', () => {
  test('is told with our revision and the setting of the merchant', async () => {
    const { shop } = scripted(() =>
      page(
        productRow({ customFields: { holdfast_revision: 'r7', holdfast_guard: 'stop', holdfast_most: 3, other: 1 } }),
      ),
    )
    expect(await shop.shown([skuOf('A')])).toEqual([
      {
        productId: 'p1',
        sku: 'A',
        units: 5,
        closeOut: true,
        revision: 'r7',
        guard: { word: 'stop', mostInCart: 3 },
        merchantSettings: { closeOut: true },
      },
    ])
  })

  test.each([
    [null],
    [[]],
    [{ holdfast_guard: 'halt', holdfast_most: '3' }],
    [{ holdfast_guard: null, holdfast_most: -1 }],
  ])('with the fields %j is guarded by nothing', async (customFields) => {
    const { shop } = scripted(() => page(productRow({ customFields })))
    expect((await shop.shown([skuOf('A')]))[0]?.guard).toEqual({})
  })

  test('leaves out containers of variants and what the database took for equal', async () => {
    const { shop } = scripted(() => page(productRow({ childCount: 2 }), productRow({ productNumber: 'a' })))
    expect(await shop.shown([skuOf('A')])).toEqual([])
  })

  test("takes a variant's close-out from its parent where it has none of its own, read once for all of them", async () => {
    const { shop, seen } = scripted(({ body }) =>
      JSON.stringify(body).includes('"ids":["mother"]')
        ? page(productRow({ id: 'mother', isCloseout: true }))
        : page(
            productRow({ id: 'v1', productNumber: 'A', isCloseout: null, parentId: 'mother' }),
            productRow({ id: 'v2', productNumber: 'B', isCloseout: null, parentId: 'mother' }),
            productRow({ id: 'v3', productNumber: 'C', isCloseout: false, parentId: 'mother' }),
          ),
    )
    const shown = await shop.shown(['A', 'B', 'C'].map(skuOf))
    expect(shown.map(({ closeOut, merchantSettings }) => [closeOut, merchantSettings.closeOut])).toEqual([
      [true, null],
      [true, null],
      [false, false],
    ])
    expect(seen.filter(({ url }) => url.endsWith('/product'))).toHaveLength(2)
  })

  test('without the parent of a variant is a failure, never a guess', async () => {
    const { shop } = scripted(({ body }) =>
      JSON.stringify(body).includes('"ids"') ? page() : page(productRow({ isCloseout: null, parentId: 'mother' })),
    )
    expect((await failureOf(shop.shown([skuOf('A')]))).code).toBe('SHOP_ANSWER_INCOMPLETE')
  })

  test.each([[1.5], ['5'], [null], [undefined]])('row 120: with the stock %j is unreadable', async (stock) => {
    const { shop } = scripted(() => page(productRow({ stock })))
    expect((await failureOf(shop.shown([skuOf('A')]))).code).toBe('SHOP_ANSWER_UNREADABLE')
  })

  test('row 120: may be below zero', async () => {
    const { shop } = scripted(() => page(productRow({ stock: -3 })))
    expect((await shop.shown([skuOf('A')]))[0]?.units).toBe(-3)
  })

  test('nothing asked sends nothing; more than 500 is a mistake of ours', async () => {
    const { shop, seen } = scripted(() => page())
    expect(await shop.shown([])).toEqual([])
    expect(seen).toEqual([])
    await expect(shop.shown(Array.from({ length: 501 }, (_, n) => skuOf(`S${n}`)))).rejects.toThrow(RangeError)
  })
})

const write = (n: number): StockWrite => ({
  productId: `p${String(n).padStart(3, '0')}`,
  sku: skuOf(`S${n}`),
  units: n,
  setsUnits: true,
  closeOut: true,
  guard: { word: 'go' },
  revision: `r${n}`,
})
/** The fields of a product that may be sold, as many as there are. */
const guarded = { holdfast_guard: 'go', holdfast_most: null }
const writes = (count: number) => Array.from({ length: count }, (_, n) => write(n))
type Sync = { stock: { payload: { id: string; stock: number }[] } }
const rowsOf = (body: unknown) => (body as Sync).stock.payload
const pointing = (...positions: number[]): Reply => ({
  status: 400,
  body: {
    errors: positions.map((n) => ({ code: 'C', detail: 'is bad', source: { pointer: `/stock/${n}/stock` } })),
  },
})

describe('writing', () => {
  test('sends absolute numbers in the order of products, with our mark, queued indexing and no flows', async () => {
    const { shop, seen } = scripted(() => ({}))
    const outcomes = await shop.write([write(2), write(1)])
    expect(outcomes).toEqual([
      { sku: 'S1', outcome: 'written' },
      { sku: 'S2', outcome: 'written' },
    ])
    const request = seen.at(-1)
    expect(request?.headers).toMatchObject({ 'indexing-behavior': 'use-queue-indexing', 'sw-skip-trigger-flow': '1' })
    expect(JSON.parse(request?.body ?? '')).toEqual({
      stock: {
        entity: 'product',
        action: 'upsert',
        payload: [
          { id: 'p001', stock: 1, isCloseout: true, customFields: { ...guarded, holdfast_revision: 'r1' } },
          { id: 'p002', stock: 2, isCloseout: true, customFields: { ...guarded, holdfast_revision: 'r2' } },
        ],
      },
    })
  })

  test('singles out the rows at which a refusal points and writes their neighbours in one more request', async () => {
    const { shop, seen } = scripted((_request, nth) => (nth === 0 ? pointing(1, 3) : {}))
    const outcomes = await shop.write(writes(5))
    expect(outcomes.filter(({ outcome }) => outcome === 'refused')).toEqual([
      { sku: 'S1', outcome: 'refused', reason: 'stock is bad' },
      { sku: 'S3', outcome: 'refused', reason: 'stock is bad' },
    ])
    expect(outcomes.filter(({ outcome }) => outcome === 'written')).toHaveLength(3)
    expect(seen.filter(({ url }) => url.endsWith('/sync'))).toHaveLength(2)
  })

  test('halves a refused request that points at no row until the bad one stands alone', async () => {
    const { shop, seen } = scripted(({ body }) =>
      rowsOf(body).some(({ id }) => id === 'p137')
        ? { status: 400, body: { errors: [{ code: 'ODD', detail: 'no pointer' }] } }
        : {},
    )
    const outcomes = await shop.write(writes(250))
    expect(outcomes.filter(({ outcome }) => outcome !== 'written')).toEqual([
      { sku: 'S137', outcome: 'refused', reason: 'ODD no pointer' },
    ])
    expect(outcomes).toHaveLength(250)
    expect(seen.filter(({ url }) => url.endsWith('/sync')).length).toBeLessThanOrEqual(2 * 8 + 1)
  })

  test('ends also where every row is refused one by one', async () => {
    const { shop } = scripted(() => ({ status: 400, body: {} }))
    const outcomes = await shop.write(writes(8))
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(Array(8).fill('refused'))
  })

  test('singles out a row that only the database refuses, with an error of the shop', async () => {
    const { shop } = scripted(({ body }) =>
      rowsOf(body).some(({ id }) => id === 'p002')
        ? { status: 500, body: { errors: [{ code: '1264', detail: 'Out of range value' }] } }
        : {},
    )
    const outcomes = await shop.write(writes(4))
    expect(outcomes.filter(({ outcome }) => outcome !== 'written')).toEqual([
      { sku: 'S2', outcome: 'refused', reason: '1264 Out of range value' },
    ])
  })

  test('is not fooled by a pointer that leads outside the request', async () => {
    const { shop } = scripted(({ body }) => (rowsOf(body).length > 1 ? pointing(9_999) : {}))
    expect((await shop.write(writes(4))).map(({ outcome }) => outcome)).toEqual(Array(4).fill('written'))
  })

  test('tries again after a deadlock, a bounded number of times with growing pauses', async () => {
    const deadlock: Reply = { status: 400, body: { errors: [{ code: '1213', status: '500' }] } }
    const once = scripted((_request, nth) => (nth === 0 ? deadlock : {}))
    expect((await once.shop.write(writes(2))).map(({ outcome }) => outcome)).toEqual(['written', 'written'])
    expect(once.pauses).toHaveLength(1)
    const always = scripted(() => deadlock)
    expect(await failureOf(always.shop.write(writes(2)))).toMatchObject({ code: 'SHOP_BUSY', retry: 'later' })
    expect(always.pauses).toHaveLength(DEADLOCK_RETRIES)
    expect(always.pauses).toEqual(always.pauses.toSorted((a, b) => a - b))
  })

  test.each(['timeout', 'broken'] as const)('is unknown where the answer was lost: %s', async (kind) => {
    const { shop } = scripted(() => {
      throw new HttpFault(kind, 'gone', { maybeActed: true })
    })
    expect((await shop.write(writes(2))).map(({ outcome }) => outcome)).toEqual(['unknown', 'unknown'])
  })

  test('is unknown after an error of the shop, which may have come after its commit', async () => {
    const { shop } = scripted(() => ({ status: 500 }))
    expect((await shop.write(writes(1)))[0]?.outcome).toBe('unknown')
  })

  test('is a failure where nothing was sent', async () => {
    const { shop } = scripted(() => {
      throw new HttpFault('unreachable', 'refused', { maybeActed: false })
    })
    expect(await failureOf(shop.write(writes(1)))).toMatchObject({ code: 'SHOP_UNREACHABLE', retry: 'later' })
  })

  test('has one request in flight, and goes on after a failed one', async () => {
    let open = 0
    let most = 0
    const call: HttpCall = async (request) => {
      if (request.url.endsWith('/token')) {
        return { status: 200, headers: {}, body: Buffer.from('{"access_token":"t"}') }
      }
      most = Math.max(most, ++open)
      await new Promise((resolve) => setImmediate(resolve))
      open--
      return { status: request.body?.includes('"p001"') ? 503 : 200, headers: {}, body: Buffer.from('{}') }
    }
    const options = { url: 'https://nord.example', apiKey: 'K', secretKey: 'S', tokens: memoryTokenStore(), call }
    const shop = connectShop(options)
    const results = await Promise.allSettled([write(0), write(1), write(2)].map((row) => shop.write([row])))
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(most).toBe(1)
  })
})

describe('the token', () => {
  test('is asked for once, however many calls wait for it', async () => {
    const { shop, tokensAsked } = scripted(() => page())
    await Promise.all(Array.from({ length: 20 }, () => shop.ordersAfter(0)))
    expect(tokensAsked()).toBe(1)
  })

  test('is renewed once where the shop refuses it', async () => {
    const { shop, tokensAsked } = scripted(() => page(), { spoiled: ['t1'] })
    expect((await shop.ordersAfter(0)).orders).toEqual([])
    expect(tokensAsked()).toBe(2)
  })

  test('that is refused afresh ends in a failure, not in a storm', async () => {
    const { shop, seen } = scripted(() => page(), { spoiled: ['t1', 't2', 't3', 't4'] })
    expect(await failureOf(shop.ordersAfter(0))).toMatchObject({ code: 'SHOP_KEY_REVOKED', retry: 'never' })
    expect(seen).toHaveLength(4)
  })

  test('is shared with other processes', async () => {
    const tokens = memoryTokenStore()
    const first = scripted(() => page(), { tokens })
    const second = scripted(() => page(), { tokens })
    await first.shop.ordersAfter(0)
    await second.shop.ordersAfter(0)
    expect(second.tokensAsked()).toBe(0)
  })

  test('ends a minute before the shop says', async () => {
    let now = 0
    const { shop, tokensAsked } = scripted(() => page(), { now: () => now })
    await shop.ordersAfter(0)
    now = 539_999
    await shop.ordersAfter(0)
    expect(tokensAsked()).toBe(1)
    now = 540_000
    await shop.ordersAfter(0)
    expect(tokensAsked()).toBe(2)
  })

  test('whose credentials are refused is asked for ever less often, and never ten times in ten minutes', async () => {
    let now = 0
    const { shop, tokensAsked } = scripted(() => page(), { now: () => now, tokenReply: () => ({ status: 401 }) })
    for (let call = 0; call < 5; call++) {
      expect((await failureOf(shop.ordersAfter(0))).code).toBe('SHOP_KEY_REVOKED')
    }
    expect(tokensAsked()).toBe(1)
    now = FIRST_REFUSED_PAUSE_MS
    await failureOf(shop.ordersAfter(0))
    expect(tokensAsked()).toBe(2)
    for (; now < LONGEST_REFUSED_PAUSE_MS; now += 1_000) await failureOf(shop.ordersAfter(0))
    expect(tokensAsked()).toBe(6)
  })

  test.each([
    [{}, 540_000],
    [{ expires_in: 0 }, 540_000],
    [{ expires_in: '600' }, 540_000],
    [{ expires_in: 1e12 }, 3_540_000],
    [{ expires_in: 20 }, 10_000],
  ])('row 116: with %j is used until %d ms', async (extra, until) => {
    let now = 0
    const tokenReply = () => ({ body: { access_token: 'token', ...extra } })
    const { shop, tokensAsked } = scripted(() => page(), { now: () => now, tokenReply })
    await shop.ordersAfter(0)
    now = until - 1
    await shop.ordersAfter(0)
    expect(tokensAsked()).toBe(1)
    now = until
    await shop.ordersAfter(0)
    expect(tokensAsked()).toBe(2)
  })

  test.each([[{ access_token: 'a\nb' }], [{ access_token: '' }], [{ access_token: 7 }], [[]], ['<html>']])(
    'row 116: the answer %j is no token',
    async (body) => {
      const { shop } = scripted(() => page(), { tokenReply: () => ({ body }) })
      expect((await failureOf(shop.ordersAfter(0))).code).toBe('SHOP_ANSWER_UNREADABLE')
    },
  )

  test('and the secret are in no message', async () => {
    const { shop } = scripted(() => ({ status: 500, body: { errors: [{ code: 'X', detail: 'broken' }] } }))
    const failure = await failureOf(shop.ordersAfter(0))
    expect(failure.message).not.toMatch(/SECRET|t1/)
  })
})

describe('an answer that is not what we asked for', () => {
  const codeOf = async (reply: Reply) => (await failureOf(scripted(() => reply).shop.ordersAfter(0))).code

  test('row 114: a login page, errors with 200, nothing at all: unreadable', async () => {
    expect(await codeOf({ raw: '<html>Login</html>' })).toBe('SHOP_ANSWER_UNREADABLE')
    expect(await codeOf({ body: { errors: [{ code: 'X' }] } })).toBe('SHOP_ANSWER_UNREADABLE')
    expect(await codeOf({ raw: '' })).toBe('SHOP_ANSWER_UNREADABLE')
    expect(await codeOf({ status: 204, raw: '' })).toBe('SHOP_ANSWER_UNREADABLE')
  })

  test.each([301, 302, 307, 308])('row 121: a redirect (%d) is not followed', async (status) => {
    const { shop, seen } = scripted(() => ({ status, headers: { location: 'https://evil.example/' } }))
    expect((await failureOf(shop.ordersAfter(0))).code).toBe('SHOP_ANSWER_UNREADABLE')
    expect(seen.every(({ url }) => url.startsWith('https://nord.example/'))).toBe(true)
  })

  test('a missing right is named', async () => {
    const detail = JSON.stringify({ message: 'Missing privilege', missingPrivileges: ['order_line_item:read'] })
    const reply = { status: 403, body: { errors: [{ code: 'FRAMEWORK__MISSING_PRIVILEGE_ERROR', detail }] } }
    const failure = await failureOf(scripted(() => reply).shop.ordersAfter(0))
    expect(failure).toMatchObject({ code: 'SHOP_RIGHT_MISSING', retry: 'never' })
    expect(failure.message).toContain('order_line_item:read')
  })

  test.each([
    ['12', 12_000],
    ['-1', 0],
    ['1e9', 5_000],
    ['1000000000', 3_600_000],
    ['1'.repeat(40), 3_600_000],
    ['Tue, 24 Nov 2026 14:00:30 GMT', 30_000],
    ['Tue, 24 Nov 2026 13:00:00 GMT', 0],
    ['soon', 5_000],
  ])('row 117: asked by Retry-After %s we wait %d ms', async (header, ms) => {
    const headers = { 'retry-after': header, date: 'Tue, 24 Nov 2026 14:00:00 GMT' }
    const failure = await failureOf(scripted(() => ({ status: 429, headers })).shop.ordersAfter(0))
    expect(failure).toMatchObject({ code: 'SHOP_BUSY', retry: 'later', retryAfterMs: ms })
  })

  test('the seconds inside an error count where there is no header', async () => {
    const body = { errors: [{ code: 'FRAMEWORK__AUTH_THROTTLED', meta: { parameters: { seconds: 9 } } }] }
    expect(await failureOf(scripted(() => ({ status: 429, body })).shop.ordersAfter(0))).toMatchObject({
      code: 'SHOP_BUSY',
      retryAfterMs: 9_000,
    })
  })

  test('400 and 404 are refusals of our request', async () => {
    expect(await codeOf({ status: 400, body: { errors: [{ code: 'FRAMEWORK__X', detail: 'no such field' }] } })).toBe(
      'SHOP_REQUEST_REFUSED',
    )
    expect(await codeOf({ status: 404, raw: 'not here' })).toBe('SHOP_REQUEST_REFUSED')
  })
})

describe('the clock of the shop', () => {
  test('is the Date of its answer', async () => {
    const { shop } = scripted(() => ({ headers: { date: 'Tue, 24 Nov 2026 14:00:00 GMT' } }))
    expect(await shop.clock()).toBe(Date.UTC(2026, 10, 24, 14))
  })

  test('that it does not tell is a failure', async () => {
    const { shop } = scripted(() => ({}))
    expect((await failureOf(shop.clock())).code).toBe('SHOP_ANSWER_UNREADABLE')
  })
})
