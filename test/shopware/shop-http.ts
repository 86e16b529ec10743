import { Agent, request as plainRequest } from 'node:http'
import { Agent as TlsAgent, request as tlsRequest } from 'node:https'
import type { Static, TSchema } from 'typebox'
import type { Validator } from 'typebox/compile'

/** Longest wait for one answer, in milliseconds: a full shop with few workers lets a request queue for long. */
export const REQUEST_TIMEOUT_MS = 60_000

/** Connections that one driver opens at a time; above the workers of any shop that we test with. */
export const MAX_SOCKETS = 64

/** Longest answer that is read, in bytes. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024

/** What a shop answered: the HTTP code, the headers in lower case, and the parsed body (undefined when empty or not JSON). */
export type Answer = { readonly http: number; readonly headers: Record<string, string>; readonly body: unknown }

export type Question = {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly headers?: Record<string, string>
  readonly body?: unknown
}

export type ShopHttp = { readonly call: (question: Question) => Promise<Answer>; readonly close: () => void }

/**
 * A small client over kept connections. PHP's built-in server closes each of them after its answer, so there the agent
 * only bounds their number; a shop behind nginx or Apache keeps them.
 *
 * @throws Error when the shop cannot be reached, is silent for `REQUEST_TIMEOUT_MS`, or sends too much
 */
export function openHttp(baseUrl: string, maxSockets = MAX_SOCKETS): ShopHttp {
  const isTls = new URL(baseUrl).protocol === 'https:'
  const agent = isTls ? new TlsAgent({ keepAlive: true, maxSockets }) : new Agent({ keepAlive: true, maxSockets })
  const request = isTls ? tlsRequest : plainRequest
  const call = (question: Question): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const body = question.body === undefined ? undefined : JSON.stringify(question.body)
      const outgoing = request(new URL(question.path, baseUrl), {
        agent,
        method: question.method,
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
        headers: {
          accept: 'application/json',
          ...(body === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
          ...question.headers,
        },
      })
      const fail = (cause: unknown): void =>
        reject(
          new Error(`SHOP_UNREACHABLE: ${question.method} ${question.path} got no answer. Look at the shop.`, {
            cause,
          }),
        )
      outgoing.on('error', fail)
      outgoing.on('response', (incoming) => {
        const chunks: Buffer[] = []
        let bytes = 0
        incoming.on('error', fail)
        incoming.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes > MAX_ANSWER_BYTES) outgoing.destroy(new Error(`more than ${MAX_ANSWER_BYTES} bytes`))
          else chunks.push(chunk)
        })
        incoming.on('end', () => {
          const headers: Record<string, string> = {}
          for (const [name, value] of Object.entries(incoming.headers))
            if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value
          resolve({ http: incoming.statusCode ?? 0, headers, body: parseJson(Buffer.concat(chunks).toString('utf8')) })
        })
      })
      outgoing.end(body)
    })
  return { call, close: () => agent.destroy() }
}

/** The body of an answer as its schema says; throws with an excerpt when the answer is an error or reads differently. */
export function readBody<Schema extends TSchema>(
  schema: Validator<Record<string, never>, Schema>,
  answer: Answer,
  what: string,
): Static<Schema> {
  const body: unknown = answer.body
  if (answer.http < 300 && schema.Check(body)) return body
  throw failure(answer, what)
}

/** What to throw when a shop refused something that a test needs. */
export function failure(answer: Answer, what: string): Error {
  const excerpt = JSON.stringify(answer.body)?.slice(0, 600)
  return new Error(`SHOP_REFUSED: ${what} was answered with ${answer.http}. Read what the shop says: ${excerpt}`)
}

/** Runs `act` over all items, at most `concurrency` at a time, and gives the results in the order of the items. */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  concurrency: number,
  act: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  const queue = items.entries()
  const lane = async (): Promise<void> => {
    for (const [index, item] of queue) results[index] = await act(item)
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, lane))
  return results
}

function parseJson(text: string): unknown {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    return text.slice(0, 2_000) // An error page: its beginning is what a failing test has to show.
  }
}
