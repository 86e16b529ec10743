/**
 * The warehouse's word comes in: proved, split, validated, and on disk before it is acknowledged. Then the words are handed to
 * the lane, each exactly once. What cannot be used is a dead letter, whole, with the reason; it never hinders its neighbours.
 */
import type { WordCommand } from '../core/decide.ts'
import { type Instant, instantOf, type Sku, type SourceId, skuOf, sourceOf } from '../core/ids.ts'
import type { OpenOrdersWord, Word } from '../core/word.ts'
import { Failure } from '../errors.ts'
import { type Lane, LaneBusy, type Origin } from './lane.ts'

/** Why a piece of a delivery cannot be used. */
export type Problem = {
  readonly field: string
  readonly value: string
  readonly reason: string
  /** Where only a part of the message is unusable: that part as a message of its own, and where it stood. */
  readonly raw?: string
  readonly part?: string
}

/** One message of a delivery, as the source's dialect reads it. */
export type ReadMessage = {
  readonly index: number
  /** The sender's identity of the message; absent when it gave none. */
  readonly id?: string
  readonly raw: string
  readonly words: readonly Word[]
  readonly notes: readonly string[]
  readonly problems: readonly Problem[]
  /** SKUs that the sender spells otherwise than their canonical form, as sent. */
  readonly sentAs?: ReadonlyMap<Sku, string>
  /** The message was asked for, so it is no old one on a slow way; `false` if absent. */
  readonly answersOurPull?: boolean
}

/** A delivery that is not authentic, or that cannot be split into messages. Nothing of it is kept. */
export type Refused = { readonly httpCode: 400 | 401; readonly code: string; readonly detail: string }

type Headers = Readonly<Record<string, string | undefined>>

/** Reads one source's deliveries; see `adapters/wms`. */
export interface SourceDoor {
  /** Whether the headers alone leave it possible: what they rule out is refused before its body is read. */
  mayBeAuthentic(headers: Headers): boolean
  /** Proves who sent a delivery. Costs no more than a hash over it: nothing unproved reaches the database. */
  prove(delivery: { headers: Headers; raw: Buffer }): { readonly refused: Refused } | ProvedDelivery
  /** Reads a message that was authentic when it came, from its raw text. */
  readMessage(
    raw: string,
    receivedAt: Instant,
  ): Pick<ReadMessage, 'words' | 'notes' | 'problems' | 'sentAs' | 'answersOurPull'>
}

/** A delivery of whom it says. It may still be an old recording: that is judged on the database's clock. */
export type ProvedDelivery = {
  read(receivedAt: Instant): { readonly refused: Refused } | { readonly messages: readonly ReadMessage[] }
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
  /** Takes the oldest messages of a size that nobody works on. The claim runs out unless it is renewed. */
  claim(limit: number, size: Size): Promise<readonly ClaimedMessage[]>
  renew(ids: readonly number[]): Promise<unknown>
  /** Gives a claim back without counting the attempt: the lane was busy, the message did nothing wrong. */
  postpone(id: number): Promise<unknown>
  close(id: number, state: 'done' | 'dead', verdict: string): Promise<unknown>
  /** Makes a message that cannot be applied a dead letter. */
  giveUp(id: number, reason: string): Promise<unknown>
  /** Gives up on words whose order never came. */
  bury(): Promise<number>
  now(): Promise<Instant>
}

/** Bulk messages carry more than {@link BULK_FROM_WORDS} words. They have a loop of their own, so that nothing waits behind them. */
export type Size = 'ordinary' | 'bulk'

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

/** Messages taken from the inbox at once, and words handed to the lane at once: far fewer than it lets wait. */
const CLAIM_AT_ONCE = 200
const WORDS_AT_ONCE = 1_000
/** A message of more words than this is bulk: it waits for checkout. */
export const BULK_FROM_WORDS = 20
/** A message that makes a decision fail is tried again this often, then it is a dead letter. */
const MAX_ATTEMPTS = 8
/** Claims are renewed about this often while their words are worked on; they last several times as long. */
const RENEW_EVERY_MS = 8_000
const SAME_ID = 'A message with this id was received before, with other content'

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
  if (!door) return { refused: NOT_AUTHENTIC }
  const proved = door.prove(delivery)
  if ('refused' in proved) return proved
  const read = proved.read(await ports.inbox.now())
  if ('refused' in read) return read
  const named = read.messages.map((message) => ({ ...message, messageId: message.id ?? ports.newId() }))
  const { good, repeatedHere, conflicts } = sortByIdentity(named)
  const letters = [
    ...named.flatMap(({ index, messageId, raw, problems }) =>
      problems.map((problem) => ({
        ...problem,
        index,
        messageId: problem.part === undefined ? messageId : `${messageId}/${problem.part}`,
        raw: problem.raw ?? raw,
      })),
    ),
    ...conflicts.map(({ index, messageId, raw }) => ({
      index,
      messageId,
      raw,
      field: 'id',
      value: messageId,
      reason: SAME_ID,
    })),
  ]
  const { filed, deadLetterIds } = await ports.inbox.file(
    source,
    good.map(({ messageId, raw, words, notes }) => ({ messageId, raw, words: words.length, notes })),
    letters,
  )
  if (filed.some(({ outcome }) => outcome === 'new')) ports.wake()
  const known = filed.flatMap(({ outcome, messageId }, nth) =>
    outcome === 'conflict' ? [{ messageId, index: good[nth]?.index ?? 0 }] : [],
  )
  return {
    receipt: {
      accepted: filed.filter(({ outcome }) => outcome === 'new').length,
      repeated: filed.filter(({ outcome }) => outcome === 'repeated').length + repeatedHere,
      deadLetters: [
        ...letters.map(({ index, field, reason }, nth) => ({ index, id: deadLetterIds[nth] ?? 0, field, reason })),
        ...known.map(({ index }, nth) => ({
          index,
          id: deadLetterIds[letters.length + nth] ?? 0,
          field: 'id',
          reason: SAME_ID,
        })),
      ],
      notes: [...new Set(named.flatMap(({ notes }) => notes))],
    },
  }
}

const NOT_AUTHENTIC: Refused = { httpCode: 401, code: 'NOT_AUTHENTIC', detail: 'The message is not authentic' }

type Named = ReadMessage & { readonly messageId: string }

/** One delivery may name an identity twice: the first of it counts, and what says something else under it is a dead letter. */
function sortByIdentity(named: readonly Named[]) {
  const first = new Map<string, Named>()
  const conflicts: Named[] = []
  let repeatedHere = 0
  for (const message of named) {
    if (message.words.length === 0) continue
    const before = first.get(message.messageId)
    if (!before) first.set(message.messageId, message)
    else if (before.raw === message.raw) repeatedHere += 1
    else conflicts.push(message)
  }
  return { good: [...first.values()], repeatedHere, conflicts }
}

/** A dead letter, as it is kept. */
export type Letter = {
  readonly id: number
  readonly source: string
  readonly messageId: string
  readonly receivedAt: number
  readonly raw: string | null
  readonly state: 'open' | 'replayed' | 'discarded'
}

/** Where dead letters are kept; see `adapters/postgres/replay.ts`. */
export interface DeadLetters {
  byId(id: number): Promise<Letter | undefined>
  /** Decides the letter and files its message, in one transaction; `not-open` when somebody was quicker. */
  refile(letter: Letter, words: number, notes: readonly string[]): Promise<'accepted' | 'repeated' | 'not-open'>
}

/** Sends a dead letter through the door again. One that still cannot be used stays open, and the answer says why. */
export async function replayDeadLetter(
  ports: Pick<ReceivePorts, 'doors' | 'wake'>,
  letters: DeadLetters,
  id: number,
): Promise<Receipt | 'unknown' | 'not-open'> {
  const letter = await letters.byId(id)
  if (!letter) return 'unknown'
  if (letter.state !== 'open') return 'not-open'
  const door = ports.doors(sourceOf(letter.source))
  const still = (field: string, reason: string): Receipt => ({
    accepted: 0,
    repeated: 0,
    deadLetters: [{ index: 0, id, field, reason }],
    notes: [],
  })
  if (!door) return still('source', 'is not configured')
  if (letter.raw === null) return still('raw', 'was deleted after its days')
  const { words, notes, problems } = door.readMessage(letter.raw, instantOf(letter.receivedAt))
  const [problem] = problems
  if (problem) return still(problem.field, problem.reason)
  const outcome = await letters.refile(letter, words.length, notes)
  if (outcome === 'not-open') return outcome
  ports.wake()
  const accepted = outcome === 'accepted' ? 1 : 0
  return { accepted, repeated: 1 - accepted, deadLetters: [], notes }
}

/**
 * Hands what lies in the inbox to the lane. Harmless to repeat and to run in several processes: the lane ticks each word off in
 * the transaction that applies it.
 *
 * @returns how many messages were taken; 0 when the inbox is empty
 */
export async function applyPending(ports: ReceivePorts, size: Size = 'ordinary'): Promise<number> {
  const messages = await ports.inbox.claim(CLAIM_AT_ONCE, size)
  const room = roomFor(WORDS_AT_ONCE)
  const open = new Set(messages.map(({ id }) => id))
  let renewedAt = performance.now()
  const keepClaims = async (): Promise<void> => {
    if (performance.now() - renewedAt < RENEW_EVERY_MS) return
    renewedAt = performance.now()
    await ports.inbox.renew([...open])
  }
  await Promise.all(
    messages.map(async (message) => {
      await applyMessage(ports, message, async (work) => {
        await room(work)
        await keepClaims()
      })
      open.delete(message.id)
    }),
  )
  return messages.length
}

type Within = (work: () => Promise<void>) => Promise<void>

async function applyMessage(ports: ReceivePorts, message: ClaimedMessage, within: Within): Promise<void> {
  if (message.attempts > MAX_ATTEMPTS) {
    await ports.inbox.giveUp(message.id, `It failed ${MAX_ATTEMPTS} times; see the incidents`)
    return
  }
  const source = message.source as SourceId
  const door = ports.doors(source)
  // Another process may know a source that this one has not heard of yet: the claim runs out and the message comes again.
  if (!door) return
  const { words, problems, sentAs, answersOurPull = false } = door.readMessage(message.raw, message.receivedAt)
  if (words.length === 0) {
    // It could be read when it came. The rules have changed since, and what was acknowledged must not vanish.
    const [problem] = problems
    await ports.inbox.giveUp(message.id, `${problem?.field ?? 'message'} ${problem?.reason ?? 'says nothing'}`)
    return
  }
  const pieces = words.map((word, index) => ({ word, index })).filter(({ index }) => !message.applied.includes(index))
  if (pieces.length === 0) {
    await ports.inbox.close(message.id, 'done', 'applied')
    return
  }
  const urgency = words.length > BULK_FROM_WORDS ? 'bulk' : 'ordinary'
  const origin = { actor: `source:${source}`, cause: `message:${message.messageId}` }
  const originOf = ({ sku }: WordCommand): Origin => {
    const sent = sentAs?.get(sku)
    return sent === undefined ? origin : { ...origin, sentAs: sent }
  }
  let mustWait = false
  const submit = ({ word, index }: Piece): Promise<void> =>
    within(async () => {
      if (mustWait) return
      const commands = commandsOf(word, words, { source, message, answersOurPull })
      try {
        // A list of open orders is one word but a command for each SKU it speaks of: the last one ticks it off.
        for (let from = 0; from < commands.length - 1; from += WORDS_AT_ONCE) {
          const slice = commands.slice(from, Math.min(from + WORDS_AT_ONCE, commands.length - 1))
          await Promise.all(slice.map((command) => ports.lane.submit(command, originOf(command), urgency)))
        }
        const last = commands.at(-1)
        const receipt = { inboxId: message.id, word: index }
        if (last) await ports.lane.submit(last, { ...originOf(last), receipt }, urgency)
      } catch (cause) {
        // A lane or a database that is away is no fault of the message. Any other failure comes again, a bounded number of times.
        if (cause instanceof LaneBusy || cause instanceof Failure) mustWait = true
        else ports.onTrouble(cause, message.messageId)
      }
    })
  // A list of open orders speaks of the figures beside it, so these come into force first.
  await Promise.all(pieces.filter(({ word }) => word.kind !== 'open-orders').map(submit))
  await Promise.all(pieces.filter(({ word }) => word.kind === 'open-orders').map(submit))
  if (mustWait) await ports.inbox.postpone(message.id)
}

type Piece = { readonly word: Word; readonly index: number }

/** Lets so many works go on at once; the others wait in order. */
function roomFor(most: number): Within {
  const waiting: (() => void)[] = []
  let free = most
  return async (work) => {
    if (free > 0) free -= 1
    else await new Promise<void>((enter) => waiting.push(enter))
    try {
      await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else free += 1
    }
  }
}

type Spoken = { readonly source: SourceId; readonly message: ClaimedMessage; readonly answersOurPull: boolean }

/** The commands of one word. A list of open orders goes to every SKU that it names or that its message has a figure for. */
function commandsOf(
  word: Word,
  all: readonly Word[],
  { source, message, answersOurPull }: Spoken,
): readonly WordCommand[] {
  const base = {
    kind: 'word' as const,
    source,
    messageId: message.messageId,
    receivedAt: message.receivedAt,
    answersOurPull,
  }
  if (word.kind !== 'open-orders') return [{ ...base, sku: word.sku, word }]
  const rows = Map.groupBy(word.orders, ({ sku }) => sku)
  // Only the rows of one SKU: the command goes into its ledger stream.
  return skusOfList(word, all).map((sku) => ({
    ...base,
    sku,
    word: { ...word, skus: [skuOf(sku)], orders: rows.get(sku) ?? [] },
  }))
}

function skusOfList(word: OpenOrdersWord, all: readonly Word[]): readonly Sku[] {
  const figures = all.flatMap((each) => (each.kind === 'figure' && each.warehouse === word.warehouse ? [each.sku] : []))
  return [...new Set([...(word.skus ?? []), ...figures, ...word.orders.map(({ sku }) => sku)])]
}
