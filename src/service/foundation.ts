/** What a service stands on: the database, safe to promise on and of our schema, and what Holdfast keeps for itself in it. */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { type Database, openDatabase } from '../adapters/postgres/database.ts'
import { chooseSchema, type DemoWish } from '../adapters/postgres/demo-schema.ts'
import { startEmbeddedPostgres } from '../adapters/postgres/embedded.ts'
import { migrate } from '../adapters/postgres/migrate.ts'
import { createToken, keepToken } from '../adapters/postgres/token-store.ts'
import type { Config } from '../config.ts'
import { Failure } from '../errors.ts'
import { textOf } from './telling.ts'

export type Foundation = {
  readonly database: Database
  readonly databaseUrl: string
  readonly schema: string
  /** The schema is a demo's, which the next start drops. */
  readonly isDemo: boolean
  /** Closes the pool, and ends the embedded server if we started one. */
  close(): Promise<void>
}

/** Opens the database of a configuration, starting the embedded one if none is named, and brings its schema up to date. */
export async function openFoundation(config: Config, log: Logger, demo: DemoWish): Promise<Foundation> {
  const embedded =
    config.databaseUrl === undefined
      ? await startEmbeddedPostgres({ home: config.home, log: (text) => log.info(text) })
      : undefined
  const databaseUrl = config.databaseUrl ?? embedded?.url ?? ''
  const { schema, isDemo } = await chooseSchema(databaseUrl, config.schema, demo).catch(async (cause: unknown) => {
    await embedded?.stop()
    throw away(cause)
  })
  const database = openDatabase({
    url: databaseUrl,
    schema,
    connections: 20,
    onBroken: (cause) =>
      log.warn({ cause: cause.message }, 'A database connection broke; it is opened again when needed.'),
  })
  const close = async (): Promise<void> => {
    await database.close()
    await embedded?.stop()
  }
  try {
    await database.findPrimary()
    await refuseUnsafeDatabase(database)
    await migrate(database.pool, schema)
  } catch (cause) {
    await close()
    throw cause
  }
  return { database, databaseUrl, schema, isDemo, close }
}

const away = (cause: unknown): Failure =>
  new Failure('DATABASE_UNREACHABLE', `PostgreSQL does not answer (${textOf(cause)}). Check DATABASE_URL.`, {
    retry: 'later',
    cause,
  })

/** A database that can lose what it acknowledged, or that only copies another one, is refused before anything is promised on it. */
async function refuseUnsafeDatabase({ pool }: Database): Promise<void> {
  const { rows } = await pool
    .query<{ version: string; fsync: string; full_page_writes: string; synchronous_commit: string; replica: boolean }>(
      `select current_setting('server_version_num') as version,
              current_setting('fsync') as fsync,
              current_setting('full_page_writes') as full_page_writes,
              current_setting('synchronous_commit') as synchronous_commit,
              pg_is_in_recovery() as replica`,
    )
    .catch((cause: unknown) => {
      throw away(cause)
    })
  const [row] = rows
  if (!row) return
  if (Number(row.version) < 150_000) throw new Error('DATABASE_UNSAFE: PostgreSQL 15 or newer is needed.')
  if (row.replica) throw new Error('DATABASE_UNSAFE: this PostgreSQL is a replica. Give the primary in DATABASE_URL.')
  for (const setting of ['fsync', 'full_page_writes', 'synchronous_commit'] as const) {
    if (row[setting] === 'off') {
      throw new Error(
        `DATABASE_UNSAFE: ${setting} is off, so PostgreSQL may lose what Holdfast has acknowledged. Switch it on.`,
      )
    }
  }
}

/** A key that Holdfast made for itself, the same in every process of this database. */
export async function ownSecret({ pool }: Database, name: string): Promise<Buffer> {
  await pool.query('insert into secret (name, value) values ($1, $2) on conflict do nothing', [
    name,
    Buffer.from(randomBytes(32).toString('hex')),
  ])
  const { rows } = await pool.query<{ value: Buffer }>('select value from secret where name = $1', [name])
  const [row] = rows
  if (!row) throw new Error(`The secret ${name} cannot be read`)
  return row.value
}

/** The admin token lies in the home folder, readable by its owner alone; the database keeps its hash. */
export async function keepAdminToken(
  database: Database,
  home: string,
): Promise<{ readonly token: string; readonly isNew: boolean }> {
  const path = join(home, 'admin-token')
  if (existsSync(path)) {
    const token = readFileSync(path, 'utf8').trim()
    await keepToken(database.pool, token, 'admin', 'admin')
    return { token, isNew: false }
  }
  mkdirSync(home, { recursive: true })
  const token = await createToken(database.pool, 'admin', 'admin')
  writeFileSync(path, `${token}\n`, { mode: 0o600 })
  return { token, isNew: true }
}
