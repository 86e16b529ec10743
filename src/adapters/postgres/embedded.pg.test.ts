import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded.ts'
import { startOf } from './home-lock.ts'

// These tests start servers of their own: what is under test is starting and stopping.

let folder: string
const running: EmbeddedPostgres[] = []
const children: ChildProcess[] = []
const strays: number[] = []

/** A home whose database has been made, to be copied: making one takes a second, and only two tests are about that. */
const made = (): string => join(folder, 'made')

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast embedded '))
  await (await startEmbeddedPostgres({ home: made() })).stop()
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await Promise.all(running.splice(0).map((server) => server.stop()))
  for (const pid of strays.splice(0)) if (startOf(pid) !== undefined) process.kill(pid, 'SIGQUIT')
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

function copyOfMade(name: string): string {
  const home = join(folder, name)
  cpSync(made(), home, { recursive: true })
  // A copy gets the rights of its copier; PostgreSQL insists on its own.
  chmodSync(join(home, 'postgres'), 0o700)
  chmodSync(join(home, 'postgres-password'), 0o600)
  return home
}

async function start(home: string, sentences: string[] = []): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ home, log: (sentence) => sentences.push(sentence) })
  running.push(server)
  strays.push(server.pid())
  return server
}

async function ask<Row extends pg.QueryResultRow>(url: string, query: string): Promise<readonly Row[]> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return (await client.query<Row>(query)).rows
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** Asks until the server answers: it is being started again. */
async function eventually(url: string, query: string) {
  for (const giveUpAt = Date.now() + 30_000; Date.now() < giveUpAt; ) {
    const rows = await ask(url, query).catch(() => undefined)
    if (rows) return rows
    await new Promise((wake) => setTimeout(wake, 20))
  }
  throw new Error('The server did not come back')
}

/** Another process that starts the server of a home, says its URL and pid, and is then killed or not. */
async function holdfastWith(home: string): Promise<{ child: ChildProcess; url: string; pid: number }> {
  const script = `
    import { startEmbeddedPostgres } from ${JSON.stringify(new URL('./embedded.ts', import.meta.url).href)}
    const server = await startEmbeddedPostgres({ home: process.argv[1] })
    process.stdout.write(JSON.stringify({ url: server.url, pid: server.pid() }))`
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script, home],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  children.push(child)
  const [said] = await once(child.stdout ?? child, 'data')
  const { url, pid } = JSON.parse(String(said))
  strays.push(pid)
  return { child, url, pid }
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await once(child, 'exit')
}

describe('the embedded server', () => {
  test('is a durable one that only this machine reaches, and what it keeps is there after a stop', async () => {
    const home = copyOfMade('kept')
    const server = await start(home)
    expect(
      await ask(
        server.url,
        `select setting from pg_settings
      where name in ('fsync', 'full_page_writes', 'listen_addresses', 'synchronous_commit') order by name`,
      ),
    ).toEqual([{ setting: 'on' }, { setting: 'on' }, { setting: '127.0.0.1' }, { setting: 'on' }])
    await ask(server.url, 'create table kept as select 42 as answer')
    await server.stop()
    expect(startOf(server.pid())).toBeUndefined()
    expect(existsSync(join(home, 'lock'))).toBe(false)
    expect(await ask((await start(home)).url, 'select answer from kept')).toEqual([{ answer: 42 }])
  })

  test('keeps its password to its owner and to itself', async () => {
    const home = copyOfMade('password')
    const sentences: string[] = []
    const { url } = await start(home, sentences)
    const path = join(home, 'postgres-password')
    expect(statSync(path).mode & 0o077).toBe(0)
    expect(url).toContain(readFileSync(path, 'utf8'))
    expect(sentences.join()).not.toContain(readFileSync(path, 'utf8'))
    const wrong = new URL(url)
    wrong.password = 'wrong'
    await expect(ask(wrong.toString(), 'select 1')).rejects.toMatchObject({ code: '28P01' })
  })

  test('a second process in the same home is refused in a sentence, and the first goes on', async () => {
    const home = copyOfMade('second')
    const { url } = await start(home)
    await expect(startEmbeddedPostgres({ home })).rejects.toMatchObject({
      code: 'HOME_IN_USE',
      message: expect.stringContaining(`process ${process.pid} already works in`),
    })
    expect(await ask(url, 'select 1 as one')).toEqual([{ one: 1 }])
  })

  test('is taken over after a kill -9 of Holdfast, although the server still runs; nothing committed is lost', async () => {
    const home = copyOfMade('orphan')
    const first = await holdfastWith(home)
    await ask(first.url, 'create table kept as select 1 as answer')
    await kill(first.child)
    expect(startOf(first.pid)).toBeDefined()
    const sentences: string[] = []
    const { url } = await start(home, sentences)
    expect(startOf(first.pid)).toBeUndefined()
    expect(sentences.join()).toContain(`process ${first.pid}`)
    expect(await ask(url, 'select answer from kept')).toEqual([{ answer: 1 }])
  })

  test('also where the home was reached under another name', async () => {
    const home = copyOfMade('real')
    const other = join(folder, 'other name')
    symlinkSync(home, other)
    const first = await holdfastWith(other)
    await kill(first.child)
    await start(home)
    expect(startOf(first.pid)).toBeUndefined()
  })

  test('and after a kill -9 of both', async () => {
    const home = copyOfMade('both')
    const first = await holdfastWith(home)
    await ask(first.url, 'create table kept as select 1 as answer')
    await kill(first.child)
    process.kill(first.pid, 'SIGKILL')
    expect(await ask((await start(home)).url, 'select answer from kept')).toEqual([{ answer: 1 }])
  })

  test('somebody else’s server that has the old number by now is left alone', async () => {
    const home = copyOfMade('mine')
    const theirs = await start(copyOfMade('theirs'))
    writeFileSync(join(home, 'postgres', 'postmaster.pid'), `${theirs.pid()}\n`)
    // PostgreSQL itself refuses a folder whose server seems to live; it must not have been stopped by us.
    await startEmbeddedPostgres({ home }).then(
      (server) => running.push(server),
      () => undefined,
    )
    expect(await ask(theirs.url, 'select 1 as one')).toEqual([{ one: 1 }])
  })

  test('is started again when it dies, on the same port, with everything that was committed', async () => {
    const sentences: string[] = []
    const server = await start(copyOfMade('dies'), sentences)
    await ask(server.url, 'create table kept as select 1 as answer')
    const before = server.pid()
    process.kill(before, 'SIGKILL')
    expect(await eventually(server.url, 'select answer from kept')).toEqual([{ answer: 1 }])
    expect(server.pid()).not.toBe(before)
    strays.push(server.pid())
    expect(sentences.join()).toContain('ended unexpectedly')
  })

  test('half a folder, left by a kill in the middle of making it, is made anew', async () => {
    const home = join(folder, 'half')
    mkdirSync(join(home, 'postgres.new'), { recursive: true })
    writeFileSync(join(home, 'postgres.new', 'PG_VERSION'), '18\n')
    expect(await ask((await start(home)).url, 'select 1 as one')).toEqual([{ one: 1 }])
    expect(existsSync(join(home, 'postgres.new'))).toBe(false)
  })

  test('data whose password is gone is told of in a sentence, and not touched', async () => {
    const home = copyOfMade('no-password')
    rmSync(join(home, 'postgres-password'))
    await expect(startEmbeddedPostgres({ home })).rejects.toThrow(/postgres-password is missing/)
    expect(existsSync(join(home, 'postgres', 'PG_VERSION'))).toBe(true)
    expect(existsSync(join(home, 'lock'))).toBe(false)
  })

  test('a server that cannot start is given up with the name of its log, and leaves nothing running', async () => {
    const home = copyOfMade('broken')
    writeFileSync(join(home, 'postgres', 'postgresql.conf'), 'nonsense = yes\n')
    await expect(startEmbeddedPostgres({ home })).rejects.toThrow(/PostgreSQL does not start: see .*postgres\.log/)
    expect(readFileSync(join(home, 'postgres.log'), 'utf8')).toContain('nonsense')
    expect(existsSync(join(home, 'lock'))).toBe(false)
  })
})
