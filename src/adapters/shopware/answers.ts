/** What a shop's answers mean when they are not what we asked for: each becomes one {@link Failure} with a code. */
import { Failure } from '../../errors.ts'
import { type HttpAnswer, HttpFault } from './http-call.ts'
import { decodeUtf8, fieldOf, itemsOf, parseJson, textOf } from './pick.ts'

/** How long one call to a shop may take, from our first byte to its last. */
export const SHOP_TIMEOUT_MS = 30_000
/** The largest answer taken from a shop: 500 orders of many lines have a few MB. */
export const MAX_ANSWER_BYTES = 32 * 1024 * 1024
/** The longest that we let a shop make us wait. */
export const MAX_RETRY_AFTER_MS = 60 * 60_000
/** How long we wait where a shop asks us to slow down without saying for how long. */
const DEFAULT_RETRY_AFTER_MS = 5_000
/** How much of an unreadable answer is quoted, in characters. */
const MAX_EXCERPT_CHARACTERS = 120

/** One entry of a shop's `errors`, reduced. */
export type ShopError = {
  readonly code: string
  /** Where in our request: `/w1/3/stock` (operation, row, field). */
  readonly pointer?: string
  readonly detail: string
  readonly parameters: unknown
}

/** The `errors` of an answer; empty where it has none. */
export function errorsOf(answer: HttpAnswer): readonly ShopError[] {
  const body = parseJson(decodeUtf8(answer.body) ?? '')
  return itemsOf(fieldOf(body, 'errors')).map((error) => {
    const pointer = textOf(fieldOf(fieldOf(error, 'source'), 'pointer'))
    const code = fieldOf(error, 'code')
    return {
      code: typeof code === 'number' ? String(code) : (textOf(code) ?? 'UNNAMED'),
      ...(pointer === undefined ? {} : { pointer }),
      detail: excerptOf(fieldOf(error, 'detail')),
      parameters: fieldOf(fieldOf(error, 'meta'), 'parameters'),
    }
  })
}

/** Whether the shop's database broke off because of a deadlock: Shopware 6.6 answers 400 with MySQL's code. */
export const isDeadlock = (answer: HttpAnswer): boolean => errorsOf(answer).some((error) => error.code === '1213')

/**
 * Whether the shop's database refused a value that the shop itself had let pass (out of range, too long, wrong characters, not
 * to be empty): a 500 that is a refusal, nothing was written, and the same request will fail again.
 */
export const isDataError = (answer: HttpAnswer): boolean =>
  answer.status === 500 && errorsOf(answer).some((error) => DATA_ERRORS.has(error.code))

/** MySQL and MariaDB: not null, out of range, truncated date, wrong characters, too long. */
const DATA_ERRORS: ReadonlySet<string> = new Set(['1048', '1264', '1292', '1366', '1406'])

/** The failure that an answer outside 2xx means. */
export function failureOf(url: string, answer: HttpAnswer): Failure {
  const { status } = answer
  const errors = errorsOf(answer)
  if (status === 429 || status === 503 || isDeadlock(answer)) {
    const retryAfterMs = retryAfterOf(answer, errors)
    const seconds = Math.ceil(retryAfterMs / 1_000)
    return new Failure('SHOP_BUSY', `${url} asks us to slow down (${status}); we try again in ${seconds} s.`, {
      retry: 'later',
      retryAfterMs,
    })
  }
  if (status === 401) {
    return new Failure('SHOP_KEY_REVOKED', `${url} refused a fresh token (401). Install the app again.`, {
      retry: 'never',
    })
  }
  if (status === 403) {
    const missing = missingRights(errors)
    return new Failure('SHOP_RIGHT_MISSING', `${url} refused us (403)${missing}. Update the app in the shop.`, {
      retry: 'never',
    })
  }
  if (status >= 300 && status < 400) {
    return new Failure(
      'SHOP_ANSWER_UNREADABLE',
      `${url} answered with a redirect (${status}), which is not followed. Configure the URL that it leads to.`,
      { retry: 'later' },
    )
  }
  if (status >= 500) {
    return new Failure('SHOP_FAILED', `${url} answered ${status}${told(errors, answer)}. The work stays queued.`, {
      retry: 'later',
    })
  }
  return new Failure('SHOP_REQUEST_REFUSED', `${url} refused a request (${status})${told(errors, answer)}.`, {
    retry: 'never',
  })
}

/** The failure that a call without an answer means. */
export function failureOfFault(url: string, fault: unknown): Failure {
  if (!(fault instanceof HttpFault)) throw fault
  switch (fault.kind) {
    case 'forbidden-address':
      return new Failure(
        'SHOP_ADDRESS_FORBIDDEN',
        `${url} leads to a private address, which this Holdfast may not call. Nothing was sent.`,
        { retry: 'later', cause: fault },
      )
    case 'too-large':
      return new Failure('SHOP_ANSWER_UNREADABLE', `${url}: ${fault.message}.`, { retry: 'later', cause: fault })
    case 'timeout':
    case 'broken':
    case 'unreachable':
      return new Failure('SHOP_UNREACHABLE', `${url}: ${fault.message}. The work stays queued.`, {
        retry: 'later',
        cause: fault,
      })
  }
}

/** Whether the shop may have acted on a request although the call failed so. */
export const maybeActed = (failure: Failure): boolean => failure.cause instanceof HttpFault && failure.cause.maybeActed

function retryAfterOf(answer: HttpAnswer, errors: readonly ShopError[]): number {
  const header = answer.headers['retry-after']
  const seconds = errors.map((error) => fieldOf(error.parameters, 'seconds')).find((value) => typeof value === 'number')
  const asked = typeof seconds === 'number' ? seconds * 1_000 : headerMs(header, answer.headers.date)
  return asked === undefined || Number.isNaN(asked)
    ? DEFAULT_RETRY_AFTER_MS
    : Math.min(Math.max(asked, 0), MAX_RETRY_AFTER_MS)
}

/** `Retry-After` as seconds or as a moment, which is measured against the shop's own `Date`. */
function headerMs(header: string | undefined, date: string | undefined): number | undefined {
  if (header === undefined) return undefined
  if (/^-?\d+$/.test(header)) return Number(header) * 1_000
  return Date.parse(header) - Date.parse(date ?? '')
}

function missingRights(errors: readonly ShopError[]): string {
  const names = errors.flatMap((error) => {
    const inner = fieldOf(parseJson(error.detail), 'missingPrivileges')
    return itemsOf(inner).flatMap((name) => textOf(name) ?? [])
  })
  return names.length === 0 ? '' : `: ${names.slice(0, 10).join(', ')} missing`
}

/** What an answer says, shortened; never the body of a page that may show a person. */
function told(errors: readonly ShopError[], answer: HttpAnswer): string {
  const first = errors[0]
  if (first !== undefined) return `: ${first.code} ${first.detail}`.trimEnd()
  return errors.length === 0 && answer.body.length > 0 ? ` with ${answer.body.length} bytes that are no JSON error` : ''
}

const excerptOf = (value: unknown): string =>
  typeof value === 'string' ? value.replace(/\s+/g, ' ').slice(0, MAX_EXCERPT_CHARACTERS) : ''
