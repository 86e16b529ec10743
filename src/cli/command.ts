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
  /** The answer as it comes, in pieces: for what may be larger than memory. */
  open(method: string, path: string, accept: string): Promise<AsyncIterable<Uint8Array>>
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
  const unreachable = (cause: unknown): never => {
    throw new Unreachable(`No Holdfast answers at ${config.url}. Start it with "npm start", or set HOLDFAST_URL.`, {
      cause,
    })
  }
  const send = async (path: string, init: RequestInit): Promise<Response> => {
    const bearer = token()
    const headers = { ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }), ...init.headers }
    return await fetch(`${config.url}${path}`, { ...init, headers }).catch(unreachable)
  }
  const read = async (answer: Response): Promise<unknown> => {
    const text = await answer.text().catch(unreachable)
    const type = answer.headers.get('content-type') ?? ''
    // A login page or another program on the port must not be taken for an answer.
    if (text !== '' && !/^application\/([a-z]+\+)?json\b/.test(type)) {
      throw new Unreachable(`Something answers at ${config.url}, but it is no Holdfast. Set HOLDFAST_URL.`)
    }
    const parsed: unknown = text === '' ? undefined : JSON.parse(text)
    if (answer.status >= 400) throw new Refused(parsed)
    return parsed
  }
  return {
    async request(method, path, { body, raw, headers = {} } = {}) {
      const answer = await send(path, {
        method,
        headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        ...(body === undefined ? (raw === undefined ? {} : { body: raw }) : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(REQUEST_WITHIN_MS),
      })
      return { body: await read(answer), httpCode: answer.status }
    },
    async open(method, path, accept) {
      const answer = await send(path, { method, headers: { accept } })
      if (answer.status >= 400 || !answer.headers.get('content-type')?.startsWith(accept)) {
        await read(answer)
        throw new Unreachable(`Something answers at ${config.url}, but not as Holdfast does. Set HOLDFAST_URL.`)
      }
      return piecesOf(answer, unreachable)
    },
  }
}

async function* piecesOf(answer: Response, broken: (cause: unknown) => never): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of answer.body ?? []) yield piece
  } catch (cause) {
    // A connection that breaks in the middle must not be taken for the end.
    broken(cause)
  }
}

function detailOf(body: unknown): string {
  if (typeof body !== 'object' || body === null || !('code' in body)) return 'The service said no.'
  const { code, detail, problems } = body as {
    code: string
    detail?: string
    problems?: { path?: string; field?: string; line?: number; problem: string }[]
  }
  const more = (problems ?? []).map(
    (each) =>
      `\n  ${each.line === undefined ? '' : `line ${each.line}: `}${each.path ?? each.field ?? ''} ${each.problem}`,
  )
  return plain(`${code}: ${detail ?? ''}${more.join('')}`)
}

/** Makes what a wrong argument throws a {@link UsageProblem}: `parseArgs` says what it does not know. */
export function read<T>(parse: () => T): T {
  try {
    return parse()
  } catch (cause) {
    throw new UsageProblem(plain(cause instanceof Error ? (cause.message.split('. ')[0] ?? '') : String(cause)))
  }
}

/**
 * Text from outside as a terminal may show it: control and direction characters, with which a message could clear the screen or
 * write backwards, are written as escapes. Line feeds of our own stay.
 */
export const plain = (text: string): string => text.replace(/[^\P{C}\n]/gu, escaped)

/** Unit by unit, as JSON writes it: a character beyond the first 65,536 is two of them. */
const escaped = (character: string): string =>
  character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('')

const inCell = (value: string | number): string => plain(String(value).replaceAll('\n', '\\n'))

/** Rows as aligned columns; numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [head, ...rows.map((row) => row.map(inCell))]
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

/** JSON for programs; what a terminal would obey is escaped, as JSON allows. */
export const asJson = (value: unknown): string => plain(JSON.stringify(value, null, 2) ?? 'null')

/** A whole number from a line of arguments, judged on its text. */
export function wholeNumber(text: string, name: string): number {
  if (!/^[0-9]{1,15}$/.test(text)) throw new UsageProblem(`${name} must be a whole number, not "${plain(text)}"`)
  return Number(text)
}

/** A file's bytes, or a usage problem that names what is wrong with it; `-` is the standard input. */
export function readBytes(file: string): Buffer {
  try {
    return readFileSync(file === '-' ? 0 : file)
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
    throw new UsageProblem(`${plain(file)}: ${WHY_NO_FILE[code] ?? 'it cannot be read'}`)
  }
}

const WHY_NO_FILE: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'it may not be read',
}
