/** A database of its own for a test file: a clone of the migrated template, made in milliseconds. */
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { type Database, openDatabase } from '../src/adapters/postgres/database.ts'

export type FreshDatabase = {
  readonly url: string
  readonly schema: 'holdfast'
  readonly database: Database
  /** Closes the pool and drops the database. */
  drop(): Promise<void>
}

/** Clones the template. Call it in `beforeAll`, and `drop` in `afterAll`. */
export async function freshDatabase(): Promise<FreshDatabase> {
  const door = process.env.TEST_POSTGRES_DOOR
  if (door === undefined) throw new Error('Run tests through "npm test": it starts the database')
  const answer = await fetch(door)
  if (!answer.ok) throw new Error(await answer.text())
  const { url, template } = (await answer.json()) as { url: string; template: string }
  const name = `holdfast_${randomUUID().replaceAll('-', '').slice(0, 16)}`
  await asAdmin(url, `create database ${name} template ${template}`)
  const own = url.replace(/\/[^/?]*(\?|$)/, `/${name}$1`)
  const database = openDatabase({ url: own, schema: 'holdfast' })
  return {
    url: own,
    schema: 'holdfast',
    database,
    async drop() {
      await database.close()
      await asAdmin(url, `drop database if exists ${name} with (force)`)
    },
  }
}

/** Clones wait for each other at the template, so a lost race is tried again, a bounded number of times. */
async function asAdmin(url: string, statement: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const client = new pg.Client({ connectionString: url })
    try {
      await client.connect()
      await client.query(statement)
      return
    } catch (cause) {
      if (attempt >= 20 || !/being accessed by other users/.test(String(cause))) throw cause
      await new Promise((wake) => setTimeout(wake, 50 * attempt))
    } finally {
      await client.end().catch(() => undefined)
    }
  }
}
