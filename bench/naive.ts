/** The other two ways to reserve: the transaction that everybody writes first, and one statement for each reservation. */
import pg from 'pg'
import { HOT, MANY_SKUS, PLENTY } from './world.ts'

export type Naive = {
  /** Lock a row, compare, write, note; SKU after SKU in one order; commit. Four round trips for one SKU. */
  reserve(id: string, skus: readonly string[]): Promise<void>
  /** The same as one statement. */
  reserveAtOnce(id: string, skus: readonly string[]): Promise<void>
  close(): Promise<void>
}

const SCHEMA = 'holdfast_bench_naive'

/** Makes its tables, or uses those that are there. */
export async function openNaive(url: string, connections: number): Promise<Naive> {
  const pool = new pg.Pool({
    connectionString: url,
    max: connections,
    options: `-c search_path=${SCHEMA}`,
    // Pools of several sizes take turns: who is not measured leaves the server's connections to the others.
    idleTimeoutMillis: 100,
  })
  // A server that is stopped under it: whoever waits for an answer is told, an idle connection is of no account.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  const { rowCount } = await pool.query('select from pg_namespace where nspname = $1', [SCHEMA])
  if (rowCount === 0) await makeTables(pool)
  return {
    async reserve(id, skus) {
      const client = await pool.connect()
      try {
        await client.query('begin')
        for (const sku of [...skus].sort()) {
          const { rows } = await client.query<{ free: number }>({ ...LOCK, values: [sku] })
          if ((rows[0]?.free ?? 0) < 1) throw new Error('Sold out')
          await client.query({ ...TAKE, values: [sku] })
          await client.query({ ...NOTE, values: [id, sku] })
        }
        await client.query('commit')
      } finally {
        client.release()
      }
    },
    async reserveAtOnce(id, skus) {
      await pool.query({ ...AT_ONCE, values: [id, skus] })
    },
    async close() {
      await pool.end()
    },
  }
}

export const dropNaive = async (pool: pg.Pool): Promise<void> => {
  await pool.query(`drop schema if exists ${SCHEMA} cascade`)
}

async function makeTables(pool: pg.Pool): Promise<void> {
  await pool.query(`create schema ${SCHEMA}`)
  await pool.query(`create table stock (sku text primary key, on_hand int not null, reserved int not null)`)
  await pool.query(`create table reservation (id text, sku text, units int, primary key (id, sku))`)
  await pool.query(
    `insert into stock select 'SKU-' || lpad(n::text, 6, '0'), $1, 0 from generate_series(0, $2 - 1) as n`,
    [PLENTY, MANY_SKUS],
  )
  await pool.query('insert into stock values ($2, $1, 0)', [PLENTY, HOT])
}

// Prepared, by its name, as a careful author would have it.
const LOCK = { name: 'lock', text: 'select on_hand - reserved as free from stock where sku = $1 for update' }
const TAKE = { name: 'take', text: 'update stock set reserved = reserved + 1 where sku = $1' }
const NOTE = { name: 'note', text: 'insert into reservation values ($1, $2, 1)' }

const AT_ONCE = {
  name: 'at_once',
  text: `
    with locked as (
      select sku from stock where sku = any($2::text[]) and on_hand - reserved >= 1 order by sku for update
    ), enough as (
      select count(*) = cardinality($2::text[]) as is_enough from locked
    ), taken as (
      update stock set reserved = reserved + 1 from locked, enough where stock.sku = locked.sku and is_enough
    )
    insert into reservation select $1, sku, 1 from locked, enough where is_enough on conflict do nothing`,
}
