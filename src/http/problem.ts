/** Errors as problem documents (RFC 9457) with a stable code of ours. No stack trace, no echo of what was sent. */

/** Everything that a client may be told. The code is stable; the detail is for people. */
export class Problem extends Error {
  readonly httpCode: number
  readonly code: string
  /** Further members: the numbers that decided, the fields that are wrong. */
  readonly more: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>
  constructor(
    httpCode: number,
    code: string,
    detail: string,
    options: { more?: Readonly<Record<string, unknown>>; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(detail)
    this.httpCode = httpCode
    this.code = code
    this.more = options.more ?? {}
    this.headers = options.headers ?? {}
  }
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'Not authenticated',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Method not allowed',
  409: 'Conflict',
  413: 'Too large',
  415: 'Unsupported media type',
  422: 'Cannot be processed',
  500: 'Internal error',
  503: 'Not available now',
}

/** The document as it is sent, with content type `application/problem+json`. */
export const documentOf = (problem: Problem): Record<string, unknown> => ({
  type: 'about:blank',
  title: TITLES[problem.httpCode] ?? 'Error',
  status: problem.httpCode,
  code: problem.code,
  detail: problem.message,
  ...problem.more,
})
