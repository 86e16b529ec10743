import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { HttpFault, type HttpRequest, httpCaller } from './http-call.ts'

const open: Server[] = []
afterEach(async () => {
  for (const server of open.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  open.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const get = (url: string, over: Partial<HttpRequest> = {}): HttpRequest => ({
  method: 'GET',
  url,
  headers: {},
  timeoutMs: 5_000,
  maxBytes: 1_000,
  ...over,
})

const inside = httpCaller({ allowPrivate: true })
const outside = httpCaller({ allowPrivate: false })

const faultOf = async (promise: Promise<unknown>): Promise<HttpFault> => {
  const fault = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(fault instanceof HttpFault)) throw new Error(`no fault: ${String(fault)}`)
  return fault
}

describe('a call to a shop', () => {
  test('brings status, headers and the whole body', async () => {
    const url = await serve((request, response) => {
      response.writeHead(207, { 'x-seen': request.headers['x-mine'] })
      request.on('data', (chunk) => response.write(chunk))
      request.on('end', () => response.end('!'))
    })
    const answer = await inside(get(url, { method: 'POST', headers: { 'x-mine': 'a' }, body: 'höld' }))
    expect(answer.status).toBe(207)
    expect(answer.headers['x-seen']).toBe('a')
    expect(answer.body.toString()).toBe('höld!')
  })

  test('row 121: takes a redirect for an answer', async () => {
    let asked = 0
    const url = await serve((_request, response) => {
      asked++
      response.writeHead(302, { location: '/elsewhere' }).end()
    })
    expect((await inside(get(url))).status).toBe(302)
    expect(asked).toBe(1)
  })

  test('row 122: an answer of one byte too many is given up, one of just enough is taken', async () => {
    const url = await serve((request, response) => response.end('x'.repeat(request.url === '/big' ? 1_001 : 1_000)))
    expect((await inside(get(url))).body).toHaveLength(1_000)
    expect(await faultOf(inside(get(`${url}/big`)))).toMatchObject({ kind: 'too-large', maybeActed: true })
  })

  test('row 122: an endless answer is given up when the time is over, and may have been acted on', async () => {
    const url = await serve((_request, response) => void response.write('x'))
    expect(await faultOf(inside(get(url, { timeoutMs: 50 })))).toMatchObject({ kind: 'timeout', maybeActed: true })
  })

  test('that is cut off in the middle may have been acted on', async () => {
    const url = await serve((request) => void request.socket.destroy())
    expect(await faultOf(inside(get(url)))).toMatchObject({ kind: 'broken', maybeActed: true })
  })

  test('that is cut off inside its body may have been acted on', async () => {
    const url = await serve((request, response) => {
      response.writeHead(200, { 'content-length': '10' })
      response.write('12345', () => request.socket.destroy())
    })
    expect(await faultOf(inside(get(url, { repeatable: true })))).toMatchObject({ kind: 'broken', maybeActed: true })
  })

  test.each([
    [true, 'is made again'],
    [false, 'is not made again'],
  ])('that meets a connection which the shop is closing, repeatable %s, %s', async (repeatable) => {
    const seen = new WeakSet<object>()
    let asked = 0
    const url = await serve((request, response) => {
      asked++
      if (seen.has(request.socket)) return void request.socket.destroy()
      seen.add(request.socket)
      response.end('ok')
    })
    const caller = httpCaller({ allowPrivate: true })
    await caller(get(url))
    // The connection goes back to be kept one turn after the answer has ended.
    await new Promise((resolve) => setImmediate(resolve))
    const second = caller(get(url, { repeatable }))
    if (repeatable) expect((await second).body.toString()).toBe('ok')
    else expect(await faultOf(second)).toMatchObject({ kind: 'broken', maybeActed: true })
    expect(asked).toBe(repeatable ? 3 : 2)
  })

  test('that nobody takes was not acted on', async () => {
    const free = createTcpServer()
    await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve))
    const { port } = free.address() as AddressInfo
    await new Promise((resolve) => free.close(resolve))
    expect(await faultOf(inside(get(`http://127.0.0.1:${port}`)))).toMatchObject({
      kind: 'unreachable',
      maybeActed: false,
    })
  })

  test.each(['http://127.0.0.1:1', 'http://[::1]:1', 'http://[::ffff:127.0.0.1]:1', 'http://2130706433:1'])(
    'row 37: to %s is not made',
    async (url) => {
      expect(await faultOf(outside(get(url)))).toMatchObject({ kind: 'forbidden-address', maybeActed: false })
    },
  )

  test('row 38: to a name that leads to a private address is not made', async () => {
    let asked = 0
    const url = await serve((_request, response) => {
      asked++
      response.end()
    })
    const named = url.replace('127.0.0.1', 'localhost')
    expect(await faultOf(outside(get(named)))).toMatchObject({ kind: 'forbidden-address', maybeActed: false })
    expect(asked).toBe(0)
    expect((await inside(get(named))).status).toBe(200)
  })
})
