/** Errors as problem documents (RFC 9457) with a stable code of ours. No stack trace, no echo of what was sent. */
import { type CheckoutMessage, checkoutText, type Language } from '../messages.ts'

/** Every code that a client can meet, with its HTTP code and its meaning: `openapi.json` describes the doors with these. */
export const PROBLEMS = {
  BODY_UNREADABLE: [400, 'The body is no JSON that can be taken, or the address is malformed.'],
  REQUEST_MALFORMED: [400, 'The request breaks the rules of HTTP.'],
  TOO_MANY_MESSAGES: [400, 'The delivery holds more messages than one delivery may.'],
  NOT_AUTHENTIC: [401, 'The signature or token does not prove who sent this.'],
  TOKEN_MISSING: [401, 'There is no valid token.'],
  SCOPE_TOO_NARROW: [403, 'The token may not do this.'],
  NOT_FOUND: [404, 'There is no such door.'],
  SHOP_UNKNOWN: [404, 'No such shop is configured.'],
  WAREHOUSE_UNKNOWN: [404, 'No such warehouse is configured.'],
  SKU_UNKNOWN: [404, 'Nobody has said a word about this SKU.'],
  NOT_KNOWN_THEN: [404, 'Nobody had said a word about this SKU at that moment; `knownSince` says when somebody did.'],
  MONTH_UNKNOWN: [404, 'The ledger holds no such month.'],
  RESERVATION_UNKNOWN: [404, 'No live hold has this key.'],
  DEAD_LETTER_UNKNOWN: [404, 'No dead letter has this id.'],
  INCIDENT_UNKNOWN: [404, 'No incident has this id.'],
  METHOD_NOT_ALLOWED: [405, 'The door does not answer this method; the header Allow names those that it does.'],
  REQUEST_TIMEOUT: [408, 'The request did not arrive in time.'],
  NOT_ENOUGH: [409, 'What is sellable does not cover the basket; `lines` holds the numbers that decided.'],
  PREVIOUS_ATTEMPT_OPEN: [409, 'Only an open attempt of the same buyer holds the units; `secondsLeft` says how long.'],
  ORDER_BEING_PLACED: [409, 'An order with these lines is being placed.'],
  ALREADY_PLACED: [409, 'The hold has become another order.'],
  DEMO_IS_PLAYING: [
    409,
    'This is the demo, which the next start drops. Configure a service that `holdfast serve` started.',
  ],
  INCIDENT_CLOSED: [409, 'The incident is closed already.'],
  DEAD_LETTER_DECIDED: [409, 'Somebody dealt with this dead letter before.'],
  MONTH_NOT_READY: [409, 'The month cannot be archived yet, or no more; the detail says why.'],
  ARCHIVE_DIFFERS: [409, 'The file that was exported is not what the ledger holds; nothing was removed.'],
  MOMENT_ARCHIVED: [410, 'That moment lies in months that were archived; `knownSince` says what is still here.'],
  BODY_TOO_LARGE: [413, 'The body is larger than this door takes.'],
  MEDIA_TYPE_UNSUPPORTED: [415, 'The content type is not taken here.'],
  ENCODING_UNSUPPORTED: [415, 'Bodies are taken as they are, without Content-Encoding.'],
  REQUEST_WRONG: [422, 'A value is wrong; `problems` names each by its field with what would be right.'],
  SKU_UNUSABLE: [422, 'The text can be no SKU.'],
  UNITS_UNUSABLE: [422, 'The lines of one SKU add up to more units than there can be.'],
  UNTIL_UNUSABLE: [422, 'The end of the hold lies in the past, too far ahead, or does not exist.'],
  MOMENT_AHEAD: [422, 'The moment lies in the future.'],
  TOO_MANY_SKUS: [422, 'More SKUs were asked for than one question may.'],
  CONFIGURATION_WRONG: [422, 'The configuration is wrong; `problems` names each by its path with what would be right.'],
  IDEMPOTENCY_KEY_UNUSABLE: [422, 'Idempotency-Key must be one text of 1 to 200 characters.'],
  KEY_REUSED: [422, 'The Idempotency-Key came with other content before.'],
  TOO_MANY_DELIVERIES: [429, 'Too many deliveries of this source are under way; Retry-After says when to come back.'],
  HEADERS_TOO_LARGE: [431, 'The headers are too many or too long.'],
  BUG: [500, 'Something broke on our side. It has been recorded; nothing was changed.'],
  LANE_BUSY: [503, 'Too many decisions wait; Retry-After says when to come back.'],
  TABLES_NEWER: [503, 'This process is older than its tables and is about to end; a newer one answers.'],
  DATABASE_UNREACHABLE: [503, 'The database does not answer; nothing was taken.'],
  BUSY: [503, 'Too much is arriving at once; Retry-After says when to come back.'],
} as const satisfies Record<string, readonly [number, string]>

export type ProblemCode = keyof typeof PROBLEMS

type ProblemOptions = {
  readonly more?: Readonly<Record<string, unknown>>
  readonly headers?: Readonly<Record<string, string>>
  /** What a person should read, from the catalogue of messages. */
  readonly say?: CheckoutMessage
}

/** Everything that a client may be told. The code is stable; the detail is for people. */
export class Problem extends Error {
  readonly httpCode: number
  readonly code: ProblemCode
  /** Further members: the numbers that decided, the fields that are wrong. */
  readonly more: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>
  readonly say: CheckoutMessage | undefined
  constructor(code: ProblemCode, detail: string = PROBLEMS[code][1], options: ProblemOptions = {}) {
    super(detail)
    this.httpCode = PROBLEMS[code][0]
    this.code = code
    this.more = options.more ?? {}
    this.headers = options.headers ?? {}
    this.say = options.say
  }
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'Not authenticated',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Method not allowed',
  408: 'Too slow',
  409: 'Conflict',
  410: 'Gone',
  413: 'Too large',
  415: 'Unsupported media type',
  422: 'Cannot be processed',
  429: 'Too many',
  431: 'Headers too large',
  500: 'Internal error',
  503: 'Not available now',
}

/**
 * The document as it is sent, with content type `application/problem+json`. `messageKey` and `message` are there for whoever shows
 * the refusal to a person: the key is stable, the text is in the caller's language.
 */
export const documentOf = (problem: Problem, language: Language): Record<string, unknown> => ({
  type: 'about:blank',
  title: TITLES[problem.httpCode] ?? 'Error',
  status: problem.httpCode,
  code: problem.code,
  detail: problem.message,
  ...(problem.say === undefined
    ? {}
    : { messageKey: problem.say.key, message: checkoutText(language, problem.say), language }),
  ...problem.more,
})
