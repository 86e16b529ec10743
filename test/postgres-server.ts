/**
 * One PostgreSQL for a whole test run: the embedded one, or `TEST_DATABASE_URL` (a role that may create databases). Started when
 * the first test asks for a database, so that a run of pure tests starts nothing.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../src/adapters/postgres/embedded.ts'
import { migrate } from '../src/adapters/postgres/migrate.ts'

const TEMPLATE = `holdfast_template_${process.pid}`

let server: EmbeddedPostgres | undefined
let home: string | undefined
let ready: Promise<string> | undefined

/** Vitest's global set-up: answers test files, which run in processes of their own, with the URL of the server. */
export default async function setup(): Promise<() => Promise<void>> {
  const door = createServer((_, answer) => {
    ready ??= start()
    ready.then(
      (url) => answer.end(JSON.stringify({ url, template: TEMPLATE })),
      (cause: unknown) => {
        answer.statusCode = 500
        answer.end(String(cause))
      },
    )
  })
  const port = await listen(door)
  process.env.TEST_POSTGRES_DOOR = `http://127.0.0.1:${port}`
  return async () => {
    door.close()
    await ready?.then(dropTemplate).catch(() => undefined)
    await server?.stop()
    if (home) await rm(home, { recursive: true, force: true })
  }
}

async function start(): Promise<string> {
  const given = process.env.TEST_DATABASE_URL
  if (given === undefined) {
    home = await mkdtemp(join(tmpdir(), 'holdfast-test-'))
    server = await startEmbeddedPostgres({ home })
  }
  const url = given ?? server?.url ?? ''
  const admin = new pg.Client({ connectionString: url })
  await admin.connect()
  await admin.query(`create database ${TEMPLATE}`)
  await admin.end()
  const pool = new pg.Pool({ connectionString: databaseIn(url, TEMPLATE), max: 1 })
  await migrate(pool, 'holdfast')
  await pool.end()
  return url
}

async function dropTemplate(url: string): Promise<void> {
  const admin = new pg.Client({ connectionString: url })
  await admin.connect()
  await admin.query(`drop database if exists ${TEMPLATE} with (force)`)
  await admin.end()
}

const databaseIn = (url: string, name: string): string => url.replace(/\/[^/?]*(\?|$)/, `/${name}$1`)

const listen = (door: Server): Promise<number> =>
  new Promise((listening) => {
    door.listen(0, '127.0.0.1', () => {
      const address = door.address()
      listening(typeof address === 'object' && address ? address.port : 0)
    })
  })
