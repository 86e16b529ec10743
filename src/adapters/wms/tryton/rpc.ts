/**
 * One call of Tryton's JSON-RPC: what its answers and its errors mean. Tryton answers business errors with 200, everything before
 * them with an HTTP code and a page. Its texts follow the language of the user, so only its classes are looked at.
 */
import { Failure } from '../../../errors.ts'
import { type HttpAnswer, type HttpCall, HttpFault } from '../../shopware/http-call.ts'
import { fieldOf, parseJson } from '../../shopware/pick.ts'

/** Where a Tryton answers. */
export type TrytonPlace = {
  /** Without the database and without a slash at the end. */
  readonly url: string
  readonly database: string
}

/** One call, with the session's proof where it needs one. */
export type TrytonCall = (method: string, params: readonly unknown[], authorization?: string) => Promise<unknown>

/** A session that is over, or a password that is wrong: Tryton does not say which. */
export class NotLoggedIn extends Error {}

/** A chunk of 500 products took 0.3 s on a small machine; a Tryton that computes for so long is not well. */
const TIMEOUT_MS = 30_000
/** 300 order lines make 214 kB. */
const MAX_BYTES = 64 * 1024 * 1024
const MAX_EXCERPT = 120
/** How long Tryton goes on refusing after wrong passwords: its `session.timeout`. */
export const LOGIN_PAUSE_MS = 5 * 60_000

/**
 * Makes calls of one database.
 *
 * @throws NotLoggedIn for 401
 * @throws Failure WMS_… for everything else
 */
export function trytonCaller(http: HttpCall, { url, database }: TrytonPlace): TrytonCall {
  const endpoint = `${url}/${encodeURIComponent(database)}/`
  let id = 0
  return async (method, params, authorization) => {
    id += 1
    const answer = await http({
      method: 'POST',
      url: endpoint,
      headers: {
        'content-type': 'application/json',
        ...(authorization === undefined ? {} : { authorization }),
      },
      body: JSON.stringify({ id, method, params }),
      timeoutMs: TIMEOUT_MS,
      maxBytes: MAX_BYTES,
      // Everything that we call only reads, or logs in.
      repeatable: true,
    }).catch((cause: unknown) => {
      throw cause instanceof HttpFault ? unreachable(url, cause) : cause
    })
    return resultOf(answer, { url, database, method })
  }
}

type Place = TrytonPlace & { readonly method: string }

const unreachable = (url: string, fault: HttpFault): Failure =>
  new Failure(
    'WMS_UNREACHABLE',
    `Tryton at ${url} did not answer (${fault.message}). Check that it runs and that the url is right.`,
    { retry: 'later', cause: fault },
  )

function resultOf({ status, headers, body }: HttpAnswer, place: Place): unknown {
  const { url, database, method } = place
  if (status === 401) throw new NotLoggedIn()
  if (status === 403)
    throw new Failure('WMS_RIGHT_MISSING', `Tryton at ${url} does not let us call ${method} (403).`, { retry: 'never' })
  if (status === 429)
    throw new Failure(
      'WMS_BUSY',
      `Tryton at ${url} refuses logins for a while (429), for there were too many wrong ones.`,
      { retry: 'later', retryAfterMs: LOGIN_PAUSE_MS },
    )
  if (status === 404)
    throw new Failure('WMS_REQUEST_REFUSED', `Nothing answers at ${url} for database "${database}" (404).`, {
      retry: 'never',
    })
  if (status >= 500)
    throw new Failure('WMS_FAILED', `Tryton at ${url} failed on ${method} (${status}).`, { retry: 'later' })
  const parsed = parseJson(body.toString('utf8'))
  const error = fieldOf(parsed, 'error')
  if (error !== undefined) throw failureOf(error, place)
  if (status !== 200 || typeof parsed !== 'object' || parsed === null || !Object.hasOwn(parsed, 'result')) {
    const excerpt = body.toString('utf8').slice(0, MAX_EXCERPT).replaceAll(/\s+/g, ' ')
    throw new Failure(
      'WMS_ANSWER_UNREADABLE',
      `Tryton at ${url} answered ${method} with no JSON-RPC (${status}, ${headers['content-type'] ?? 'no type'}): ${excerpt}`,
      { retry: 'later' },
    )
  }
  return fieldOf(parsed, 'result')
}

/** `["UserError", ["text", …]]` is Tryton's own; anything else is the text of a crash. */
function failureOf(error: unknown, { url, database, method }: Place): Failure {
  const [first, second] = Array.isArray(error) ? error : [error]
  const kind = String(first)
  const said = Array.isArray(second) ? String(second[0] ?? '') : ''
  switch (kind) {
    case 'UserError':
    case 'UserWarning':
      return new Failure(
        'WMS_RIGHT_MISSING',
        `Tryton at ${url} refused ${method}: ${said.slice(0, MAX_EXCERPT).replaceAll(/\s+/g, ' ')}`,
        { retry: 'later' },
      )
    case 'ConcurrencyException':
      return new Failure('WMS_BUSY', `Tryton at ${url} was writing what ${method} reads.`, { retry: 'later' })
    default:
      if (LOCKED.test(kind))
        return new Failure('WMS_BUSY', `Tryton at ${url} was writing what ${method} reads.`, { retry: 'later' })
      // Its text may hold paths of the server.
      return new Failure(
        'WMS_REQUEST_REFUSED',
        `Tryton at ${url} does not understand ${method} in database "${database}": the database, a module or a field is missing.`,
        { retry: 'later', cause: new Error(kind.slice(0, MAX_EXCERPT)) },
      )
  }
}

/** The two texts of PostgreSQL that come through, in whatever language the user has. */
const LOCKED = /could not (obtain lock|serialize access)/
