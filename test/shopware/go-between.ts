/** Stands between a real shop and Holdfast, passes on what the shop sends, and spoils the answers to its checkouts as told. */
import { createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * What happens to a checkout on its way: `late` answers come after 7 s, when Shopware has gone on; `fails` is a 500 instead of the
 * answer; `unsigned` and `wrong-secret` have no signature, and one by somebody else; `cut` closes the connection.
 */
export type Spoiling = 'nothing' | 'late' | 'fails' | 'unsigned' | 'wrong-secret' | 'cut'

export type GoBetween = {
  /** What the shop is told as the address of its app. */
  readonly url: string
  /** Where Holdfast is; asked for each request. */
  target: () => string
  spoil: Spoiling
  /** Checkouts that have arrived since it was opened. */
  readonly checkouts: () => number
  /** Waits until so many more checkouts have arrived. */
  readonly moreCheckouts: (count: number) => Promise<void>
  close(): Promise<void>
}

const GATEWAY = '/shopware/checkout-gateway'
const SIGNATURE = 'shopware-app-signature'
/** Longer than the 5 s that Shopware waits. */
const LATE_MS = 7_000

/** Opens it on a free port; it knows no target yet. */
export async function openGoBetween(): Promise<GoBetween> {
  let checkouts = 0
  const waiting = new Set<{ readonly at: number; readonly resume: () => void }>()
  const closing = new AbortController()

  const arrived = (): void => {
    checkouts += 1
    for (const each of waiting) if (checkouts >= each.at) each.resume()
  }
  const passOn = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const spoil = incoming.url?.startsWith(GATEWAY) ? between.spoil : 'nothing'
    if (incoming.url?.startsWith(GATEWAY)) arrived()
    if (spoil === 'cut') {
      incoming.socket.destroy()
      return
    }
    const target = new URL(incoming.url ?? '/', between.target())
    const asked = request(target, { method: incoming.method, headers: { ...incoming.headers, host: target.host } })
    asked.on('error', () => outgoing.destroy())
    asked.on('response', (answer) => {
      answer.on('error', () => outgoing.destroy())
      void spoiled(spoil, answer, outgoing, closing.signal)
    })
    incoming.pipe(asked)
  }
  const server = createServer(passOn)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('NO_PORT: the system gave no port. Try again.')

  const between: GoBetween = {
    url: `http://127.0.0.1:${address.port}`,
    target: () => {
      throw new Error('NO_TARGET: name one first.')
    },
    spoil: 'nothing',
    checkouts: () => checkouts,
    moreCheckouts(count) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const wait = { at: checkouts + count, resume: resolve }
      waiting.add(wait)
      return promise.finally(() => waiting.delete(wait))
    },
    async close() {
      closing.abort()
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
  return between
}

async function spoiled(
  spoil: Spoiling,
  answer: IncomingMessage,
  outgoing: ServerResponse,
  closing: AbortSignal,
): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of answer) chunks.push(chunk)
  const body = Buffer.concat(chunks)
  if (spoil === 'late') await delay(LATE_MS, undefined, { signal: closing }).catch(() => undefined)
  const { connection: _, 'transfer-encoding': __, ...headers } = answer.headers
  if (spoil === 'unsigned') delete headers[SIGNATURE]
  if (spoil === 'wrong-secret')
    headers[SIGNATURE] = createHmac('sha256', randomBytes(32).toString('hex')).update(body).digest('hex')
  if (outgoing.destroyed) return
  outgoing.writeHead(spoil === 'fails' ? 500 : (answer.statusCode ?? 502), headers)
  outgoing.end(body)
}
