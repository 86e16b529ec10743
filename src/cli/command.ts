/** What every command is made of, and how it meets the running service. */
import { readFileSync } from 'node:fs'

/** Exit codes, the same for every command. */
export const EXIT = { ok: 0, failed: 1, usage: 2, refused: 3, unreachable: 4 } as const

export type Command = {
  readonly name: string
  readonly summary: string
  /** The whole help text below the summary. */
  readonly usage: string
  readonly run: (args: readonly string[], shell: Shell) => Promise<number>
}

/** What a command may touch of the outside. */
export type Shell = {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  readonly version: string
  readonly client: Client
}

/** A request to the running service. */
export type Client = {
  request(
    method: string,
    path: string,
    options?: { body?: unknown; raw?: string | Uint8Array; headers?: Record<string, string> },
  ): Promise<Answer>
}
export type Answer = { readonly httpCode: number; readonly body: unknown }

/** A wrong call of a command: told with its usage, exit code 2. */
export class UsageProblem extends Error {}
/** The service said no: told with its own words, exit code 3. */
export class Refused extends Error {
  readonly body: unknown
  constructor(body: unknown) {
    super(detailOf(body))
    this.body = body
  }
}
/** Nobody answers: exit code 4. */
export class Unreachable extends Error {}

const REQUEST_WITHIN_MS = 60_000

/** A client that finds the service by the environment; the token is read when first needed. */
export function clientOf(config: { url: string; token: string | undefined; tokenFile: string }): Client {
  const token = (): string | undefined => {
    if (config.token) return config.token
    try {
      return readFileSync(config.tokenFile, 'utf8').trim()
    } catch {
      return undefined
    }
  }
  return {
    async request(method, path, { body, raw, headers = {} } = {}) {
      const bearer = token()
      const answer = await fetch(`${config.url}${path}`, {
        method,
        headers: {
          ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? (raw === undefined ? {} : { body: raw }) : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(REQUEST_WITHIN_MS),
      }).catch((cause: unknown) => {
        throw new Unreachable(`No Holdfast answers at ${config.url}. Start it with "npm start", or set HOLDFAST_URL.`, {
          cause,
        })
      })
      const text = await answer.text()
      const parsed: unknown = text === '' ? undefined : jsonOrText(text)
      if (answer.status >= 400) throw new Refused(parsed)
      return { httpCode: answer.status, body: parsed }
    },
  }
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function detailOf(body: unknown): string {
  if (typeof body !== 'object' || body === null || !('code' in body)) return String(body)
  const { code, detail, problems } = body as {
    code: string
    detail?: string
    problems?: { path?: string; field?: string; line?: number; problem: string }[]
  }
  const more = (problems ?? []).map(
    (each) =>
      `\n  ${each.line === undefined ? '' : `line ${each.line}: `}${each.path ?? each.field ?? ''} ${each.problem}`,
  )
  return `${code}: ${detail ?? ''}${more.join('')}`
}

/** Makes what a wrong argument throws a {@link UsageProblem}: `parseArgs` says what it does not know. */
export function read<T>(parse: () => T): T {
  try {
    return parse()
  } catch (cause) {
    throw new UsageProblem(cause instanceof Error ? (cause.message.split('. ')[0] ?? '') : String(cause))
  }
}

/** Rows as aligned columns; numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [head, ...rows.map((row) => row.map(String))]
  const widths = head.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)))
  const isNumber = head.map((_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number'))
  return cells
    .map((row) =>
      row
        .map((cell, column) =>
          isNumber[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

export const asJson = (value: unknown): string => JSON.stringify(value, null, 2)
