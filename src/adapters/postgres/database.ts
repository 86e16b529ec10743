/** One pool of connections to one schema. Every query is text with numbered parameters; no query names a schema. */
import pg from 'pg'
import { type Instant, instantOf } from '../../core/ids.ts'
import { SCHEMA_PATTERN } from './migrate.ts'

/** What a query needs: the pool, or one client inside a transaction. */
export type Queryable = Pick<pg.ClientBase, 'query'>

export type Database = {
  readonly pool: pg.Pool
  /** Runs the work in one transaction: committed when it returns, rolled back when it throws. */
  transaction<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export type DatabaseOptions = {
  readonly url: string
  readonly schema: string
  /** Connections at most; the lane keeps its own beside them. */
  readonly connections?: number
  /** Told when an idle connection breaks; without a listener Node would end the process. */
  readonly onBroken?: (cause: Error) => void
}

const DEFAULT_CONNECTIONS = 10
/** A statement that takes longer is given up: checkout has answered by then. */
const STATEMENT_TIMEOUT_MS = 30_000
const CONNECT_TIMEOUT_MS = 2_000

/** Opens a pool; connects only when first used. Units come as numbers, `bigint` columns too: all of ours are below 2^53. */
export function openDatabase(options: DatabaseOptions): Database {
  const { url, schema, connections = DEFAULT_CONNECTIONS, onBroken = () => undefined } = options
  if (!SCHEMA_PATTERN.test(schema)) throw new Error(`HOLDFAST_SCHEMA: "${schema}" is no plain lower-case name`)
  const pool = new pg.Pool({
    connectionString: url,
    max: connections,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    options: `-c search_path=${schema} -c statement_timeout=${STATEMENT_TIMEOUT_MS} -c idle_in_transaction_session_timeout=10000 -c timezone=UTC`,
    application_name: 'holdfast',
    types: { getTypeParser: parserFor },
  })
  pool.on('error', onBroken)
  // A client that is checked out has no listener of its own: a database that dies must not take the process with it.
  pool.on('connect', (client) => client.on('error', onBroken))
  return {
    pool,
    transaction: (work) => inTransaction(pool, work),
    close: () => pool.end(),
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

async function inTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  let broken = false
  try {
    await client.query('begin')
    const result = await work(client)
    await client.query('commit')
    return result
  } catch (cause) {
    await client.query('rollback').catch(() => {
      broken = true
    })
    throw cause
  } finally {
    client.release(broken)
  }
}

/** An {@link Instant} as PostgreSQL takes it. */
export const timestamp = (moment: Instant): string => new Date(moment).toISOString()

/** The database's clock, in whole milliseconds: the only clock that decides anything. */
export async function databaseNow(on: Queryable): Promise<Instant> {
  const { rows } = await on.query<{ now: Instant }>('select clock_timestamp() as now')
  const [row] = rows
  if (!row) throw new Error('PostgreSQL answered without a row')
  return row.now
}
