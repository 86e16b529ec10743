import { connect, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import type { FastifyInstance } from 'fastify'
import { afterEach, describe, expect, test } from 'vitest'
import { MAX_UNDER_WAY } from './routes/doors.ts'
import { rawRequest } from './served.ts'
import { buildServer, type Patience } from './server.ts'
import type { HttpWorld } from './world.ts'
import { fakeWorld } from './world-fixture.ts'

const MIB = 1024 * 1024
/** Short, so that a test of giving up does not take long; everything else is far quicker. */
const SHORT: Patience = { headersWithinMs: 300, requestWithinMs: 400, checkEveryMs: 50, connections: 10_000 }

let app: FastifyInstance | undefined
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await app?.close()
  app = undefined
})

async function listen(world: Partial<HttpWorld> = {}, patience?: Patience): Promise<number> {
  app = await buildServer(fakeWorld(world), 'test', patience)
  return Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port)
}

const request = (line: string, headers: readonly string[] = [], body = ''): string =>
  [`${line} HTTP/1.1`, 'Host: holdfast', ...(line === GATEWAY ? [SHOP_SIGNED] : []), ...headers, '', body].join('\r\n')

const TOKEN = 'Authorization: Bearer token-of-the-test'
const JSON_TYPE = 'Content-Type: application/json'
const SIGNED = 'webhook-signature: v1,x'
const DOOR = 'POST /v1/sources/wms/messages'
const GATEWAY = 'POST /shopware/checkout-gateway'
const SHOP_SIGNED = `shopware-shop-signature: ${'a'.repeat(64)}`

const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1])
const codeOf = (answer: string): string | undefined => /"code":"([A-Z_]+)"/.exec(answer)?.[1]

const unauthentic = async (raw: Buffer) => ({ httpCode: 401, headers: {}, body: String(raw.length) })

/** A socket that stays open after writing, and what it hears. */
function open(port: number): Socket {
  const socket = connect(port, '127.0.0.1')
  sockets.push(socket)
  socket.on('error', () => undefined)
  return socket
}

const closed = (socket: Socket): Promise<string> =>
  new Promise((done) => {
    let heard = ''
    socket.on('data', (chunk) => {
      heard += chunk
    })
    socket.on('close', () => done(heard))
  })

describe('a body', () => {
  test.each([
    ['a delivery', DOOR, [SIGNED], 8 * MIB],
    ['a request of the API', 'POST /v1/tokens', [TOKEN, JSON_TYPE], MIB],
    ['a call of a shop', GATEWAY, [], 16 * MIB],
  ] as const)('row 1: of one byte too many is refused and the socket closed: %s', async (_, door, headers, limit) => {
    const port = await listen()
    const told = await rawRequest(port, request(door, [...headers, `Content-Length: ${limit + 1}`]))
    expect([statusOf(told), codeOf(told)]).toEqual([413, 'BODY_TOO_LARGE'])
    const socket = open(port)
    const answer = closed(socket)
    socket.write(request(door, [...headers, 'Transfer-Encoding: chunked']))
    const chunk = Buffer.alloc(64 * 1024, 0x20)
    for (let sent = 0; sent <= limit && socket.writable; sent += chunk.length) {
      socket.write(`${chunk.length.toString(16)}\r\n`)
      socket.write(chunk)
      if (!socket.write('\r\n')) await Promise.race([new Promise((more) => socket.once('drain', more)), answer])
    }
    const heard = await answer
    // Where the refusal crosses what is still being sent, the socket may be reset before it is heard; never is it taken.
    if (heard !== '') expect(statusOf(heard)).toBe(413)
  })

  test('row 1: of just as many bytes as allowed is taken', async () => {
    const taken: number[] = []
    const port = await listen({
      receive: async (_, { raw }) => {
        taken.push(raw.length)
        return { receipt: { accepted: 1, repeated: 0, deadLetters: [], notes: [] } }
      },
    })
    const body = ' '.repeat(8 * MIB)
    const told = await rawRequest(
      port,
      request(DOOR, [SIGNED, `Content-Length: ${body.length}`, 'Connection: close'], body),
    )
    expect(statusOf(told)).toBe(202)
    expect(taken).toEqual([8 * MIB])
  })

  test('row 2: that stops in the middle is given up', async () => {
    const port = await listen({}, SHORT)
    const told = await rawRequest(port, request(DOOR, [SIGNED, 'Content-Length: 10'], '12345'))
    expect([statusOf(told), codeOf(told)]).toEqual([408, 'REQUEST_TIMEOUT'])
  })

  test('row 4: that drips byte by byte is given up', async () => {
    const port = await listen({}, SHORT)
    const socket = open(port)
    const heard = closed(socket)
    socket.write(request(DOOR, [SIGNED, 'Transfer-Encoding: chunked']))
    const dripping = setInterval(() => socket.write('1\r\n \r\n'), 10)
    const told = await heard
    clearInterval(dripping)
    expect(statusOf(told)).toBe(408)
  })

  test('rows 5 and 6: that is packed is refused before it is unpacked, however often', async () => {
    const port = await listen()
    const bomb = gzipSync(Buffer.alloc(100 * MIB))
    expect(bomb.length).toBeLessThan(200_000)
    for (const encoding of ['gzip', 'br', 'gzip, gzip, br', 'identity']) {
      for (const door of [DOOR, 'POST /v1/tokens', GATEWAY]) {
        const about = [SIGNED, TOKEN, JSON_TYPE, `Content-Encoding: ${encoding}`, `Content-Length: ${bomb.length}`]
        // The bomb itself would only cross the refusal, which comes before it.
        const told = await rawRequest(port, request(door, about))
        expect([statusOf(told), codeOf(told)]).toEqual([415, 'ENCODING_UNSUPPORTED'])
      }
    }
  })

  test.each([
    'text/plain',
    '',
    'application/json; charset=utf-16',
    'application/xml',
    'application/x-www-form-urlencoded',
  ])('row 7: of the type %j is no request of the API', async (type) => {
    const port = await listen()
    const headers = [TOKEN, ...(type === '' ? [] : [`Content-Type: ${type}`]), 'Content-Length: 2', 'Connection: close']
    const told = await rawRequest(port, request('POST /v1/tokens', headers, '{}'))
    expect([statusOf(told), codeOf(told)]).toEqual([415, 'MEDIA_TYPE_UNSUPPORTED'])
  })

  test.each(['text/plain', '', 'application/json; charset=utf-16', 'application/octet-stream'])(
    'row 7: of the type %j reaches a signed door as the bytes that it is',
    async (type) => {
      const port = await listen()
      const headers = [...(type === '' ? [] : [`Content-Type: ${type}`]), 'Content-Length: 3', 'Connection: close']
      const told = await rawRequest(port, request(GATEWAY, headers, '\u00e4x'))
      expect(told).toMatch(/\r\n\r\n3$/)
    },
  )

  test('row 17: that is empty, unsigned, is refused without being read; signed, it reaches the door', async () => {
    const lengths: number[] = []
    const port = await listen({
      receive: async (_, { raw }) => {
        lengths.push(raw.length)
        return { receipt: { accepted: 0, repeated: 0, deadLetters: [], notes: [] } }
      },
    })
    const told = await rawRequest(port, request(DOOR, ['Content-Length: 0', 'Connection: close']))
    expect([statusOf(told), codeOf(told)]).toEqual([401, 'NOT_AUTHENTIC'])
    expect(statusOf(await rawRequest(port, request(DOOR, [SIGNED, 'Content-Length: 0', 'Connection: close'])))).toBe(
      202,
    )
    expect(statusOf(await rawRequest(port, request(DOOR, [SIGNED, 'Connection: close'])))).toBe(202)
    expect(lengths).toEqual([0, 0])
  })

  test('unproved is not read: the refusal comes while the body is still to come', async () => {
    const port = await listen({ shopware: { ...fakeWorld().shopware, webhook: unauthentic, gateway: unauthentic } })
    for (const [door, headers, status] of [
      [DOOR, [], 401],
      ['POST /shopware/webhooks', [], 401],
      ['POST /shopware/checkout-gateway?', ['shopware-shop-signature: short'], 401],
      ['POST /v1/tokens', [JSON_TYPE], 401],
      ['PUT /v1/configuration', ['Authorization: Bearer wrong-token', JSON_TYPE], 401],
      ['POST /v1/stock', [TOKEN, JSON_TYPE], 405],
    ] as const) {
      const socket = open(port)
      socket.write(request(door, [...headers, 'Content-Length: 1000000']))
      const heard = await new Promise((told) => socket.once('data', told))
      expect(statusOf(String(heard))).toBe(status)
    }
  })

  test('large ones that arrive at once leave room for ordinary checkouts', async () => {
    const port = await listen()
    const head = request(GATEWAY, [`Content-Length: ${16 * MIB}`])
    for (let nth = 0; nth < 4; nth += 1)
      open(port).write(Buffer.concat([Buffer.from(head), Buffer.alloc(15 * MIB, 0x20)]))
    const checkout = request(GATEWAY, ['Content-Length: 40000', 'Connection: close'], ' '.repeat(40_000))
    expect(await rawRequest(port, checkout)).toMatch(/40000$/)
  })
})

describe('what is hardly HTTP', () => {
  test.each([
    ['a length and chunks', ['Content-Length: 2', 'Transfer-Encoding: chunked'], '0\r\n\r\n'],
    ['two lengths', ['Content-Length: 2', 'Content-Length: 3'], '{} '],
    ['a folded header', ['X-A: b', ' c: d', 'Content-Length: 0'], ''],
    ['a length that is none', ['Content-Length: -1'], ''],
    ['chunks that are none', ['Transfer-Encoding: chunked'], 'zz\r\n'],
    ['chunked twice', ['Transfer-Encoding: chunked, chunked, identity'], ''],
  ])('row 3: %s is refused and the connection closed', async (_, headers, body) => {
    const port = await listen({}, SHORT)
    const told = await rawRequest(port, request(GATEWAY, headers, body))
    expect(statusOf(told)).toBe(400)
    expect(told).toMatch(/connection: close/i)
    expect(told).toMatch(/application\/problem\+json/)
  })

  test('row 3: lines that end in LF alone are refused', async () => {
    const port = await listen({}, SHORT)
    expect(statusOf(await rawRequest(port, `${GATEWAY} HTTP/1.1\nHost: x\nContent-Length: 0\n\n`))).toBe(400)
  })

  test('row 8: a header called __proto__ is a header', async () => {
    const port = await listen()
    const told = await rawRequest(
      port,
      request('GET /healthz', ['__proto__: x', 'constructor: y', 'Connection: close']),
    )
    expect(statusOf(told)).toBe(200)
    expect(
      statusOf(await rawRequest(port, request(DOOR, ['__proto__: x', 'Content-Length: 0', 'Connection: close']))),
    ).toBe(401)
  })

  test.each([
    ['20 kB of them', [`x: ${'a'.repeat(20_000)}`]],
    ['3,000 of them', Array.from({ length: 3_000 }, () => 'a: b')],
    ['250 short ones', Array.from({ length: 250 }, (_, nth) => `h${nth}: b`)],
    ['an address of 50,000 parameters', []],
  ])('rows 9 and 20: headers that are too many or too long are refused: %s', async (name, headers) => {
    const port = await listen()
    const query = name.includes('parameters') ? `?${'a=1&'.repeat(50_000)}` : ''
    const told = await rawRequest(port, request(`GET /healthz${query}`, headers))
    expect([statusOf(told), codeOf(told)]).toEqual([431, 'HEADERS_TOO_LARGE'])
  })

  test('row 10: a hundred pipelined requests are answered in order, and errors among them hinder none', async () => {
    const port = await listen()
    const all = Array.from({ length: 100 }, (_, nth) =>
      request(nth % 3 === 1 ? 'GET /nowhere' : 'GET /healthz', nth === 99 ? ['Connection: close'] : []),
    )
    const told = await rawRequest(port, all.join(''))
    const codes = [...told.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, code]) => Number(code))
    expect(codes).toEqual(all.map((_, nth) => (nth % 3 === 1 ? 404 : 200)))
  })

  test('row 10: a connection is used again after a refusal, and closed where the body was no JSON', async () => {
    const port = await listen()
    const codes = async (body: string) => {
      const bad = request('POST /v1/tokens', [TOKEN, JSON_TYPE, `Content-Length: ${body.length}`], body)
      const told = await rawRequest(port, bad + request('GET /healthz', ['Connection: close']))
      return [...told.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, code]) => code)
    }
    expect(await codes('{}')).toEqual(['422', '200'])
    expect(await codes('{')).toEqual(['400'])
  })

  test.each([
    ['/v1/sources/wms/messages', ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'OPTIONS'], 'POST'],
    ['/shopware/webhooks', ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'OPTIONS'], 'POST'],
    ['/v1/stock/A', ['POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'OPTIONS'], 'GET'],
    ['/v1/shops/till/reservations/k', ['POST', 'PATCH', 'OPTIONS'], 'PUT, GET, DELETE'],
  ] as const)('row 11: %s answers no other method', async (path, methods, allow) => {
    const port = await listen()
    for (const method of methods) {
      const told = await rawRequest(port, request(`${method} ${path}`, ['Connection: close']))
      expect(statusOf(told)).toBe(405)
      expect(told.toLowerCase()).toContain(`\r\nallow: ${allow.toLowerCase()}\r\n`)
    }
  })

  test.each([
    '//v1/stock/A',
    '/V1/stock/A',
    '/v1/stock/A/..%2f..%2fverify',
    '/v1/ledger;x=1',
    '/v1/ledger%00',
    '/v1/./ledger/',
    '/%76%31/ledger%2f',
    'http://holdfast/v1/nowhere',
    '/v1/stock/%zz',
  ])('row 12: %s is no other door', async (path) => {
    const port = await listen()
    const told = await rawRequest(port, request(`GET ${path}`, [TOKEN, 'Connection: close']))
    expect([404, 400]).toContain(statusOf(told))
    expect(told).toMatch(/application\/problem\+json/)
  })

  test('row 13: a missing host is refused, and one that somebody chose goes nowhere', async () => {
    const port = await listen()
    expect(statusOf(await rawRequest(port, 'GET /healthz HTTP/1.1\r\n\r\n'))).toBe(400)
    const told = await rawRequest(port, 'GET /openapi.json HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n')
    expect(statusOf(told)).toBe(200)
    expect(told).not.toContain('evil.example')
  })

  test('row 16: nothing is upgraded', async () => {
    const port = await listen()
    const told = await rawRequest(port, request('GET /healthz', ['Connection: Upgrade, close', 'Upgrade: h2c']))
    expect([200, 400]).toContain(statusOf(told))
    expect(told).not.toContain('101 Switching')
  })
})

describe('many at once', () => {
  test('row 18: two thousand connections that say nothing keep nobody out, and are closed', async () => {
    const port = await listen({}, { ...SHORT, headersWithinMs: 1_500, requestWithinMs: 1_500 })
    const ended: Promise<string>[] = []
    // In waves, for the system itself lets only some hundred wait for an answer.
    for (let wave = 0; wave < 10; wave += 1) {
      const silent = Array.from({ length: 200 }, () => open(port))
      ended.push(...silent.map(closed))
      await Promise.all(silent.map((socket) => new Promise((connected) => socket.once('connect', connected))))
    }
    expect(statusOf(await rawRequest(port, request('GET /healthz', ['Connection: close'])))).toBe(200)
    expect((await Promise.all(ended)).map(statusOf)).toEqual(ended.map(() => 408))
  })

  test('row 18: there are never more connections than allowed', async () => {
    const port = await listen({}, { ...SHORT, headersWithinMs: 60_000, requestWithinMs: 60_000, connections: 20 })
    const kept = Array.from({ length: 20 }, () => open(port))
    await Promise.all(kept.map((socket) => new Promise((connected) => socket.once('connect', connected))))
    expect(await rawRequest(port, request('GET /healthz', ['Connection: close'])).catch(() => '')).toBe('')
    for (const socket of kept) socket.destroy()
    await Promise.all(kept.map((socket) => socket.closed || new Promise((gone) => socket.once('close', gone))))
    expect(app?.server.listening).toBe(true)
  })

  test('row 19: one source has so many deliveries under way and not one more; others are served meanwhile', async () => {
    let release: () => void = () => undefined
    const gate = new Promise<void>((opened) => {
      release = opened
    })
    const receipt = { accepted: 1, repeated: 0, deadLetters: [], notes: [] }
    let waiting = 0
    let allWait: () => void = () => undefined
    const full = new Promise<void>((all) => {
      allWait = all
    })
    const port = await listen({
      receive: async (source) => {
        if (source === 'wms') {
          waiting += 1
          if (waiting === MAX_UNDER_WAY) allWait()
          await gate
        }
        return { receipt }
      },
    })
    const deliver = (source: string) =>
      rawRequest(
        port,
        request(`POST /v1/sources/${source}/messages`, [SIGNED, 'Content-Length: 2', 'Connection: close'], '{}'),
      )
    const first = Array.from({ length: MAX_UNDER_WAY }, () => deliver('wms'))
    await full
    const refused = await deliver('wms')
    expect([statusOf(refused), codeOf(refused)]).toEqual([429, 'TOO_MANY_DELIVERIES'])
    expect(refused).toMatch(/retry-after: 1/i)
    expect(statusOf(await deliver('erp'))).toBe(202)
    release()
    expect((await Promise.all(first)).map(statusOf)).toEqual(first.map(() => 202))
    expect(statusOf(await deliver('wms'))).toBe(202)
  })
})

describe('an address', () => {
  test.each([
    '/v1/ledger?a[b][c]=1',
    '/v1/ledger?sort=;--',
    '/v1/ledger?limit=-1',
    '/v1/ledger?limit=0',
    '/v1/ledger?limit=501',
    '/v1/ledger?limit=1e2',
    '/v1/ledger?limit=',
    '/v1/ledger?limit=0x10',
    '/v1/ledger?after=-1',
    '/v1/ledger?after=1.2.3',
    '/v1/ledger?sku=A&after=1.2',
    '/v1/incidents?after=9007199254740993',
    '/v1/ledger?sku=A&sku=B',
    '/v1/incidents?closed=1',
    '/v1/incidents?closed=true&closed=false',
    '/v1/stock',
    '/v1/dead-letters?__proto__=1',
  ])('rows 20 and 126: %s is refused by the name of its field', async (path) => {
    const port = await listen()
    const told = await rawRequest(port, request(`GET ${path}`, [TOKEN, 'Connection: close']))
    expect([statusOf(told), codeOf(told)]).toEqual([422, 'REQUEST_WRONG'])
    expect(told).toMatch(/"field":"[^"]+"/)
  })
})

describe('an export', () => {
  test('without an end does not keep the server from closing, and its reader sees that it broke off', async () => {
    let ended = false
    async function* forEver() {
      try {
        for (;;) {
          yield '{}\n'
          await new Promise(setImmediate)
        }
      } finally {
        ended = true
      }
    }
    const port = await listen({ ledgerLines: forEver })
    const answer = await fetch(`http://127.0.0.1:${port}/v1/ledger/export`, {
      headers: { authorization: 'Bearer token-of-the-test' },
    })
    const reader = answer.body?.getReader()
    expect(new TextDecoder().decode((await reader?.read())?.value)).toMatch(/^\{\}\n/)
    await app?.close()
    const readOn = async (): Promise<void> => {
      while (!(await reader?.read())?.done);
    }
    await expect(readOn()).rejects.toThrow()
    expect(ended).toBe(true)
  })

  test('of which only the headers are wanted reads nothing', async () => {
    const port = await listen()
    const answer = await fetch(`http://127.0.0.1:${port}/v1/ledger/export?format=csv`, {
      method: 'HEAD',
      headers: { authorization: 'Bearer token-of-the-test' },
    })
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/csv; charset=utf-8'])
  })
})

describe('an outage', () => {
  test.each([
    [Object.assign(new Error('x'), { code: '57P01' }), 503, 'DATABASE_UNREACHABLE'],
    [Object.assign(new Error('x'), { code: 'ECONNREFUSED' }), 503, 'DATABASE_UNREACHABLE'],
    [new Error('Connection terminated unexpectedly'), 503, 'DATABASE_UNREACHABLE'],
  ] as const)('%s is told as such, without its words', async (cause, status, code) => {
    const port = await listen({ ledger: () => Promise.reject(cause) })
    const told = await rawRequest(port, request('GET /v1/ledger', [TOKEN, 'Connection: close']))
    expect([statusOf(told), codeOf(told)]).toEqual([status, code])
    expect(told).toMatch(/retry-after: 1/i)
  })

  test('a bug is told to us and not to the client', async () => {
    const bugs: unknown[] = []
    const port = await listen({
      ledger: () => Promise.reject(new Error('select secret from table')),
      onBug: (cause, where) => bugs.push([String(cause), where]),
    })
    const told = await rawRequest(port, request('GET /v1/ledger', [TOKEN, 'Connection: close']))
    expect([statusOf(told), codeOf(told)]).toEqual([500, 'BUG'])
    expect(told).not.toMatch(/select|secret| at /)
    expect(bugs).toEqual([['Error: select secret from table', 'GET /v1/ledger']])
  })

  test('a process that is not ready says so', async () => {
    const port = await listen({ isReady: async () => false })
    const told = await rawRequest(port, request('GET /readyz', ['Connection: close']))
    expect(statusOf(told)).toBe(503)
    expect(told).toContain('{"ready":false}')
    expect(statusOf(await rawRequest(port, request('GET /healthz', ['Connection: close'])))).toBe(200)
  })
})
