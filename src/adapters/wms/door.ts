/** A source's door: proves a delivery, splits it into messages and reads each in its dialect. No message hinders another. */
import type { ReadMessage, Refused, SourceDoor } from '../../app/receive.ts'
import type { Instant, Sku } from '../../core/ids.ts'
import { authenticate, type Headers, isFresh, mayBeAuthentic } from './authenticate.ts'
import { type PartProblem, type ReadWords, readCanonical } from './canonical.ts'
import { FieldProblem, type Reading } from './fields.ts'
import { isFlat, readFlat } from './flat.ts'
import { cut, isObject, type Json, type ReadJson, readItems, readJson, textOf } from './json.ts'
import { isPulled, type ReadPulled, readPulled } from './pulled.ts'
import type { SourceConfig } from './source-config.ts'

/** Messages of one delivery at most; more come as several deliveries. */
export const MAX_MESSAGES = 10_000
/** The longest identity of a message, in characters. */
export const MAX_ID = 255
const NOT_AUTHENTIC: Refused = { httpCode: 401, code: 'NOT_AUTHENTIC', detail: 'The message is not authentic' }
const TOO_MANY: Refused = {
  httpCode: 400,
  code: 'TOO_MANY_MESSAGES',
  detail: `At most ${MAX_MESSAGES} messages in one delivery`,
}

/** Makes the door of a source. `onRefused` is told why, for our own log: the sender learns nothing but 401. */
export function doorOf(source: SourceConfig, onRefused: (reason: string) => void = () => undefined): SourceDoor {
  const refuse = (reason: string) => {
    onRefused(reason)
    return { refused: NOT_AUTHENTIC }
  }
  return {
    mayBeAuthentic(headers) {
      const may = mayBeAuthentic(source.auth, headers)
      if (!may) onRefused('the headers prove nothing')
      return may
    },
    prove({ headers, raw }) {
      const proved = authenticate(source.auth, headers, raw)
      if (proved !== true) return refuse(proved)
      return {
        read(receivedAt) {
          const fresh = isFresh(source.auth, headers, receivedAt)
          return fresh === true ? readDelivery(source, headers, raw, receivedAt) : refuse(fresh)
        },
      }
    },
    readMessage: (raw, receivedAt) => readPiece(source, { raw, ...readJson(raw) }, receivedAt),
  }
}

function readDelivery(
  source: SourceConfig,
  headers: Headers,
  raw: Buffer,
  receivedAt: Instant,
): { readonly refused: Refused } | { readonly messages: readonly ReadMessage[] } {
  const pieces = split(raw, headers['content-type'] ?? '')
  if (pieces === 'too-many') return { refused: TOO_MANY }
  const deliveryId = headers['webhook-id'] || undefined
  return {
    messages: pieces.map((piece, index) => {
      const id = idOf(source, piece, pieces.length === 1 ? deliveryId : deliveryId && `${deliveryId}#${index}`)
      const read = readPiece(source, piece, receivedAt)
      const tooLong = id !== undefined && id.length > MAX_ID
      return {
        index,
        raw: piece.raw,
        ...(id === undefined ? {} : { id: tooLong ? cut(id) : id }),
        // Cut to fit, two long identities could become one, and the second message would pass for a repetition.
        ...(tooLong
          ? { words: [], notes: [], problems: [problem('id', id, `is longer than ${MAX_ID} characters`)] }
          : read),
      }
    }),
  }
}

/** One piece of a delivery: its text as it was sent, and what could be read of it. */
type Piece = { readonly raw: string } & ReadJson

/** One message, an array, or NDJSON. An authentic body that is no JSON at all is one dead letter, not an error. */
function split(raw: Buffer, contentType: string): readonly Piece[] | 'too-many' {
  const text = textOf(raw)
  // Kept byte for byte, and in a form that no replay can take for a message: as another encoding it would name other goods.
  if (text === undefined)
    return [{ raw: `base64:${raw.toString('base64')}`, problem: 'It is not UTF-8, so it is kept in base64', at: 0 }]
  const declared = contentType.split(';')[0]?.trim().toLowerCase() === 'application/x-ndjson'
  const items = declared ? undefined : readItems(text, MAX_MESSAGES)
  if (items === 'too-many') return items
  if (items) return items.length > 0 ? items : [{ raw: text, problem: 'It holds no message', at: 0 }]
  const whole = declared ? undefined : readJson(text)
  if (whole && ('value' in whole || !beginsWithMessage(text))) return [{ raw: text, ...whole }]
  return splitLines(text)
}

/** Undeclared NDJSON shows itself: several lines, of which the first is a message by itself. */
function beginsWithMessage(text: string): boolean {
  const end = text.indexOf('\n')
  const first = end < 0 ? undefined : readJson(text.slice(0, end))
  return first !== undefined && 'value' in first && isObject(first.value)
}

function splitLines(text: string): readonly Piece[] | 'too-many' {
  const lines: Piece[] = []
  for (let from = 0; from < text.length; ) {
    const end = text.indexOf('\n', from)
    const line = text.slice(from, end < 0 ? text.length : end)
    from = end < 0 ? text.length : end + 1
    if (line.trim() === '') continue
    if (lines.length >= MAX_MESSAGES) return 'too-many'
    lines.push({ raw: line, ...readJson(line) })
  }
  return lines.length > 0 ? lines : [{ raw: text, problem: 'It holds no message', at: 0 }]
}

/**
 * The sender's identity of a message: its own `id` where it speaks our canonical form, else that of its delivery. A flat
 * message has no identity in its body: an `id` there is the product's, and the same figure twice may be news.
 */
function idOf(source: SourceConfig, piece: Piece, otherwise: string | undefined): string | undefined {
  if (!('value' in piece) || !isObject(piece.value) || speaksFlat(source, piece.value)) return otherwise
  const { id } = piece.value
  return typeof id === 'string' && id !== '' ? id : otherwise
}

const speaksFlat = (source: SourceConfig, value: Json): boolean =>
  source.dialect === 'flat' || (source.dialect === 'auto' && isFlat(value))

const problem = (field: string, value: string, reason: string): PartProblem => ({ field, value: cut(value), reason })

/** A pulled source may hold canonical messages as well: the parts of a pull that were dead letters. */
function readInDialect(source: SourceConfig, value: Json, reading: Reading): ReadWords | ReadPulled {
  if (source.auth.kind === 'pulled' && isPulled(value)) return readPulled(value, source, reading)
  return speaksFlat(source, value)
    ? { words: [readFlat(value, source, reading)], problems: [] }
    : readCanonical(value, source, reading)
}

function readPiece(
  source: SourceConfig,
  piece: Piece,
  receivedAt: Instant,
): Pick<ReadMessage, 'words' | 'notes' | 'problems' | 'sentAs' | 'answersOurPull'> {
  if ('problem' in piece) {
    const where = piece.at > 0 ? ` (at character ${piece.at})` : ''
    return { words: [], notes: [], problems: [problem('message', piece.raw, `${piece.problem}${where}`)] }
  }
  const reading = { receivedAt, notes: new Set<string>(), sentAs: new Map<Sku, string>() }
  try {
    const read = readInDialect(source, piece.value, reading)
    const { notes, sentAs } = reading
    if (read.words.length > 0 || read.problems.length > 0)
      return { notes: [...notes], ...(sentAs.size > 0 ? { sentAs } : {}), ...read }
    return { words: [], notes: [], problems: [problem('message', piece.raw, 'says nothing: its list is empty')] }
  } catch (cause) {
    if (!(cause instanceof FieldProblem)) throw cause
    return { words: [], notes: [], problems: [cause.problem] }
  }
}
