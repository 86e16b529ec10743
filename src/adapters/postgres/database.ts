/** One pool of connections to one schema. Every query is text with numbered parameters; no query names a schema. */
import { Socket } from 'node:net'
import pg from 'pg'
import { type Instant, instantOf } from '../../core/ids.ts'
import { Failure } from '../../errors.ts'
import { SCHEMA_PATTERN } from './migrate.ts'
import { isOutage } from './outage.ts'
import { clientsOf, findPrimary, type Servers, serversOf, verifierOf } from './servers.ts'

/** What a query needs: the pool, or one client inside a transaction. */
export type Queryable = Pick<pg.ClientBase, 'query'>

/** Connections that work is done on: one statement by itself, or several that stand or fall together. */
export type Connections = {
  readonly pool: pg.Pool
  /**
   * Runs the work in one transaction: committed when it returns, rolled back when it throws. Statements whose answer the work does
   * not need it may leave to the commit, which goes out right behind them: what they throw rolls back all of it.
   *
   * @throws what the work throws; Failure DATABASE_UNREACHABLE when PostgreSQL went away. Where it went away while it committed,
   * the outcome is unknown: ask before you do it again, or do only what may be done twice.
   */
  transaction<T>(work: (client: pg.PoolClient, leave: Leave) => Promise<T>): Promise<T>
}

/** Leaves a statement that was sent to be awaited together with the commit: each in the order in which it was sent. */
export type Leave = (sent: Promise<unknown>) => void

export type Database = Connections & {
  /** The lane's own connections: whoever reads a lot beside it never makes a buyer wait for a free one. */
  readonly reserved: Connections
  /** Where the URL names several servers: tries each of them, until one answers as the primary. */
  findPrimary(): Promise<void>
  close(): Promise<void>
}

export type DatabaseOptions = {
  readonly url: string
  readonly schema: string
  /** Connections at most, beside the few of the lane. */
  readonly connections?: number
  /** Told when an idle connection breaks; without a listener Node would end the process. */
  readonly onBroken?: (cause: Error) => void
}

const DEFAULT_CONNECTIONS = 10
/** Two workers of one lane and what it decides ahead, and room for a second lane in the same process. */
const RESERVED_CONNECTIONS = 6
/** A statement that takes longer is given up. */
const STATEMENT_TIMEOUT_MS = 30_000
/** The lane's statements take milliseconds, waiting for a lock included: checkout has answered by then. */
const RESERVED_STATEMENT_TIMEOUT_MS = 10_000
/** A process that was stopped inside a transaction must not hold its SKUs for long. */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000
/** A server that hangs cancels nothing, so our own clock gives up a little later than its clock would. */
const GRACE_MS = 5_000
const CONNECT_TIMEOUT_MS = 2_000

/** Opens a pool; connects only when first used. Units come as numbers, `bigint` columns too: all of ours are below 2^53. */
export function openDatabase(options: DatabaseOptions): Database {
  const { schema, connections = DEFAULT_CONNECTIONS } = options
  if (!SCHEMA_PATTERN.test(schema)) throw new Error(`HOLDFAST_SCHEMA: "${schema}" is no plain lower-case name`)
  const servers = serversOf(options.url)
  const pool = openPool(options, servers, connections, STATEMENT_TIMEOUT_MS)
  const reserved = openPool(options, servers, RESERVED_CONNECTIONS, RESERVED_STATEMENT_TIMEOUT_MS, BY_INDEX_ALONE)
  return {
    pool,
    transaction: (work) => inTransaction(pool, work),
    reserved: { pool: reserved, transaction: (work) => inTransaction(reserved, work) },
    findPrimary: () => findPrimary(pool, servers),
    async close() {
      await Promise.all([pool.end(), reserved.end()])
    },
  }
}

/**
 * The lane looks for rows by their keys and for nothing else, in tables that may have grown a thousandfold since anybody counted
 * them: it must not read a whole one because its statistics are old. Its statements are too short to be worth compiling.
 */
const BY_INDEX_ALONE = { enable_seqscan: 'off', jit: 'off', plan_cache_mode: 'force_generic_plan' }

function openPool(
  { schema, onBroken = () => undefined }: DatabaseOptions,
  servers: Servers,
  max: number,
  statementMs: number,
  more: Readonly<Record<string, string>> = {},
): pg.Pool {
  const settings = {
    search_path: schema,
    statement_timeout: statementMs,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    timezone: 'UTC',
    ...more,
  }
  const pool = new pg.Pool({
    Client: clientsOf(servers),
    verify: verifierOf(servers),
    max,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: statementMs + GRACE_MS,
    keepAlive: true,
    // Statements go out at once and are answered in their order: those sent together share one round trip.
    pipeline: true,
    stream: () => new GatheringSocket(),
    options: Object.entries(settings)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
    application_name: 'holdfast',
    types: { getTypeParser: parserFor },
  })
  pool.on('error', onBroken)
  // A client that is checked out has no listener of its own: a database that dies must not take the process with it.
  pool.on('connect', (client) => client.on('error', onBroken))
  return pool
}

/**
 * Sends what was written in one turn of the event loop in one piece. Each statement would otherwise be a system call of its own
 * here, and a wake-up of its own there: an eighth of this process's time for a batch of the lane.
 */
class GatheringSocket extends Socket {
  override uncork(): void {
    process.nextTick(() => super.uncork())
  }
}

const INT8 = 20
const TIMESTAMPTZ = 1184
const DATE = 1082

/** `timestamptz` as an {@link Instant}, `date` as text, `bigint` as a number. */
const parserFor: typeof pg.types.getTypeParser = (oid: number, format?: unknown) => {
  if (oid === INT8) return Number
  if (oid === TIMESTAMPTZ) return (text: string): Instant => instantOf(Date.parse(isoOf(text)))
  if (oid === DATE) return (text: string) => text
  return format === 'binary' ? pg.types.getTypeParser(oid, 'binary') : pg.types.getTypeParser(oid)
}

/** PostgreSQL writes `2026-03-14 15:09:26.535+00`. */
const isoOf = (text: string): string => `${text.slice(0, 10)}T${text.slice(11).replace(/([+-]\d\d)$/, '$1:00')}`

async function inTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient, leave: Leave) => Promise<T>): Promise<T> {
  let client: pg.PoolClient | undefined
  let committing = false
  let broken = false
  const left: Promise<unknown>[] = []
  const leave: Leave = (sent) => {
    // What it throws is thrown at the commit; until then nobody listens, and Node would take it for forgotten.
    sent.catch(() => undefined)
    left.push(sent)
  }
  try {
    client = await pool.connect()
    // Goes out together with the first statement of the work.
    leave(client.query('begin'))
    const result = await work(client, leave)
    committing = true
    const [committed, ...others] = await Promise.allSettled([client.query('commit'), ...left])
    // The first that failed is the cause; those sent behind it fail because it did.
    for (const each of others) if (each.status === 'rejected') throw each.reason
    if (committed.status === 'rejected') throw committed.reason
    // A transaction that failed inside, with the error swallowed, is "committed" by rolling it back, and without an error.
    const { command } = committed.value
    if (command !== 'COMMIT') throw new Error(`The transaction was rolled back at its commit (${command})`)
    return result
  } catch (cause) {
    if (isOutage(cause)) {
      // No rollback over a connection that does not answer: it ends with the connection.
      broken = true
      throw unreachable(cause, committing)
    }
    await client?.query('rollback').catch(() => {
      broken = true
    })
    throw cause
  } finally {
    client?.release(broken)
  }
}

/** The failure of a transaction whose server went away. `committing`: its commit had been sent. */
export function unreachable(cause: unknown, committing: boolean): Failure {
  const outcome = committing ? 'whether the last work was kept is unknown until you ask again' : 'nothing was changed'
  return new Failure('DATABASE_UNREACHABLE', `PostgreSQL does not answer; ${outcome}`, { retry: 'later', cause })
}

/** An {@link Instant} as PostgreSQL takes it. A batch has one moment and writes it many times: the last one is remembered. */
export function timestamp(moment: Instant): string {
  if (moment !== last.moment) last = { moment, text: new Date(moment).toISOString() }
  return last.text
}
let last: { readonly moment: number; readonly text: string } = { moment: Number.NaN, text: '' }

/** The database's clock, in whole milliseconds: the only clock that decides anything. */
export async function databaseNow(on: Queryable): Promise<Instant> {
  const { rows } = await on.query<{ now: Instant }>('select clock_timestamp() as now')
  const [row] = rows
  if (!row) throw new Error('PostgreSQL answered without a row')
  return row.now
}
