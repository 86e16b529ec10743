/**
 * The access token of one shop. Shopware counts token requests (ten a minute in its Cloud) and, after ten wrong ones, shuts
 * out every client of our address; so there is one token per shop, shared by all processes, asked for once at a time, and never
 * again soon after a clear no.
 */
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { Failure } from '../../errors.ts'
import { failureOf, failureOfFault, SHOP_TIMEOUT_MS } from './answers.ts'
import type { HttpAnswer, HttpCall } from './http-call.ts'
import { decodeUtf8, parseJson } from './pick.ts'

/** A token with the moment (ms) after which it is not used any more. */
export type AccessToken = { readonly token: string; readonly expiresAt: number }

/** Where the token of a shop is kept for all processes; `key` names shop and integration. A secret: never logged. */
export interface TokenStore {
  load(key: string): Promise<AccessToken | undefined>
  save(key: string, token: AccessToken): Promise<void>
}

/** A token store for one process. */
export function memoryTokenStore(): TokenStore {
  const tokens = new Map<string, AccessToken>()
  return {
    load: (key) => Promise.resolve(tokens.get(key)),
    save: (key, token) => {
      tokens.set(key, token)
      return Promise.resolve()
    },
  }
}

/** Gives out the token of one shop. */
export interface TokenSource {
  /** The token in force; a new one if the one in force is `spent`, for the shop has just refused it. */
  current(spent?: string): Promise<string>
}

/** A token is given up this much before its end. */
const MARGIN_MS = 60_000
/** What Shopware gives without saying (6.6: 600 s), and the most we believe. */
const DEFAULT_LIFE_S = 600
const MAX_LIFE_S = 3_600
/**
 * How long we leave the token endpoint alone after it has refused our credentials: a little while at first, for an app that is being
 * activated, then twice as long each time. Up to the longest pause that makes six tries; ten wrong ones would shut us out.
 */
export const FIRST_REFUSED_PAUSE_MS = 10_000
export const LONGEST_REFUSED_PAUSE_MS = 10 * 60_000
const MAX_TOKEN_BYTES = 64 * 1024

const tokenAnswer = Compile(
  Type.Object({
    // A JWT: anything with spaces or line ends would end up inside a header.
    access_token: Type.String({ pattern: '^[!-~]{1,8192}$' }),
    expires_in: Type.Optional(Type.Unknown()),
  }),
)

/** The token source of one shop in this process. */
export function tokenSource(options: {
  readonly url: string
  readonly apiKey: string
  readonly secretKey: string
  readonly tokens: TokenStore
  readonly call: HttpCall
  /** The clock, in ms. */
  readonly now: () => number
}): TokenSource {
  const key = `${options.url} ${options.apiKey}`
  let known: AccessToken | undefined
  let underWay: Promise<string> | undefined
  let refused: { readonly until: number; readonly pauseMs: number; readonly failure: Failure } | undefined

  const usable = (token: AccessToken | undefined, spent: string | undefined): token is AccessToken =>
    token !== undefined && token.token !== spent && token.expiresAt > options.now()

  const renew = async (spent: string | undefined): Promise<string> => {
    // Another process may have been faster.
    const stored = await options.tokens.load(key)
    if (usable(stored, spent)) {
      known = stored
      return stored.token
    }
    if (refused !== undefined && refused.until > options.now()) throw refused.failure
    known = await ask()
    refused = undefined
    await options.tokens.save(key, known)
    return known.token
  }

  const ask = async (): Promise<AccessToken> => {
    let answer: HttpAnswer
    try {
      answer = await options.call({
        method: 'POST',
        url: `${options.url}/api/oauth/token`,
        headers: { accept: 'application/json', 'content-type': 'application/json' },
        body: JSON.stringify({
          grant_type: 'client_credentials',
          client_id: options.apiKey,
          client_secret: options.secretKey,
        }),
        timeoutMs: SHOP_TIMEOUT_MS,
        maxBytes: MAX_TOKEN_BYTES,
      })
    } catch (fault) {
      throw failureOfFault(options.url, fault)
    }
    if (answer.status !== 200) {
      // 400 invalid_client comes where the integration is gone.
      const failure =
        answer.status === 400 || answer.status === 401
          ? new Failure(
              'SHOP_KEY_REVOKED',
              // So it does too from our confirmation until the app is activated, a second or a day later.
              `${options.url} refused the credentials of our integration (${answer.status}): the app is not active there, or was installed anew elsewhere. Activate it, or install it again.`,
              { retry: 'never' },
            )
          : failureOf(options.url, answer)
      if (failure.code === 'SHOP_KEY_REVOKED') {
        const pauseMs = Math.min(LONGEST_REFUSED_PAUSE_MS, refused ? refused.pauseMs * 2 : FIRST_REFUSED_PAUSE_MS)
        refused = { until: options.now() + pauseMs, pauseMs, failure }
      }
      throw failure
    }
    const body = parseJson(decodeUtf8(answer.body) ?? '')
    if (!tokenAnswer.Check(body)) {
      throw new Failure('SHOP_ANSWER_UNREADABLE', `${options.url} answered the request for a token without one.`, {
        retry: 'later',
      })
    }
    const said = body.expires_in
    const life = typeof said === 'number' && said > 0 ? Math.min(said, MAX_LIFE_S) : DEFAULT_LIFE_S
    // A token that lives shorter than the margin is used for half its life.
    const usedFor = Math.max(life * 1_000 - MARGIN_MS, (life * 1_000) / 2)
    return { token: body.access_token, expiresAt: options.now() + usedFor }
  }

  return {
    current(spent) {
      if (usable(known, spent)) return Promise.resolve(known.token)
      underWay ??= renew(spent).finally(() => {
        underWay = undefined
      })
      return underWay
    },
  }
}
