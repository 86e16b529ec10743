/**
 * The lane on PostgreSQL: group commit for decisions (L7, design §4).
 *
 * Commands that arrive while a batch is at work wait and form the next one, so a lone command waits for nobody and a crowd
 * shares one transaction. A batch locks the rows of its SKUs in one order, loads what its commands need, decides each in
 * memory, writes everything with array statements, commits once and answers all.
 *
 * Two workers share the queue. The first never takes bulk work: a snapshot of a million rows leaves checkout its own share.
 * Batches about the same SKU wait for each other at its row; the second reads and prepares while the first commits.
 *
 * A command that throws or breaks a constraint fails alone: the batch is rolled back, halved and redone, until the culprit
 * stands by itself. Nothing of a failed batch was answered, so redoing it is safe.
 */
import type pg from 'pg'
import { type Lane, LaneBusy, type Origin, type Urgency } from '../../app/lane.ts'
import type { Configuration } from '../../core/configuration.ts'
import { type Answer, type AnswerOf, type Command, decide, draftsOf, skusOf } from '../../core/decide.ts'
import type { Incident } from '../../core/draft.ts'
import type { Sku } from '../../core/ids.ts'
import { type LedgerEntry, streamOfSku } from '../../core/ledger.ts'
import type { Change, SkuState } from '../../core/stock.ts'
import { Failure } from '../../errors.ts'
import { type Database, databaseNow } from './database.ts'
import { openReceipts } from './inbox-store.ts'
import { loadForDecision, touchedBefore } from './load.ts'
import type { SkuRow } from './rows.ts'
import { save } from './save.ts'

/** Commands of one batch: enough to share a commit, few enough that the first does not wait long for the last. */
const MAX_BATCH = 500
/** Bulk commands of one batch: a snapshot holds its SKUs' locks for a few milliseconds at a time. */
const MAX_BULK_BATCH = 100
/** Commands that may wait, over all urgencies; beyond it the caller is told to come back. */
const MAX_WAITING = 20_000
/** How often a batch is redone after a deadlock or a lost race with another process. */
const MAX_RETRIES = 5
const RETRY_AFTER_SECONDS = 1

export type LaneOptions = {
  readonly database: Database
  /** The rules in force; read once per batch, so that one batch uses one version. */
  readonly configuration: () => Configuration
  /** Told after each commit which SKUs changed: a hint for whoever publishes. */
  readonly onChanged?: (skus: readonly Sku[]) => void
  /** Told when a command failed although the database is well: a bug, and an incident. */
  readonly onBug?: (cause: unknown, command: Command) => void
  readonly workers?: number
}

export type PostgresLane = Lane & {
  /** Commands that wait now. */
  waiting(): number
  /** Decides what waits, then takes nothing more. */
  stop(): Promise<void>
}

type Ticket = {
  readonly command: Command
  readonly origin: Origin
  readonly resolve: (answer: Answer) => void
  readonly reject: (cause: unknown) => void
}

/** Opens a lane. Several processes may each have one on the same database. */
export function createLane(options: LaneOptions): PostgresLane {
  const queues: Record<Urgency, Ticket[]> = { checkout: [], ordinary: [], bulk: [] }
  const waiting = () => queues.checkout.length + queues.ordinary.length + queues.bulk.length
  let stopped = false

  const takeBatch = (withBulk: boolean): Ticket[] => {
    const batch = queues.checkout.splice(0, MAX_BATCH)
    batch.push(...queues.ordinary.splice(0, MAX_BATCH - batch.length))
    if (withBulk) batch.push(...queues.bulk.splice(0, Math.min(MAX_BULK_BATCH, MAX_BATCH - batch.length)))
    return batch
  }

  const workers = Array.from({ length: options.workers ?? 2 }, (_, index) =>
    worker(index !== 0 || options.workers === 1),
  )

  function worker(withBulk: boolean) {
    let running: Promise<void> | undefined
    const run = async (): Promise<void> => {
      // Everything that arrives in the same turn of the event loop belongs into the same batch.
      await new Promise(setImmediate)
      for (let batch = takeBatch(withBulk); batch.length > 0; batch = takeBatch(withBulk)) await settle(options, batch)
    }
    return {
      wake: (): void => {
        running ??= run().finally(() => {
          running = undefined
        })
      },
      isIdle: () => running === undefined,
      idle: async () => running,
      withBulk,
    }
  }

  function wakeFor(urgency: Urgency): void {
    const fit = workers.filter((each) => each.withBulk || urgency !== 'bulk')
    const idle = fit.find((each) => each.isIdle())
    ;(idle ?? fit[0])?.wake()
  }

  return {
    submit<C extends Command>(command: C, origin: Origin, urgency: Urgency = 'ordinary'): Promise<AnswerOf<C>> {
      if (stopped || waiting() >= MAX_WAITING) return Promise.reject(new LaneBusy(RETRY_AFTER_SECONDS))
      return new Promise<AnswerOf<C>>((resolve, reject) => {
        // The answer of a ticket is the answer to its own command: `decide` types the pair.
        queues[urgency].push({ command, origin, resolve: resolve as (answer: Answer) => void, reject })
        wakeFor(urgency)
      })
    },
    waiting,
    async stop() {
      stopped = true
      for (let round = 0; waiting() > 0 && round < MAX_WAITING; round += 1) {
        for (const each of workers) each.wake()
        await Promise.all(workers.map((each) => each.idle()))
      }
      await Promise.all(workers.map((each) => each.idle()))
    },
  }
}

/** Decides a batch and answers it; halves it where something in it fails. Never throws. */
async function settle(options: LaneOptions, batch: readonly Ticket[]): Promise<void> {
  try {
    const { answers, changed } = await decideBatch(options, batch)
    batch.forEach((ticket, index) => {
      const answer = answers[index]
      if (answer) ticket.resolve(answer)
      else ticket.reject(new Error('A decision came without an answer'))
    })
    if (changed.length > 0) options.onChanged?.(changed)
  } catch (cause) {
    if (isOutage(cause)) {
      const failure = new Failure(
        'DATABASE_UNREACHABLE',
        'PostgreSQL does not answer; the outcome is unknown until you ask again',
        {
          retry: 'later',
          cause,
        },
      )
      for (const ticket of batch) ticket.reject(failure)
      return
    }
    const [only] = batch
    if (batch.length === 1 && only) {
      options.onBug?.(cause, only.command)
      only.reject(cause)
      return
    }
    const half = Math.ceil(batch.length / 2)
    await settle(options, batch.slice(0, half))
    await settle(options, batch.slice(half))
  }
}

type Decided = { readonly answers: readonly Answer[]; readonly changed: readonly Sku[] }

async function decideBatch(options: LaneOptions, batch: readonly Ticket[]): Promise<Decided> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await knowSkus(options.database.pool, batch)
      return await options.database.transaction((client) => decideIn(client, options.configuration(), batch))
    } catch (cause) {
      if (attempt >= MAX_RETRIES || !isRace(cause)) throw cause
    }
  }
}

/** Gives every SKU a row before the transaction, so that new SKUs never wait for each other inside one. */
async function knowSkus(pool: pg.Pool, batch: readonly Ticket[]): Promise<void> {
  const named = [...new Set(batch.flatMap(({ command }) => skusOf(command)))]
  if (named.length === 0) return
  // Index: sku_one_row. The usual case inserts nothing and locks nothing.
  await pool.query(
    `insert into sku (sku, sent_as)
     select sku, sku
     from unnest($1::text[]) as named (sku)
     where not exists (select from sku as known where known.sku = named.sku)
     order by sku
     on conflict do nothing`,
    [named],
  )
}

async function decideIn(client: pg.PoolClient, rules: Configuration, batch: readonly Ticket[]): Promise<Decided> {
  const commands = batch.map(({ command }) => command)
  const named = [...new Set(commands.flatMap(skusOf))]
  const before = await touchedBefore(client, commands)
  // Locks the rows of all SKUs, by ascending id, in every batch of every process. Indexes: primary key, sku_one_row.
  const { rows } = await client.query<SkuRow>(
    `select id, sku, version, next_demand
     from sku
     where sku = any($1) or id = any($2)
     order by id
     for no key update`,
    [named, before],
  )
  // Somebody may have given the order or reservation another SKU while we waited for the locks.
  const locked = new Set(rows.map(({ id }) => id))
  if ((await touchedBefore(client, commands)).some((id) => !locked.has(id))) throw new LostRace()
  const loaded = await loadForDecision(client, rows, commands)
  const receipts = await openReceipts(
    client,
    batch.flatMap(({ origin }) => origin.receipt ?? []),
  )
  const now = await databaseNow(client)

  const answers: Answer[] = []
  const entries: LedgerEntry[] = []
  const incidents: (Incident & { sku: Sku })[] = []
  const changes = new Map<Sku, Change[]>()
  for (const { command, origin } of batch) {
    if (origin.receipt && receipts.isApplied(origin.receipt)) {
      answers.push({ verdict: 'repeated' })
      continue
    }
    const drafts = draftsOf(statesFor(command, loaded.states), rules, now)
    const answer = decide(drafts, command)
    answers.push(answer)
    if (origin.receipt && 'verdict' in answer) receipts.tick(origin.receipt, answer.verdict, command)
    for (const [sku, draft] of drafts) {
      incidents.push(...draft.incidents.map((incident) => ({ ...incident, sku })))
      if (draft.changes.length === 0) continue
      draft.state.version += 1
      changes.set(sku, [...(changes.get(sku) ?? []), ...draft.changes])
      entries.push({
        stream: streamOfSku(sku),
        version: draft.state.version,
        at: new Date(now).toISOString(),
        kind: command.kind,
        actor: origin.actor,
        cause: origin.cause,
        configuration: rules.version,
        body: { changes: draft.changes },
      })
    }
  }
  const reservations = batch.flatMap(({ command, origin }, index) => {
    const answer = answers[index]
    const granted = command.kind === 'hold' && answer && 'granted' in answer && answer.granted
    return granted ? [{ ...command, ...(origin.basket ? { basket: origin.basket } : {}) }] : []
  })
  await receipts.save(client)
  await save(client, { loaded, changes, entries, incidents, reservations, now, rules })
  return { answers, changed: [...changes.keys()] }
}

/** The SKUs that a command names, and those that its reservation or order stands in. */
function statesFor(command: Command, states: ReadonlyMap<Sku, SkuState>): readonly SkuState[] {
  const named = skusOf(command).flatMap((sku) => states.get(sku) ?? [])
  const standsElsewhere =
    command.kind === 'release' || command.kind === 'order' || (command.kind === 'hold' && command.via === 'api')
  if (!standsElsewhere) return named
  const others = [...states.values()].filter((state) => !named.includes(state) && stands(state, command))
  return [...named, ...others]
}

function stands(state: SkuState, command: Command): boolean {
  const reservation = 'reservation' in command ? command.reservation : undefined
  const orderId = command.kind === 'order' ? command.order.orderId : undefined
  const keys =
    command.kind === 'order' ? new Set(command.order.lines.flatMap(({ lineKey }) => lineKey ?? [])) : undefined
  for (const demand of state.demands.values()) {
    if (reservation !== undefined && demand.reservation === reservation) return true
    if (orderId !== undefined && demand.orderLine?.orderId === orderId) return true
    if (demand.lineKey !== undefined && keys?.has(demand.lineKey)) return true
  }
  return false
}

/** The SKUs of a batch turned out to be more than were locked: do it again. */
class LostRace extends Error {}

const DEADLOCK = '40P01'
const SERIALIZATION = '40001'

function isRace(cause: unknown): boolean {
  return cause instanceof LostRace || codeOf(cause) === DEADLOCK || codeOf(cause) === SERIALIZATION
}

/** The database is away: class 08, 57P0x, or a socket that broke. Constraint violations and thrown asserts are not. */
function isOutage(cause: unknown): boolean {
  const code = codeOf(cause)
  if (code === undefined) return cause instanceof Error && /terminated|timeout|ended/i.test(cause.message)
  return /^(08|57P|53|25006)/.test(code) || /^E[A-Z]+$/.test(code)
}

function codeOf(cause: unknown): string | undefined {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined
}
