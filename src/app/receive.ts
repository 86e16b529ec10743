/**
 * The warehouse's word comes in: proved, split, validated, and on disk before it is acknowledged. Then the words are handed to
 * the lane, each exactly once. What cannot be used is a dead letter, whole, with the reason; it never hinders its neighbours.
 */
import type { WordCommand } from '../core/decide.ts'
import { type Instant, type Sku, type SourceId, skuOf } from '../core/ids.ts'
import type { OpenOrdersWord, Word } from '../core/word.ts'
import { Failure } from '../errors.ts'
import { type Lane, LaneBusy } from './lane.ts'

/** Why a piece of a delivery cannot be used. */
export type Problem = { readonly field: string; readonly value: string; readonly reason: string }

/** One message of a delivery, as the source's dialect reads it. */
export type ReadMessage = {
  readonly index: number
  /** The sender's identity of the message; absent when it gave none. */
  readonly id?: string
  readonly raw: string
  readonly words: readonly Word[]
  readonly notes: readonly string[]
  readonly problems: readonly Problem[]
}

/** A delivery that is not authentic, or that cannot be split into messages. Nothing of it is kept. */
export type Refused = { readonly httpCode: 400 | 401; readonly code: string; readonly detail: string }

/** Reads one source's deliveries; see `adapters/wms`. */
export interface SourceDoor {
  readDelivery(delivery: {
    headers: Readonly<Record<string, string | undefined>>
    raw: Buffer
    receivedAt: Instant
  }): { readonly refused: Refused } | { readonly messages: readonly ReadMessage[] }
  /** Reads a message that was authentic when it came, from its raw text. */
  readMessage(raw: string): Pick<ReadMessage, 'words' | 'notes' | 'problems'>
}

/** Where messages are kept; see `adapters/postgres/inbox-store.ts`. */
export interface Inbox {
  file(
    source: SourceId,
    messages: readonly {
      readonly messageId: string
      readonly raw: string
      readonly words: number
      readonly notes: readonly string[]
    }[],
    deadLetters: readonly ({ readonly messageId: string; readonly raw: string } & Problem)[],
  ): Promise<{
    readonly filed: readonly { readonly messageId: string; readonly outcome: 'new' | 'repeated' | 'conflict' }[]
    readonly deadLetterIds: readonly number[]
  }>
  claim(limit: number): Promise<readonly ClaimedMessage[]>
  close(id: number, state: 'done' | 'dead', verdict: string): Promise<unknown>
  /** Makes a message that cannot be applied a dead letter. */
  giveUp(id: number, reason: string): Promise<unknown>
  /** Gives up on words whose order never came. */
  bury(): Promise<number>
  now(): Promise<Instant>
}

export type ClaimedMessage = {
  readonly id: number
  readonly source: string
  readonly messageId: string
  readonly receivedAt: Instant
  readonly raw: string
  readonly applied: readonly number[]
  readonly attempts: number
}

/** The answer to a delivery: what was taken, what was known before, and each dead letter by index, reason and id. */
export type Receipt = {
  readonly accepted: number
  readonly repeated: number
  readonly deadLetters: readonly {
    readonly index: number
    readonly id: number
    readonly field: string
    readonly reason: string
  }[]
  readonly notes: readonly string[]
}

export type ReceivePorts = {
  readonly inbox: Inbox
  readonly lane: Lane
  readonly doors: (source: SourceId) => SourceDoor | undefined
  /** Makes an identity for a message that brought none. Never its body: the same body may be news (H5). */
  readonly newId: () => string
  readonly onTrouble: (cause: unknown, messageId: string) => void
  /** Told when new messages lie in the inbox. */
  readonly wake: () => void
}

/** Messages taken from the inbox at once, and words of one message handed to the lane at once. */
const CLAIM_AT_ONCE = 200
const WORDS_AT_ONCE = 200
/** A message of more words than this is bulk: it waits for checkout. */
const BULK_FROM_WORDS = 20
/** A message that makes a decision fail is tried again this often, then it is a dead letter. */
const MAX_ATTEMPTS = 8

/**
 * Files one delivery. When this returns a receipt, everything in it is on disk.
 *
 * @throws Failure DATABASE_UNREACHABLE: nothing was taken, the sender tries again
 */
export async function receiveDelivery(
  ports: ReceivePorts,
  source: SourceId,
  delivery: { readonly headers: Readonly<Record<string, string | undefined>>; readonly raw: Buffer },
): Promise<{ readonly refused: Refused } | { readonly receipt: Receipt }> {
  const door = ports.doors(source)
  if (!door) return { refused: { httpCode: 401, code: 'NOT_AUTHENTIC', detail: 'The message is not authentic' } }
  const read = door.readDelivery({ ...delivery, receivedAt: await ports.inbox.now() })
  if ('refused' in read) return read
  const named = read.messages.map((message) => ({ ...message, messageId: message.id ?? ports.newId() }))
  const good = named.filter(({ words }) => words.length > 0)
  const letters = named.flatMap(({ index, messageId, raw, problems }) =>
    problems.map((problem) => ({ index, messageId, raw, ...problem })),
  )
  const { filed, deadLetterIds } = await ports.inbox.file(
    source,
    good.map(({ messageId, raw, words, notes }) => ({ messageId, raw, words: words.length, notes })),
    letters,
  )
  if (filed.some(({ outcome }) => outcome === 'new')) ports.wake()
  const conflicts = filed.filter(({ outcome }) => outcome === 'conflict')
  return {
    receipt: {
      accepted: filed.filter(({ outcome }) => outcome === 'new').length,
      repeated: filed.filter(({ outcome }) => outcome === 'repeated').length,
      deadLetters: [
        ...letters.map(({ index, field, reason }, nth) => ({ index, id: deadLetterIds[nth] ?? 0, field, reason })),
        ...conflicts.map(({ messageId }, nth) => ({
          index: good.find((message) => message.messageId === messageId)?.index ?? 0,
          id: deadLetterIds[letters.length + nth] ?? 0,
          field: 'id',
          reason: 'A message with this id was received before, with other content',
        })),
      ],
      notes: [...new Set(named.flatMap(({ notes }) => notes))],
    },
  }
}

/**
 * Hands what lies in the inbox to the lane. Harmless to repeat and to run in several processes: the lane ticks each word off in
 * the transaction that applies it.
 *
 * @returns how many messages were taken; 0 when the inbox is empty
 */
export async function applyPending(ports: ReceivePorts): Promise<number> {
  const messages = await ports.inbox.claim(CLAIM_AT_ONCE)
  await Promise.all(messages.map((message) => applyMessage(ports, message)))
  return messages.length
}

async function applyMessage(ports: ReceivePorts, message: ClaimedMessage): Promise<void> {
  const source = message.source as SourceId
  const door = ports.doors(source)
  const words = door?.readMessage(message.raw).words ?? []
  const pieces = words.map((word, index) => ({ word, index })).filter(({ index }) => !message.applied.includes(index))
  if (pieces.length === 0) {
    await ports.inbox.close(message.id, door ? 'done' : 'dead', door ? 'applied' : 'unknown-source')
    return
  }
  if (message.attempts > MAX_ATTEMPTS) {
    await ports.inbox.giveUp(message.id, `It failed ${MAX_ATTEMPTS} times; see the incidents`)
    return
  }
  const urgency = words.length > BULK_FROM_WORDS ? 'bulk' : 'ordinary'
  const origin = { actor: `source:${source}`, cause: `message:${message.messageId}` }
  const submit = async ({ word, index }: Piece): Promise<void> => {
    const commands = commandsOf(word, words, source, message)
    try {
      for (const [nth, command] of commands.entries()) {
        // A list of open orders is one word but a command for each SKU it speaks of: the last one ticks it off.
        const receipt = nth === commands.length - 1 ? { receipt: { inboxId: message.id, word: index } } : {}
        await ports.lane.submit(command, { ...origin, ...receipt }, urgency)
      }
    } catch (cause) {
      // The claim runs out and the word comes again, a bounded number of times.
      if (!(cause instanceof LaneBusy) && !(cause instanceof Failure)) ports.onTrouble(cause, message.messageId)
    }
  }
  // A list of open orders speaks of the figures beside it, so these come into force first.
  await inSlices(
    pieces.filter(({ word }) => word.kind !== 'open-orders'),
    submit,
  )
  await inSlices(
    pieces.filter(({ word }) => word.kind === 'open-orders'),
    submit,
  )
}

type Piece = { readonly word: Word; readonly index: number }

async function inSlices(pieces: readonly Piece[], submit: (piece: Piece) => Promise<void>): Promise<void> {
  for (let from = 0; from < pieces.length; from += WORDS_AT_ONCE) {
    await Promise.all(pieces.slice(from, from + WORDS_AT_ONCE).map(submit))
  }
}

/** The commands of one word. A list of open orders goes to every SKU that it names or that its message has a figure for. */
function commandsOf(
  word: Word,
  all: readonly Word[],
  source: SourceId,
  message: ClaimedMessage,
): readonly WordCommand[] {
  const base = {
    kind: 'word' as const,
    source,
    messageId: message.messageId,
    receivedAt: message.receivedAt,
    answersOurPull: false,
  }
  if (word.kind !== 'open-orders') return [{ ...base, sku: word.sku, word }]
  return skusOfList(word, all).map((sku) => ({ ...base, sku, word: forSku(word, sku) }))
}

function skusOfList(word: OpenOrdersWord, all: readonly Word[]): readonly Sku[] {
  const figures = all.flatMap((each) => (each.kind === 'figure' && each.warehouse === word.warehouse ? [each.sku] : []))
  return [...new Set([...(word.skus ?? []), ...figures, ...word.orders.map(({ sku }) => sku)])]
}

/** Only the rows of one SKU: the command goes into its ledger stream. */
const forSku = (word: OpenOrdersWord, sku: Sku): OpenOrdersWord => ({
  ...word,
  skus: [skuOf(sku)],
  orders: word.orders.filter((order) => order.sku === sku),
})
