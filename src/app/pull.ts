/**
 * Pulling: a system that does not speak by itself is asked again and again, and what it says goes the way of every message: through
 * the inbox, into the lane.
 *
 * Each pull draws a number before it asks. So everything that was stored before has a lower one, and the number is the sequence of
 * all that the pull says: the fence that proves inclusion (L1, proof 4). Pulls of one source run one after another, in one process,
 * and none begins while something that an earlier one said is not applied.
 *
 * Only what reads otherwise than it was last told is told: a pull of a quiet warehouse writes nothing. Told again, although nothing
 * changed, is what an order is waiting for that was read since.
 */
import { createHash } from 'node:crypto'
import { instantOf, type SourceId } from '../core/ids.ts'
import { Failure } from '../errors.ts'
import type { PulledProblem, PulledStatement, PulledSystem, Standing } from './pulled.ts'
import type { Problem, SourceDoor } from './receive.ts'

/** How far a source was pulled. */
export type PullPlace = {
  readonly cursor: unknown
  /** The last SKU that was read in its turn; empty before the first. */
  readonly turn: string
  /** It went back in time, and nobody has said yet that it may be believed again. */
  readonly isSuspected: boolean
}

/** One pull: its number is higher than all before, and on disk. */
export type Pull = { readonly epoch: number; readonly number: number }

/** What a pull says, ready for the inbox. */
export type PulledMessage = { readonly messageId: string; readonly raw: string; readonly words: number }

/** What was told about a SKU in a warehouse, so that it is told again only when it changes. */
export type Told = { readonly warehouse: string; readonly sku: string; readonly hash: string }

/** Where pulls are kept; see `adapters/postgres/pull-store.ts`. */
export interface PullBook {
  place(source: SourceId): Promise<PullPlace>
  /** Whether something that the source said waits to be applied. */
  isBusy(source: SourceId): Promise<boolean>
  begin(source: SourceId): Promise<Pull>
  /** SKUs with orders that were read since they were last told, or not told for an hour. */
  waiting(source: SourceId): Promise<readonly string[]>
  /** Told SKUs after one, in order. */
  inTurn(source: SourceId, after: string, limit: number): Promise<readonly string[]>
  standing(source: SourceId, skus: readonly string[]): Promise<ReadonlyMap<string, Standing>>
  told(source: SourceId, skus: readonly string[]): Promise<readonly Told[]>
  /** Files messages and remembers what they tell, in one transaction; `false`, and nothing is kept, when a later pull has begun. */
  tell(
    source: SourceId,
    pull: Pull,
    said: {
      readonly messages: readonly PulledMessage[]
      readonly told: readonly Told[]
      readonly letters: readonly (Problem & { readonly messageId: string; readonly raw: string })[]
    },
  ): Promise<boolean>
  moveOn(source: SourceId, place: Pick<PullPlace, 'cursor' | 'turn'>): Promise<void>
  /** From now on nothing of it is believed but what is lower. */
  suspect(source: SourceId, cause: string): Promise<void>
}

export type PullPorts = {
  readonly book: PullBook
  readonly system: PulledSystem
  /** Reads a message as it will be read from the inbox. */
  readonly readMessage: SourceDoor['readMessage']
  /** Whether this process may pull the source now. */
  readonly holdsLease: () => Promise<boolean>
  readonly isStopping: () => boolean
  /** Told when messages lie in the inbox. */
  readonly wake: () => void
  readonly onIncident: (incident: { code: string; key: string; cause: string }) => Promise<unknown>
  readonly onSettled: (code: string, key: string) => Promise<unknown>
}

/** SKUs of one pull: their answer is a few hundred kB, and the lane takes them in one bite. */
export const SKUS_AT_ONCE = 200

/** One round: whatever may have changed is read, and what did is told. Returns whether there is more to do at once. */
export async function pullRound(ports: PullPorts, source: SourceId): Promise<boolean> {
  const { book, system } = ports
  if (!(await ports.holdsLease()) || (await book.isBusy(source))) return false
  try {
    const place = await book.place(source)
    const look = await system.look(place.cursor)
    if (look.restored !== undefined && !place.isSuspected) {
      await book.suspect(source, look.restored)
      await ports.onIncident({
        code: 'PULLED_SYSTEM_RESTORED',
        key: source,
        cause: `"${source}" seems to have been restored from a backup, or to be another one: ${look.restored}. Of what it says, only what is lower counts, until somebody trusts its warehouses`,
      })
      return true
    }
    const turn = await book.inTurn(source, place.turn, SKUS_AT_ONCE)
    const waiting = new Set(await book.waiting(source))
    const skus = [...new Set([...waiting, ...look.skus, ...turn])]
    for (let at = 0; at < skus.length; at += SKUS_AT_ONCE) {
      if (ports.isStopping() || !(await ports.holdsLease())) return false
      await pullSome(ports, source, {
        skus: skus.slice(at, at + SKUS_AT_ONCE),
        waiting,
        isSuspected: place.isSuspected,
      })
    }
    await book.moveOn(source, { cursor: look.cursor, turn: turn.at(-1) ?? '' })
    await ports.onSettled('PULL_FAILED', source)
    return false
  } catch (cause) {
    if (cause instanceof Failure && cause.code !== 'DATABASE_UNREACHABLE')
      await ports.onIncident({ code: 'PULL_FAILED', key: source, cause: cause.message })
    throw cause
  }
}

type Some = { readonly skus: readonly string[]; readonly waiting: ReadonlySet<string>; readonly isSuspected: boolean }

async function pullSome(
  { book, system, readMessage, wake }: PullPorts,
  source: SourceId,
  { skus, waiting, isSuspected }: Some,
): Promise<void> {
  // Before anything is asked, and before what we count is looked up: the fence.
  const pull = await book.begin(source)
  const { statements, problems } = await system.read(await book.standing(source, skus))
  const before = new Map((await book.told(source, skus)).map((each) => [keyOf(each), each.hash]))
  const news = statements
    .map((statement) => ({ statement, hash: hashOf(statement) }))
    .filter(({ statement, hash }) => waiting.has(statement.sku) || before.get(keyOf(statement)) !== hash)
  // Told once as long as it stays the same.
  const troubles = problems
    .map((problem) => ({ problem, hash: hashOf(problem) }))
    .filter(({ problem, hash }) => before.get(keyOf(problem)) !== hash)
  if (news.length === 0 && troubles.length === 0) return
  const written = [...Map.groupBy(news, ({ statement }) => statement.warehouse)].map(([warehouse, some]) => {
    const statements = some.map(({ statement }) => statement)
    const raw = messageOf(pull, warehouse, { statements, isSuspected })
    return { messageId: idOf(pull, warehouse), raw, read: readMessage(raw, instantOf(0)) }
  })
  const isKept = await book.tell(source, pull, {
    messages: written.flatMap(({ messageId, raw, read }) =>
      read.words.length === 0 ? [] : [{ messageId, raw, words: read.words.length }],
    ),
    told: [
      ...news.map(({ statement, hash }) => ({ ...statement, hash })),
      ...troubles.map(({ problem, hash }) => ({ ...problem, hash })),
    ],
    letters: [
      ...troubles.map(({ problem }) => ({
        ...problem,
        messageId: cut(`${idOf(pull, problem.warehouse)}/${problem.sku}`),
        raw: JSON.stringify(problem),
      })),
      ...written.flatMap(({ messageId, raw, read }) =>
        read.problems.map((problem) => ({
          ...problem,
          messageId: cut(problem.part === undefined ? messageId : `${messageId}/${problem.part}`),
          raw: problem.raw ?? raw,
        })),
      ),
    ],
  })
  if (isKept) wake()
}

/** The longest identity of a message. */
const MAX_ID = 255
const cut = (text: string): string => text.slice(0, MAX_ID)

const keyOf = ({ warehouse, sku }: { readonly warehouse: string; readonly sku: string }): string =>
  `${warehouse}\u001f${sku}`

const hashOf = (said: PulledStatement | PulledProblem): string =>
  createHash('sha256').update(JSON.stringify(said)).digest('base64')

const idOf = ({ epoch, number }: Pull, warehouse: string): string => `pull-${epoch}-${number}-${warehouse}`

type Saying = { readonly statements: readonly PulledStatement[]; readonly isSuspected: boolean }

/**
 * What was read, as canonical messages of one stamp. Of a source that went back in time only figures are told, older than all
 * before them: so the lowest counts (H6), and nothing is concluded from what it knows of orders and purchases.
 */
function messageOf(pull: Pull, warehouse: string, { statements, isSuspected }: Saying): string {
  const figures = statements.map(({ sku, net }) => ({ sku, net }))
  const parts: object[] = [
    {
      type: 'stock.snapshot',
      figures,
      ...(isSuspected
        ? {}
        : {
            tellsShipped: true,
            openOrders: statements.flatMap(({ sku, orders }) => orders.map((order) => ({ sku, ...order }))),
          }),
    },
    ...(isSuspected
      ? []
      : statements.flatMap(({ sku, inbound }) =>
          inbound.map((line) => ({ type: 'purchase_order.line', sku, ...line })),
        )),
  ]
  const stamp = { epoch: pull.epoch, sequence: isSuspected ? 0 : pull.number }
  return JSON.stringify({ type: 'pulled', warehouse, ...stamp, ...(isSuspected ? { isSuspected } : {}), parts })
}
