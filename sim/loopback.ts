/** HTTP between the neighbours: small servers and calls on the loopback, each with a bound. */
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One request as it reached a neighbour. */
export type Incoming = {
  readonly method: string
  readonly path: string
  readonly rawQuery: string
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: string
}

/** What a neighbour answers; `body` is sent as it is. */
export type Outgoing = {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** The largest body that a neighbour takes. */
const MAX_BODY_BYTES = 32 * 1024 * 1024

/** Serves on a free port of the loopback until stopped; a handler that throws answers 500. */
export async function serve(
  handle: (incoming: Incoming) => Promise<Outgoing> | Outgoing,
): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const server = createServer((call, answer) => {
    const chunks: Buffer[] = []
    let bytes = 0
    call.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > MAX_BODY_BYTES) call.destroy()
      else chunks.push(chunk)
    })
    call.on('end', async () => {
      const [path = '/', rawQuery = ''] = (call.url ?? '/').split('?', 2)
      const headers: Record<string, string | undefined> = {}
      for (const [name, value] of Object.entries(call.headers)) headers[name] = [value].flat().join(', ')
      const incoming = { method: call.method ?? 'GET', path, rawQuery, headers, body: Buffer.concat(chunks).toString() }
      try {
        const { status, headers: given = {}, body = '' } = await handle(incoming)
        answer.writeHead(status, given).end(body)
      } catch (cause) {
        answer.writeHead(500, { 'content-type': 'text/plain' }).end(String(cause))
      }
    })
  })
  await new Promise<void>((ready, fail) => server.once('error', fail).listen(0, '127.0.0.1', ready))
  return {
    url: `http://127.0.0.1:${portOf(server.address())}`,
    stop: () =>
      new Promise((done) => {
        server.close(() => done())
        server.closeAllConnections()
      }),
  }
}

function portOf(address: string | AddressInfo | null): number {
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return address.port
}

/** One call on a connection of its own, as a PHP shop makes it. Rejects where nobody listens or `timeoutMs` are over. */
export function call(options: {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly timeoutMs: number
}): Promise<Required<Outgoing>> {
  return new Promise((resolve, reject) => {
    const body = options.body ?? ''
    const outgoing = request(
      options.url,
      {
        method: options.method,
        agent: false,
        signal: AbortSignal.timeout(options.timeoutMs),
        headers: {
          ...options.headers,
          ...(options.method === 'POST' ? { 'content-length': Buffer.byteLength(body) } : {}),
        },
      },
      (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('error', reject)
        answer.on('end', () => {
          const headers: Record<string, string> = {}
          for (const [name, value] of Object.entries(answer.headers)) headers[name] = [value].flat().join(', ')
          resolve({ status: answer.statusCode ?? 0, headers, body: Buffer.concat(chunks).toString() })
        })
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}
