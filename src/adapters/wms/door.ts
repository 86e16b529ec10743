/** A source's door: proves a delivery, splits it into messages and reads each in its dialect. No message hinders another. */
import type { ReadMessage, Refused, SourceDoor } from '../../app/receive.ts'

import { authenticate, type Headers } from './authenticate.ts'
import { readCanonical } from './canonical.ts'
import { FieldProblem } from './fields.ts'
import { isFlat, readFlat } from './flat.ts'
import { isObject, type Json, readJson, textOf } from './json.ts'
import type { SourceConfig } from './source-config.ts'

/** Messages of one delivery at most; more come as several deliveries. */
export const MAX_MESSAGES = 10_000
const NOT_AUTHENTIC: Refused = { httpCode: 401, code: 'NOT_AUTHENTIC', detail: 'The message is not authentic' }

/** Makes the door of a source. `onRefused` is told why, for our own log: the sender learns nothing but 401. */
export function doorOf(source: SourceConfig, onRefused: (reason: string) => void = () => undefined): SourceDoor {
  return {
    readDelivery({ headers, raw, receivedAt }) {
      const proved = authenticate(source.auth, headers, raw, receivedAt)
      if (proved !== true) {
        onRefused(proved)
        return { refused: NOT_AUTHENTIC }
      }
      const pieces = split(raw, headers['content-type'] ?? '')
      if ('code' in pieces) return { refused: pieces }
      const id = identityOf(source, headers)
      return { messages: pieces.map((piece, index) => readPiece(source, piece, index, pieces.length, id)) }
    },
    readMessage: (raw) => readText(source, raw),
  }
}

/** The sender's id of the delivery, where its signature covers it. */
const identityOf = (source: SourceConfig, headers: Headers): string | undefined =>
  source.auth.kind === 'standard-webhooks' ? headers['webhook-id'] : headers['webhook-id']?.slice(0, 255)

type Piece = { readonly raw: string; readonly value?: Json; readonly problem?: string }

/** One message, an array, or NDJSON. An authentic body that is no JSON at all is one dead letter, not an error (row 45). */
function split(raw: Buffer, contentType: string): readonly Piece[] | Refused {
  const text = textOf(raw)
  if (text === undefined) return [{ raw: raw.toString('latin1'), problem: 'It is not UTF-8' }]
  const type = contentType.split(';')[0]?.trim().toLowerCase()
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const whole = type === 'application/x-ndjson' ? undefined : readJson(text)
  if (whole && 'value' in whole && !Array.isArray(whole.value)) return [{ raw: text, value: whole.value }]
  const pieces =
    whole && 'value' in whole && Array.isArray(whole.value)
      ? whole.value.map((value: Json) => ({ raw: JSON.stringify(value, plainNumbers), value }))
      : isNdjson(type, lines)
        ? lines.map(pieceOf)
        : [
            {
              raw: text,
              problem: whole && 'problem' in whole ? `${whole.problem} (at character ${whole.at})` : 'It is empty',
            },
          ]
  if (pieces.length === 0) return [{ raw: text, problem: 'It holds no message' }]
  if (pieces.length > MAX_MESSAGES) {
    return { httpCode: 400, code: 'TOO_MANY_MESSAGES', detail: `At most ${MAX_MESSAGES} messages in one delivery` }
  }
  return pieces
}

/** Declared, or plainly so: several lines of which the first is an object by itself. */
const isNdjson = (type: string | undefined, lines: readonly string[]): boolean =>
  type === 'application/x-ndjson' || (lines.length > 1 && 'value' in readJson(lines[0] ?? ''))

function pieceOf(line: string): Piece {
  const read = readJson(line)
  return 'value' in read
    ? { raw: line, value: read.value }
    : { raw: line, problem: `${read.problem} (at character ${read.at})` }
}

/** Keeps an odd number as the text that it was: the dead letter shows what was sent. */
const plainNumbers = (_: string, value: unknown): unknown => (isOdd(value) ? value.text : value)

const isOdd = (value: unknown): value is { readonly text: string } =>
  typeof value === 'object' && value !== null && value.constructor?.name === 'OddNumber'

function readPiece(
  source: SourceConfig,
  piece: Piece,
  index: number,
  count: number,
  deliveryId: string | undefined,
): ReadMessage {
  const own =
    isObject(piece.value) && typeof piece.value.id === 'string' && piece.value.id !== ''
      ? piece.value.id.slice(0, 255)
      : undefined
  const id = own ?? (deliveryId === undefined ? undefined : count === 1 ? deliveryId : `${deliveryId}#${index}`)
  const read =
    piece.value === undefined
      ? unreadable(piece.problem ?? 'It cannot be read', piece.raw)
      : readValue(source, piece.value)
  return { index, raw: piece.raw, ...(id === undefined ? {} : { id }), ...read }
}

const unreadable = (reason: string, raw: string) => ({
  words: [],
  notes: [],
  problems: [{ field: 'message', value: raw.slice(0, 200), reason }],
})

function readText(source: SourceConfig, raw: string): Pick<ReadMessage, 'words' | 'notes' | 'problems'> {
  const read = readJson(raw)
  return 'value' in read ? readValue(source, read.value) : unreadable(read.problem, raw)
}

function readValue(source: SourceConfig, value: Json): Pick<ReadMessage, 'words' | 'notes' | 'problems'> {
  try {
    const flat = source.dialect === 'flat' || (source.dialect === 'auto' && isFlat(value))
    return flat ? { ...readFlat(value, source), problems: [] } : { notes: [], ...readCanonical(value, source) }
  } catch (cause) {
    if (!(cause instanceof FieldProblem)) throw cause
    return { words: [], notes: [], problems: [cause.problem] }
  }
}
