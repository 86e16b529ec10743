/** The Admin API of one shop: authorised, bounded calls with typed answers. */
import type { Static, TSchema } from 'typebox'
import type { Validator } from 'typebox/compile'
import { Failure } from '../../errors.ts'
import { type TokenStore, tokenSource } from './access-token.ts'
import { failureOf, failureOfFault, isDataError, MAX_ANSWER_BYTES, SHOP_TIMEOUT_MS } from './answers.ts'
import type { HttpAnswer, HttpCall, HttpRequest } from './http-call.ts'
import { decodeUtf8, parseJson } from './pick.ts'

/** One call; `path` begins with `/api/`. */
export type ApiRequest = {
  readonly method: HttpRequest['method']
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** Whether making it twice does no harm: reading, and writing absolute values. Never a change of state: two cancellations are two. */
  readonly repeatable?: boolean
}

/** Calls to one shop. Every method throws a {@link Failure} where the shop does not play along. */
export interface AdminApi {
  /** One answer that took or refused the request (2xx, 400, 404, a refused value); the token is renewed once where it was refused. */
  send(request: ApiRequest): Promise<HttpAnswer>
  /** One answer with status 2xx, read by a schema. Repeatable: it only reads. */
  read<Schema extends TSchema>(
    request: ApiRequest,
    schema: Validator<Record<string, never>, Schema>,
  ): Promise<Static<Schema>>
}

/** What it takes to call a shop. */
export type AdminApiOptions = {
  /** The shop's normalised URL. */
  readonly url: string
  readonly apiKey: string
  readonly secretKey: string
  readonly tokens: TokenStore
  readonly call: HttpCall
  /** The clock, in ms. */
  readonly now?: () => number
}

/** The Admin API of one shop. */
export function adminApi(options: AdminApiOptions): AdminApi {
  const source = tokenSource({ ...options, now: options.now ?? Date.now })

  const once = async (request: ApiRequest, token: string): Promise<HttpAnswer> => {
    try {
      return await options.call({
        method: request.method,
        url: `${options.url}${request.path}`,
        headers: {
          accept: 'application/json',
          authorization: `Bearer ${token}`,
          ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...request.headers,
        },
        ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
        repeatable: request.repeatable ?? false,
        timeoutMs: SHOP_TIMEOUT_MS,
        maxBytes: MAX_ANSWER_BYTES,
      })
    } catch (fault) {
      throw failureOfFault(options.url, fault)
    }
  }

  const send = async (request: ApiRequest): Promise<HttpAnswer> => {
    const token = await source.current()
    let answer = await once(request, token)
    // Once only: a shop that refuses a fresh token as well has revoked our key, and asking on would shut out others.
    if (answer.status === 401) answer = await once(request, await source.current(token))
    const { status } = answer
    if ((status >= 200 && status < 300) || status === 400 || status === 404 || isDataError(answer)) return answer
    throw failureOf(options.url, answer)
  }

  return {
    send,
    async read(request, schema) {
      const answer = await send({ ...request, repeatable: true })
      if (answer.status >= 300) throw failureOf(options.url, answer)
      const body = parseJson(decodeUtf8(answer.body) ?? '')
      if (schema.Check(body)) return body
      const first = schema.Errors(body)[0]
      const where = body === undefined ? 'is no JSON' : `at ${first?.instancePath || '/'} ${first?.message ?? ''}`
      const pathOnly = request.path.split('?')[0]
      throw new Failure(
        'SHOP_ANSWER_UNREADABLE',
        `${options.url} answered ${pathOnly} with something else than its API promises: ${where.trim()}.`,
        { retry: 'later' },
      )
    },
  }
}
