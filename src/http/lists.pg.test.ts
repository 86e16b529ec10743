import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readConfigurationYaml, writeConfigurationYaml } from '../app/configuration-file.ts'
import { type Served, serve, until, WORLD } from './served.ts'

let holdfast: Served
let reader: string
let operator: string
beforeAll(async () => {
  holdfast = await serve()
  reader = await holdfast.tokenFor('read')
  operator = await holdfast.tokenFor('operate')
})
afterAll(() => holdfast.end())

/** Follows `next` from page to page. */
async function pages(path: string, list: string): Promise<{ items: Record<string, unknown>[]; pages: number }> {
  const items: Record<string, unknown>[] = []
  let after: number | string | undefined
  for (let page = 1; page < 100; page += 1) {
    const { body } = await holdfast.ask('GET', `${path}${after === undefined ? '' : `&after=${after}`}`)
    items.push(...body[list])
    if (body.next === undefined) return { items, pages: page }
    after = body.next
  }
  throw new Error('The pages do not end')
}

describe('stock', () => {
  test('tells every quantity by its own name, of one shop or of all', async () => {
    await holdfast.deliver({
      type: 'stock.level.reported',
      sku: 'LAMP',
      net: 10,
      onHand: 13,
      blocked: 1,
      allocated: 2,
      incoming: 4,
      sequence: 7,
    })
    await holdfast.deliver({
      type: 'purchase_order.line',
      purchaseOrder: 'P1',
      line: '1',
      sku: 'LAMP',
      ordered: 100,
      received: 40,
      confirmed: true,
      eta: '2026-12-01',
    })
    await holdfast.applied()
    await holdfast.ask('PUT', '/v1/shops/till/reservations/k', { body: { lines: [{ sku: 'LAMP', units: 3 }] } })
    const { body, headers } = await holdfast.ask('GET', '/v1/stock/LAMP', { as: reader })
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(body).toEqual({
      sku: 'LAMP',
      ledgerVersion: 3,
      tracked: true,
      warehouses: [
        {
          warehouse: 'main',
          figureUnits: 10,
          semantics: 'net',
          onHandUnits: 13,
          blockedUnits: 1,
          allocatedUnits: 2,
          incomingUnits: 4,
          peggedUnits: 3,
          containedUnits: 0,
          chargedUnits: 0,
          receivedAt: expect.stringMatching(/Z$/),
          sequence: 7,
          waitingRises: 0,
          disputed: false,
        },
      ],
      inbound: [
        {
          purchaseOrder: 'P1',
          line: '1',
          warehouse: 'main',
          orderedUnits: 100,
          receivedUnits: 40,
          peggedUnits: 0,
          chargedUnits: 0,
          freeUnits: 60,
          confirmed: true,
          cancelled: false,
          eta: '2026-12-01',
        },
      ],
      shops: [
        {
          shop: 'till',
          availableUnits: 7,
          backOrderableUnits: 0,
          sellableUnits: 7,
          reservedUnits: 3,
          shortageUnits: 0,
          safetyUnits: 0,
          lines: [
            { purchaseOrder: 'P1', line: '1', units: 0, arrival: expect.any(String), refusal: 'back-orders-off' },
          ],
        },
      ],
    })
    expect((await holdfast.ask('GET', '/v1/stock/LAMP?shop=till')).body).toEqual(body)
    expect((await holdfast.ask('GET', '/v1/stock?skus=LAMP,UNKNOWN,LAMP')).body).toEqual([
      body,
      {
        sku: 'UNKNOWN',
        ledgerVersion: 0,
        tracked: false,
        warehouses: [],
        inbound: [],
        shops: [expect.objectContaining({ shop: 'till', sellableUnits: 0 })],
      },
      body,
    ])
  })

  test.each([
    ['/v1/stock/NEVER', 404, 'SKU_UNKNOWN'],
    ['/v1/stock/%20', 422, 'SKU_UNUSABLE'],
    ['/v1/stock/a%00b', 422, 'SKU_UNUSABLE'],
    ['/v1/stock/LAMP?shop=nowhere', 404, 'SHOP_UNKNOWN'],
    ['/v1/stock/LAMP?shop=constructor', 404, 'SHOP_UNKNOWN'],
    ['/v1/stock/LAMP?at=now', 422, 'REQUEST_WRONG'],
    ['/v1/stock?skus=', 422, 'REQUEST_WRONG'],
    ['/v1/stock?skus=A,,B', 422, 'SKU_UNUSABLE'],
    [`/v1/stock?skus=${Array(201).fill('A').join()}`, 422, 'TOO_MANY_SKUS'],
  ])('%s is %i %s', async (path, status, code) => {
    const told = await holdfast.ask('GET', path)
    expect([told.status, told.body.code]).toEqual([status, code])
  })
})

describe('the ledger', () => {
  test('is told page by page, each entry once, with who, why and its hash', async () => {
    for (let nth = 1; nth <= 7; nth += 1)
      await holdfast.deliver({ type: 'stock.level.reported', sku: 'PAGED', net: nth, sequence: nth })
    await holdfast.applied()
    const all = (await holdfast.ask('GET', '/v1/ledger?sku=PAGED')).body.entries
    expect(all[0]).toEqual({
      stream: 'sku:PAGED',
      version: 1,
      at: expect.stringMatching(/Z$/),
      kind: 'word',
      actor: 'source:wms',
      cause: expect.stringMatching(/^message:/),
      configuration: 1,
      body: { changes: expect.any(Array) },
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
    const paged = await pages('/v1/ledger?sku=PAGED&limit=2', 'entries')
    expect(paged.items).toEqual(all)
    // The feed of all streams waits for transactions that began earlier, in whatever database of the server.
    const inFeed = async () => (await pages('/v1/ledger?limit=3', 'entries')).items
    await until(async () => (await inFeed()).filter(({ stream }) => stream === 'sku:PAGED').length === 7)
    const whole = await inFeed()
    const once = new Set(whole.map(({ stream, version }) => `${stream} ${version}`))
    expect(once.size).toBe(whole.length)
    expect(whole.filter(({ stream }) => stream === 'sku:PAGED')).toEqual(all)
    expect((await holdfast.ask('GET', '/v1/ledger?sku=PAGED&after=999')).body).toEqual({ entries: [] })
  })
})

describe('the ledger, searched and exported', () => {
  test('an entry is found by who, why, what and when, page by page', async () => {
    await holdfast.deliver({ type: 'stock.level.reported', sku: 'SOUGHT', net: 9, sequence: 1 }, { id: 'sought-1' })
    await holdfast.applied()
    for (let nth = 1; nth <= 5; nth += 1) {
      const lines = [{ sku: 'SOUGHT', units: 1 }]
      await holdfast.ask('PUT', `/v1/shops/till/reservations/s${nth}`, { body: { lines }, as: operator })
    }
    const found = async (query: string) =>
      (await pages(`/v1/ledger?limit=2&${query}`, 'entries')).items.filter(({ stream }) => stream === 'sku:SOUGHT')
    const all = (await holdfast.ask('GET', '/v1/ledger?sku=SOUGHT')).body.entries
    expect(all).toHaveLength(6)
    expect(await found('actor=token:a-operate')).toEqual(all.slice(1))
    expect(await found('kind=hold')).toEqual(all.slice(1))
    expect(await found('cause=message:sought-1')).toEqual(all.slice(0, 1))
    expect(await found(`from=${all[2].at}&kind=hold`)).toEqual(all.slice(2))
    expect(await found(`to=${all[2].at}&sku=SOUGHT`)).toEqual(all.filter(({ at }: { at: string }) => at < all[2].at))
    expect(await found('actor=nobody')).toEqual([])
  })

  test.each([
    ['/v1/ledger?from=yesterday', 'from'],
    ['/v1/ledger?to=2026-02-30T00:00:00Z', 'to'],
    ['/v1/ledger?kind=a b', 'kind'],
    ['/v1/ledger?cause=', 'cause'],
    ['/v1/ledger?actor=x&after=9999999999999999.1', 'after'],
    ['/v1/ledger?colour=red', 'colour'],
    ['/v1/ledger/export?format=xml', 'format'],
    ['/v1/ledger/export?month=2026-13', 'month'],
    ['/v1/ledger/export?month=2026-01&sku=A', 'month'],
    ['/v1/ledger/export?month=2026-01&format=csv', 'month'],
  ])('%s is refused by the name of its field', async (path, field) => {
    const { status, body } = await holdfast.ask('GET', path)
    expect([status, body.code, body.problems[0].field]).toEqual([422, 'REQUEST_WRONG', field])
  })

  test('an export is one stream, as NDJSON or as CSV', async () => {
    const ndjson = await holdfast.ask('GET', '/v1/ledger/export?sku=SOUGHT', { as: reader })
    expect(ndjson.headers.get('content-type')).toBe('application/x-ndjson')
    expect(ndjson.headers.get('content-disposition')).toBe('attachment; filename="ledger.ndjson"')
    const told = (await holdfast.ask('GET', '/v1/ledger?sku=SOUGHT')).body.entries
    expect(
      ndjson.text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(told)
    const csv = await holdfast.ask('GET', '/v1/ledger/export?sku=SOUGHT&format=csv')
    expect(csv.headers.get('content-type')).toBe('text/csv; charset=utf-8')
    expect(csv.text.split('\r\n')).toHaveLength(6 + 2)
    expect((await holdfast.ask('GET', '/v1/ledger/export')).text).toContain('"stream":"sku:SOUGHT"')
  })

  test('months, and that none is archived which is not over, or not known', async () => {
    const present = new Date().toISOString().slice(0, 7)
    await until(async () => (await holdfast.ask('GET', '/v1/ledger/months')).body.kept.length > 0)
    expect((await holdfast.ask('GET', '/v1/ledger/months')).body).toEqual({
      kept: [{ month: present, sealedEntries: expect.any(Number) }],
      archived: [],
    })
    const archive = async (month: string, sha256: string) => {
      const { status, body } = await holdfast.ask('POST', `/v1/ledger/months/${month}/archive`, { body: { sha256 } })
      return [status, body.code]
    }
    expect(await archive(present, '0'.repeat(64))).toEqual([409, 'MONTH_NOT_READY'])
    expect(await archive('2001-01', '0'.repeat(64))).toEqual([404, 'MONTH_UNKNOWN'])
    expect(await archive(present, 'short')).toEqual([422, 'REQUEST_WRONG'])
    expect(await archive('2026-1', '0'.repeat(64))).toEqual([422, 'REQUEST_WRONG'])
  })

  test('a verdict may come line by line', async () => {
    const { text, status } = await holdfast.ask('POST', '/v1/verify', {
      as: operator,
      headers: { accept: 'application/x-ndjson' },
    })
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(status).toBe(200)
    expect(lines[0]).toEqual({ progress: expect.stringMatching(/^Entries/) })
    expect(lines.at(-1)).toMatchObject({ problems: [], archivedEntries: 0 })
  })
})

describe('time travel', () => {
  test('tells what was, by the rules of then', async () => {
    await holdfast.deliver({ type: 'stock.level.reported', sku: 'THEN', net: 5, sequence: 1 })
    await holdfast.applied()
    const first = (await holdfast.ask('GET', '/v1/stock/THEN')).body
    const [{ at }] = (await holdfast.ask('GET', '/v1/ledger?sku=THEN')).body.entries
    await until(async () => new Date().toISOString() > at)
    await holdfast.deliver({ type: 'stock.level.reported', sku: 'THEN', net: 3, sequence: 2 })
    await holdfast.applied()
    expect((await holdfast.ask('GET', `/v1/stock/THEN?at=${at}`, { as: reader })).body).toEqual({
      ...first,
      at,
      lastEntryAt: at,
      configuration: 1,
    })
    expect((await holdfast.ask('GET', `/v1/stock/THEN?at=${at}&shop=till`)).body.shops).toEqual(first.shops)
    expect((await holdfast.ask('GET', '/v1/stock/THEN')).body).toMatchObject({ ledgerVersion: 2 })
  })

  test.each([
    ['NEVER?at=2026-01-01T00:00:00Z', 404, 'SKU_UNKNOWN'],
    ['THEN?at=2026-01-01T00:00:00Z', 404, 'NOT_KNOWN_THEN'],
    ['THEN?at=2099-01-01T00:00:00Z', 422, 'MOMENT_AHEAD'],
    ['THEN?at=now', 422, 'REQUEST_WRONG'],
    ['THEN?at=', 422, 'REQUEST_WRONG'],
    ['THEN?at=2026-03-14', 422, 'REQUEST_WRONG'],
    ['THEN?at=2026-02-30T00:00:00Z', 422, 'REQUEST_WRONG'],
    ['THEN?at=2026-03-14T15:09:26+01:00', 422, 'REQUEST_WRONG'],
    ['THEN?at=1773500966', 422, 'REQUEST_WRONG'],
  ])('%s is %i %s', async (path, status, code) => {
    const told = await holdfast.ask('GET', `/v1/stock/${path}`)
    expect([told.status, told.body.code]).toEqual([status, code])
    if (code === 'NOT_KNOWN_THEN') expect(told.body.knownSince).toMatch(/Z$/)
  })

  test('a shop that was not configured then is not known then', async () => {
    const [{ at }] = (await holdfast.ask('GET', '/v1/ledger?sku=THEN')).body.entries
    expect((await holdfast.ask('GET', `/v1/stock/THEN?at=${at}&shop=later`)).body.code).toBe('SHOP_UNKNOWN')
  })
})

describe('incidents and dead letters', () => {
  test('incidents are told newest first, page by page; closed ones when asked', async () => {
    for (let nth = 1; nth <= 5; nth += 1) {
      await holdfast.deliver({ type: 'stock.level.reported', sku: `SHORT-${nth}`, net: 0, sequence: 1 })
      await holdfast.applied()
      await holdfast.ask('POST', '/v1/shops/till/orders', {
        body: { order: `S${nth}`, lines: [{ lineId: 'L', sku: `SHORT-${nth}`, units: 2 }] },
      })
    }
    const { items } = await pages('/v1/incidents?limit=2', 'incidents')
    expect(items.map(({ sku }) => sku)).toEqual(['SHORT-5', 'SHORT-4', 'SHORT-3', 'SHORT-2', 'SHORT-1'])
    expect(items[0]).toEqual({
      id: expect.any(Number),
      code: 'SHORTAGE',
      openedAt: expect.stringMatching(/Z$/),
      seen: 1,
      shop: 'till',
      sku: 'SHORT-5',
      orderNumber: 'S5',
      units: 2,
      cause: expect.any(String),
    })
    await holdfast.ask('POST', '/v1/shops/till/orders', {
      body: { order: 'S5', state: 'cancelled', lines: [{ lineId: 'L', sku: 'SHORT-5', units: 2 }] },
    })
    expect((await pages('/v1/incidents?limit=2', 'incidents')).items).toHaveLength(4)
    expect((await pages('/v1/incidents?limit=2&closed=true', 'incidents')).items[0]).toMatchObject({
      sku: 'SHORT-5',
      closedAt: expect.any(String),
    })
  })

  test('an incident is closed by hand once, and the ledger keeps who did it', async () => {
    const [shortage] = (await pages('/v1/incidents?limit=9', 'incidents')).items
    const close = (id: unknown) => holdfast.ask('POST', `/v1/incidents/${id}/close`, { as: operator })
    expect((await close(shortage?.id)).body).toEqual({ id: shortage?.id, code: 'SHORTAGE' })
    expect((await close(shortage?.id)).body).toMatchObject({ status: 409, code: 'INCIDENT_CLOSED' })
    expect((await close(999_999)).body).toMatchObject({ status: 404, code: 'INCIDENT_UNKNOWN' })
    for (const id of ['0', '-1', 'x', '1e2', '9007199254740993']) expect((await close(id)).status).toBe(422)
    const { entries } = (await holdfast.ask('GET', '/v1/ledger?kind=incident-closed')).body
    expect(entries).toMatchObject([
      { stream: 'incidents', actor: 'token:a-operate', body: { id: shortage?.id, code: 'SHORTAGE' } },
    ])
  })

  test('a dead letter is kept whole with field, value and reason, page by page', async () => {
    const raw = '{"sku":"DEAD","available_stock":-1,"note":"as it was"}'
    await holdfast.deliver(raw, { id: 'dead-1' })
    for (let nth = 2; nth <= 5; nth += 1)
      await holdfast.deliver(`{"sku":"DEAD","available_stock":-${nth}}`, { id: `dead-${nth}` })
    const { items } = await pages('/v1/dead-letters?limit=2', 'deadLetters')
    expect(items.map(({ messageId }) => messageId)).toEqual(['dead-1', 'dead-2', 'dead-3', 'dead-4', 'dead-5'])
    expect(items[0]).toEqual({
      id: expect.any(Number),
      source: 'wms',
      messageId: 'dead-1',
      receivedAt: expect.stringMatching(/Z$/),
      raw,
      reason: 'must lie between 0 and 2147483647',
      field: 'available_stock',
      value: '-1',
    })
  })

  test('row 125: a replay of what is still wrong stays open and says so; of nothing it is 404; twice at once it is one', async () => {
    const [letter] = (await holdfast.ask('GET', '/v1/dead-letters?limit=1')).body.deadLetters
    const told = await holdfast.ask('POST', `/v1/dead-letters/${letter.id}/replay`, { as: operator })
    expect([told.status, told.body]).toEqual([
      202,
      {
        accepted: 0,
        repeated: 0,
        deadLetters: [{ index: 0, id: letter.id, field: 'available_stock', reason: letter.reason }],
        notes: [],
      },
    ])
    expect((await holdfast.ask('POST', '/v1/dead-letters/999999/replay')).body.code).toBe('DEAD_LETTER_UNKNOWN')
    for (const id of ['0', '-1', 'x', '1e2', '9007199254740993']) {
      expect((await holdfast.ask('POST', `/v1/dead-letters/${id}/replay`)).status).toBe(422)
    }
  })
})

describe('who may do what', () => {
  const DOORS = [
    ['GET', '/v1/stock/LAMP', 'read'],
    ['GET', '/v1/stock?skus=LAMP', 'read'],
    ['GET', '/v1/ledger', 'read'],
    ['GET', '/v1/ledger/export', 'read'],
    ['GET', '/v1/ledger/months', 'read'],
    ['POST', '/v1/ledger/months/2001-01/archive', 'admin'],
    ['GET', '/v1/incidents', 'read'],
    ['POST', '/v1/incidents/999/close', 'operate'],
    ['GET', '/v1/dead-letters', 'read'],
    ['GET', '/v1/shops', 'read'],
    ['GET', '/v1/configuration', 'read'],
    ['GET', '/v1/shops/till/reservations/k', 'read'],
    ['PUT', '/v1/shops/till/reservations/k', 'operate'],
    ['DELETE', '/v1/shops/till/reservations/none', 'operate'],
    ['POST', '/v1/shops/till/reservations/k/place', 'operate'],
    ['POST', '/v1/shops/till/orders', 'operate'],
    ['POST', '/v1/dead-letters/999/replay', 'operate'],
    ['POST', '/v1/warehouses/depot/trust', 'operate'],
    ['POST', '/v1/verify', 'operate'],
    ['PUT', '/v1/configuration', 'admin'],
    ['POST', '/v1/tokens', 'admin'],
    ['POST', '/v1/shops/nowhere/invite', 'admin'],
    ['POST', '/v1/shops/nowhere/retire', 'admin'],
    ['POST', '/v1/shops/nowhere/release', 'admin'],
    ['GET', '/v1/shops/nowhere/resync', 'read'],
    ['POST', '/v1/shops/nowhere/resync', 'operate'],
    ['DELETE', '/v1/shops/nowhere/resync', 'operate'],
    ['GET', '/v1/shopware-app', 'admin'],
  ] as const

  test.each(DOORS)('%s %s needs %s', async (method, path, scope) => {
    const without = await holdfast.ask(method, path, { as: null })
    expect([without.status, without.body.code, without.headers.get('www-authenticate')]).toEqual([
      401,
      'TOKEN_MISSING',
      'Bearer',
    ])
    const ranks = { read: 0, operate: 1, admin: 2 }
    for (const [token, has] of [
      [reader, 'read'],
      [operator, 'operate'],
    ] as const) {
      const { status, body } = await holdfast.ask(method, path, { as: token })
      if (ranks[has] < ranks[scope]) expect([status, body.code]).toEqual([403, 'SCOPE_TOO_NARROW'])
      else expect([401, 403, 500]).not.toContain(status)
    }
  })

  test('the table names every door that a token opens', async () => {
    const { paths } = (await holdfast.ask('GET', '/openapi.json')).body
    const ofTokens = Object.entries(paths as Record<string, Record<string, { security?: unknown }>>).flatMap(
      ([path, methods]) =>
        Object.entries(methods).flatMap(([method, { security }]) =>
          security === undefined ? [`${method.toUpperCase()} ${path}`] : [],
        ),
    )
    const named = DOORS.map(([method, path]) => `${method} ${path.split('?')[0]}`)
    expect(ofTokens.sort()).toEqual(
      named
        .map((door) =>
          door
            .replace('/LAMP', '/{sku}')
            .replace('/till', '/{shop}')
            .replace('/nowhere', '/{shop}')
            .replace('/depot', '/{warehouse}')
            .replace(/reservations\/(k|none)/, 'reservations/{key}')
            .replace('/999', '/{id}')
            .replace('/2001-01', '/{month}'),
        )
        .sort(),
    )
  })

  test.each([
    '',
    'Bearer',
    'Bearer x',
    'bearer TOKEN',
    'Bearer TOKEN ',
    'Basic TOKEN',
    'Bearer TOKEN,TOKEN',
    `Bearer ${'x'.repeat(10_000)}`,
    'Bearer eyJhbGciOiJub25lIn0.e30.',
  ])('rows 42 and 43: %s is no token', async (wrong) => {
    const head = `GET /v1/ledger HTTP/1.1\r\nHost: x\r\nAuthorization: ${wrong.replaceAll('TOKEN', reader)}\r\nConnection: close\r\n\r\n`
    const told = await holdfast.raw(head)
    // Blanks around a header's value are not part of it.
    expect(told).toMatch(wrong === 'Bearer TOKEN ' ? /^HTTP\/1\.1 200/ : /^HTTP\/1\.1 401/)
  })

  test('row 42: a token in the address is none', async () =>
    expect((await holdfast.ask('GET', `/v1/ledger?token=${reader}`, { as: null })).status).toBe(401))

  test('tokens are kept as hashes alone', async () => {
    const { rows } = await holdfast.database.pool.query('select t::text as row from token t')
    expect(JSON.stringify(rows)).not.toContain(reader.slice(-20))
  })

  test.each([
    [{ name: 'x', scope: 'root' }, 'scope'],
    [{ name: '../x', scope: 'read' }, 'name'],
    [{ name: 'x' }, 'scope'],
    [{ name: 'x', scope: 'read', admin: true }, 'admin'],
  ])('row 127: the token %j is refused by name of the field', async (body, field) => {
    const told = await holdfast.ask('POST', '/v1/tokens', { body })
    expect([told.status, told.body.problems[0].field]).toEqual([422, field])
  })
})

describe('the description', () => {
  test('is OpenAPI 3.1 with every door, every refusal described, and every proof named', async () => {
    const { body, status } = await holdfast.ask('GET', '/openapi.json', { as: null })
    expect(status).toBe(200)
    expect(body.openapi).toBe('3.1.0')
    const schemes = Object.keys(body.components.securitySchemes)
    const ids: string[] = []
    for (const [path, methods] of Object.entries(
      body.paths as Record<string, Record<string, Record<string, unknown>>>,
    )) {
      for (const operation of Object.values(methods)) {
        const {
          operationId,
          summary,
          responses,
          parameters = [],
          security = [{ token: [] }],
        } = operation as {
          operationId: string
          summary: string
          responses: Record<string, { description: string; content?: Record<string, unknown> }>
          parameters?: { name: string; in: string; required: boolean }[]
          security?: Record<string, unknown>[]
        }
        ids.push(operationId)
        expect(summary).toMatch(/\w/)
        expect(responses).toHaveProperty('default')
        for (const [code, response] of Object.entries(responses)) {
          expect(response.description).toMatch(/\w/)
          if (Number(code) >= 400 && Number(code) !== 503)
            expect(response.content).toHaveProperty(['application/problem+json'])
        }
        for (const scheme of security.flatMap(Object.keys)) expect(schemes).toContain(scheme)
        const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
        expect(
          parameters
            .filter((each) => each.in === 'path')
            .map(({ name }) => name)
            .sort(),
        ).toEqual(inPath.sort())
      }
    }
    expect(new Set(ids).size).toBe(ids.length)
    const refs = [...JSON.stringify(body).matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref]) => ref)
    expect(new Set(refs)).toEqual(new Set(['#/components/schemas/Problem']))
    expect(JSON.stringify(body)).not.toContain('x-problems')
    expect(Object.keys(body.paths)).toEqual(
      expect.arrayContaining([
        '/v1/sources/{source}/messages',
        '/healthz',
        '/readyz',
        '/metrics',
        '/openapi.json',
        '/shopware/checkout-gateway',
        '/v1/shops/{shop}/reservations/{key}',
      ]),
    )
  })
})

describe('health', () => {
  test('lives, is ready, and tells its figures to everybody', async () => {
    expect((await holdfast.ask('GET', '/healthz', { as: null })).body).toEqual({ live: true })
    expect((await holdfast.ask('GET', '/readyz', { as: null })).body).toEqual({ ready: true })
    await holdfast.ask('POST', '/v1/sources/wms/messages', { body: {}, as: null })
    const { text, headers } = await holdfast.ask('GET', '/metrics', { as: null })
    expect(headers.get('content-type')).toMatch(/^text\/plain/)
    expect(text).toMatch(/holdfast_messages_total\{source="wms",outcome="accepted"\} [1-9]/)
    expect(text).toMatch(/holdfast_messages_total\{source="wms",outcome="dead-letter"\} [1-9]/)
    expect(text).toMatch(/holdfast_unauthentic_total\{door="source"\} [1-9]/)
    expect(text).toMatch(/holdfast_bugs_total 0/)
    expect((await holdfast.ask('GET', '/', { as: null })).text).toContain('Holdfast')
    expect((await holdfast.ask('GET', '/nowhere', { as: null })).body).toMatchObject({ status: 404, code: 'NOT_FOUND' })
  })
})

describe('the configuration', () => {
  const put = (body: unknown, query = '', headers = {}) =>
    holdfast.ask('PUT', `/v1/configuration${query}`, { body, headers })

  test('shows the difference first, then makes each change an entry with its author, and changes nothing twice', async () => {
    const before = (await holdfast.ask('GET', '/v1/configuration')).body
    const shops = {
      ...WORLD.shops,
      web: { kind: 'channel' as const, warehouses: ['main'], zone: 'Europe/Berlin', quotaUnits: 5 },
    }
    const changes = [{ path: 'shops.web', after: shops.web }]
    const dry = await put({ ...WORLD, shops }, '?dryRun=true')
    expect(dry.body).toMatchObject({ version: before.version, changes })
    expect((await holdfast.ask('GET', '/v1/configuration')).body).toEqual(before)
    const real = await put({ ...WORLD, shops })
    expect(real.body).toMatchObject({ version: before.version + 1, changes })
    expect((await put({ ...WORLD, shops })).body).toMatchObject({ version: before.version + 1, changes: [] })
    const configured = async () => {
      const { entries } = (await holdfast.ask('GET', '/v1/ledger?limit=500')).body
      return entries.filter(({ kind }: { kind: string }) => kind === 'configured')
    }
    await until(async () => (await configured()).length === before.version + 1)
    expect((await configured()).at(-1)).toMatchObject({
      stream: 'configuration',
      actor: 'token:admin',
      version: before.version + 1,
      body: { changes },
    })
  })

  test('is written back as it was put, through YAML too', async () => {
    const { document } = (await holdfast.ask('GET', '/v1/configuration')).body
    const yaml = writeConfigurationYaml(document)
    expect(readConfigurationYaml(yaml)).toEqual({ document })
    const again = await put(yaml, '', { 'content-type': 'application/yaml' })
    expect(again.body).toMatchObject({ changes: [] })
  })

  test('a quota is in force at once', async () => {
    await holdfast.deliver({ type: 'stock.level.reported', sku: 'QUOTA', net: 100, sequence: 1 })
    await holdfast.applied()
    await until(async () => (await holdfast.ask('GET', '/v1/stock/QUOTA?shop=web')).body?.shops?.[0]?.quotaUnits === 5)
    const lines = [{ sku: 'QUOTA', units: 6 }]
    expect((await holdfast.ask('PUT', '/v1/shops/web/reservations/q', { body: { lines } })).body).toMatchObject({
      code: 'NOT_ENOUGH',
      lines: [{ sellableUnits: 5 }],
    })
    expect((await holdfast.ask('PUT', '/v1/shops/till/reservations/q', { body: { lines } })).status).toBe(201)
  })

  test.each([
    [
      '{"sources":{},"warehouses":{},"shops":{"a":{"kind":"channel","warehouses":["main"],"zone":"Europe/Berlin"}}}',
      'application/json',
      'shops.a.warehouses.0',
    ],
    [
      'sources: {}\nwarehouses: {main: {source: nobody, zone: Europe/Berlin}}\nshops: {}',
      'application/yaml',
      'warehouses.main.source',
    ],
    ['{"sources":{},"warehouses":{},"shops":{},"tenant":"x"}', 'application/json', 'tenant'],
    ['{"sources":{},"warehouses":{},"shops":{"böse shop":{}}}', 'application/json', 'shops.böse shop'],
    ['a: &a [1,1]\nb: [*a,*a]\n<<: *b', 'application/yaml', ''],
    ['', 'application/json', ''],
  ])('that is wrong is told by its path: %#', async (body, type, path) => {
    const told = await put(body, '', { 'content-type': type })
    expect([told.status, told.body.code]).toEqual([422, 'CONFIGURATION_WRONG'])
    if (path !== '') expect(told.body.problems[0].path).toBe(path)
  })

  test('of two keys of one name, or of another form, is no document', async () => {
    expect((await put('{"sources":{},"sources":{}}')).body.code).toBe('BODY_UNREADABLE')
    expect((await put('<xml/>', '', { 'content-type': 'application/xml' })).body.code).toBe('MEDIA_TYPE_UNSUPPORTED')
    expect((await put('{}', '?dryRun=maybe')).body.code).toBe('REQUEST_WRONG')
  })
})

test('nothing of all this was a bug', () => expect(holdfast.logged.join('')).not.toContain('invariant'))
