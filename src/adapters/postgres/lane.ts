/**
 * The lane on PostgreSQL: group commit for decisions (L7, design §4).
 *
 * Commands that arrive while a batch is at work wait and form the next one, so a lone command waits for nobody and a crowd
 * shares one transaction. Two workers share the queues: the first never takes bulk work and the second takes it first, so that a
 * snapshot of a million rows leaves checkout its own share. Batches about the same SKU wait for each other at its row.
 *
 * A command that throws or breaks a constraint fails alone: the batch is rolled back, halved and redone, until the culprit
 * stands by itself. Nothing of a failed batch was answered, so redoing it is safe. A batch whose commit was not acknowledged is
 * never redone here: it may have been kept, and only the callers know how to ask.
 */
import { setTimeout as delay } from 'node:timers/promises'
import {
  AlreadyAnswered,
  type Attempt,
  type Lane,
  LaneBusy,
  type Origin,
  type OriginOf,
  type Urgency,
} from '../../app/lane.ts'
import type { Answer, AnswerOf, Command } from '../../core/decide.ts'
import type { Sku, Units } from '../../core/ids.ts'
import { Failure } from '../../errors.ts'
import { isAnsweredMeanwhile } from './answers.ts'
import { openWays } from './at-once.ts'
import type { Connections } from './database.ts'
import { type AheadOptions, decideAhead } from './lane-ahead.ts'
import { type BatchOptions, type Decided, decideIn, LostRace, makeSkus, NewSkus } from './lane-batch.ts'
import { openLaneClock } from './lane-clock.ts'
import { codeOf } from './outage.ts'
import { openStateCache } from './state-cache.ts'

/** Commands of one batch: enough to share a commit, few enough that the first does not wait long for the last. */
const MAX_BATCH = 500
/** Bulk commands of one batch: a snapshot holds its SKUs' locks for a few milliseconds at a time. */
const MAX_BULK_BATCH = 100
/** Commands of one urgency that may wait; beyond it the caller is told to come back. A flood of one kind shuts no door of another. */
const MAX_WAITING = 20_000
/** How often a batch is redone after a deadlock or a lost race with another process. */
const MAX_ATTEMPTS = 6
/** The longest pause before a batch is redone, times the attempt; a random part of it, so that two rivals part. */
const REDO_WITHIN_MS = 20
const RETRY_AFTER_SECONDS = 1

export type LaneOptions = BatchOptions & {
  readonly database: { readonly reserved: Connections }
  /** Told after each commit which SKUs changed: a hint for whoever publishes. */
  readonly onChanged?: (skus: readonly Sku[]) => void
  /** Told after each commit how many units are taken as contained by a declared margin alone. */
  readonly onByMargin?: (units: Units) => void
  /** Told when a command failed although the database is well: a bug, and an incident. */
  readonly onBug?: (cause: unknown, command: Command) => void
}

export type PostgresLane = Lane & {
  /** Commands that wait now. */
  waiting(): number
  /** Decides what waits, then takes nothing more. */
  stop(): Promise<void>
}

type Ticket = {
  readonly command: Command
  readonly origin: Origin & { readonly attempt?: Attempt<Answer> }
  readonly resolve: (answer: Answer) => void
  readonly reject: (cause: unknown) => void
}

type Opened = LaneOptions & AheadOptions

/** Opens a lane. Several processes may each have one on the same database. */
export function createLane(laneOptions: LaneOptions): PostgresLane {
  const options: Opened = {
    ...laneOptions,
    cache: openStateCache(),
    clock: openLaneClock(),
    ways: openWays(laneOptions.database.reserved.pool),
  }
  const queues: Record<Urgency, Ticket[]> = { checkout: [], ordinary: [], bulk: [] }
  const waiting = () => queues.checkout.length + queues.ordinary.length + queues.bulk.length
  let stopped = false

  const takeUrgent = (): readonly Ticket[] => {
    const batch = queues.checkout.splice(0, MAX_BATCH)
    batch.push(...queues.ordinary.splice(0, MAX_BATCH - batch.length))
    return batch
  }
  const takeBulkFirst = (): readonly Ticket[] =>
    queues.bulk.length > 0 ? queues.bulk.splice(0, MAX_BULK_BATCH) : takeUrgent()

  const urgent = openWorker(takeUrgent, (batch) => settle(options, batch))
  const bulkFirst = openWorker(takeBulkFirst, (batch) => settle(options, batch))

  function wakeFor(urgency: Urgency): void {
    const worker = urgency !== 'bulk' && urgent.isIdle() ? urgent : bulkFirst
    worker.wake()
  }

  return {
    submit<C extends Command>(command: C, origin: OriginOf<C>, urgency: Urgency = 'ordinary'): Promise<AnswerOf<C>> {
      if (stopped || queues[urgency].length >= MAX_WAITING) return Promise.reject(new LaneBusy(RETRY_AFTER_SECONDS))
      return new Promise<AnswerOf<C>>((resolve, reject) => {
        // The answer of a ticket is the answer to its own command: `decide` types the pair.
        queues[urgency].push({
          command,
          origin: origin as Ticket['origin'],
          resolve: resolve as (answer: Answer) => void,
          reject,
        })
        wakeFor(urgency)
      })
    },
    waiting,
    async stop() {
      stopped = true
      urgent.wake()
      bulkFirst.wake()
      await Promise.all([urgent.idle(), bulkFirst.idle()])
    },
  }
}

/** Takes batch after batch until there is none. Whoever queues a ticket wakes it: it is idle, or it will look again. */
function openWorker(take: () => readonly Ticket[], work: (batch: readonly Ticket[]) => Promise<void>) {
  let running: Promise<void> | undefined
  const run = async (): Promise<void> => {
    // Everything that arrives in the same turn of the event loop belongs into the same batch.
    await new Promise(setImmediate)
    for (let batch = take(); batch.length > 0; batch = take()) await work(batch)
    // In the same breath as the empty look: between the two nobody can queue a ticket that nobody takes.
    running = undefined
  }
  return {
    wake: (): void => {
      running ??= run()
    },
    isIdle: () => running === undefined,
    idle: async () => running,
  }
}

/** Decides a batch and answers it; halves it where something in it fails. Never throws. */
async function settle(options: Opened, batch: readonly Ticket[]): Promise<void> {
  const decided = await decideBatch(options, batch).catch((cause: unknown) => ({ cause }))
  if ('answers' in decided) {
    batch.forEach((ticket, index) => {
      const answer = decided.answers[index]
      if (answer instanceof AlreadyAnswered) ticket.reject(answer)
      else if (answer) ticket.resolve(answer)
      else ticket.reject(new Error('A decision came without an answer'))
    })
    if (decided.changed.length > 0) hint(options, decided)
    return
  }
  const { cause } = decided
  const [first] = batch
  if (cause instanceof Failure) {
    for (const ticket of batch) ticket.reject(cause)
  } else if (batch.length === 1 && first) {
    const busy = isRace(cause)
    if (!busy) options.onBug?.(cause, first.command)
    first.reject(busy ? new LaneBusy(RETRY_AFTER_SECONDS) : cause)
  } else {
    const half = Math.ceil(batch.length / 2)
    await settle(options, batch.slice(0, half))
    await settle(options, batch.slice(half))
  }
}

/** What was decided is decided: a listener that throws must not have it decided a second time. */
function hint({ onChanged, onByMargin, onBug }: LaneOptions, { changed, byMarginUnits }: Decided): void {
  try {
    onChanged?.(changed)
    if (byMarginUnits > 0) onByMargin?.(byMarginUnits)
  } catch (cause) {
    const [sku] = changed
    if (sku !== undefined) onBug?.(cause, { kind: 'settle', sku })
  }
}

async function decideBatch(options: Opened, batch: readonly Ticket[]): Promise<Decided> {
  const { reserved } = options.database
  const ahead = await decideAhead(options, batch).catch((cause: unknown) => {
    options.cache.clear()
    throw cause
  })
  if (ahead) return ahead
  for (let attempt = 1; ; attempt += 1) {
    try {
      const decided = await reserved.transaction((client, leave) => decideIn(client, leave, options, batch))
      options.cache.put(decided.states)
      return decided
    } catch (cause) {
      if (cause instanceof Failure) options.cache.clear()
      if (attempt >= MAX_ATTEMPTS || !(isRace(cause) || cause instanceof NewSkus)) throw cause
      if (cause instanceof NewSkus) await makeSkus(reserved, batch)
      else await delay(Math.random() * REDO_WITHIN_MS * attempt)
    }
  }
}

const DEADLOCK = '40P01'
const SERIALIZATION = '40001'

const isRace = (cause: unknown): boolean =>
  cause instanceof LostRace ||
  codeOf(cause) === DEADLOCK ||
  codeOf(cause) === SERIALIZATION ||
  isAnsweredMeanwhile(cause)
