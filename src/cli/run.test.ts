import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { plain, table } from './command.ts'
import { COMMANDS, run } from './run.ts'

/** Runs a command line against an address. */
async function cli(args: readonly string[], env: Record<string, string> = {}) {
  const out: string[] = []
  const err: string[] = []
  const code = await run(args, {
    env: { HOLDFAST_URL: NOBODY, HOLDFAST_TOKEN: 'some-token', ...env },
    out: (text) => out.push(text),
    err: (text) => err.push(text),
    version: '1.2.3',
  })
  return { code, out: out.join('\n'), err: err.join('\n') }
}

/** An address where nobody listens: the port of nothing. */
const NOBODY = 'http://127.0.0.1:1'

let folder: string
let stranger: Server
let strangerUrl: string
let answer: { status: number; type: string; body: string } = { status: 200, type: 'text/html', body: '<html>' }
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-cli-'))
  stranger = createServer((_, reply) =>
    reply.writeHead(answer.status, { 'content-type': answer.type }).end(answer.body),
  )
  await new Promise<void>((listening) => stranger.listen(0, '127.0.0.1', listening))
  const address = stranger.address()
  strangerUrl = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
})
afterAll(() => {
  stranger.close()
  rmSync(folder, { recursive: true })
})

describe('help', () => {
  test('of all commands names each of them, the exit codes and the environment', async () => {
    const { code, out } = await cli(['--help'])
    expect(code).toBe(0)
    for (const { name, summary } of COMMANDS) expect(out).toContain(`${name.padEnd(12)}  ${summary}`)
    expect(out).toMatch(/0 done.*1 failed.*2 wrong call.*3 the service said no.*4 nobody answers/)
    expect(await cli(['help'])).toEqual({ code: 0, out, err: '' })
    expect(await cli([])).toEqual({ code: 2, out, err: '' })
  })

  test.each(COMMANDS.map(({ name }) => name))(
    'of %s says what it does and how it is called, and does nothing',
    async (name) => {
      const told = await cli([name, '--help'])
      expect(told.code).toBe(0)
      expect(told.out).toContain(`holdfast ${name}`)
      expect(told.out.split('\n')[0]).toMatch(/^[A-Z].{10,}/)
      expect(await cli([name, '-h'])).toEqual(told)
      expect(await cli(['help', name])).toEqual(told)
      expect(await cli([name, 'x', '--help', '--json'])).toEqual(told)
    },
  )

  test('is not asked for behind a double dash', async () => expect((await cli(['stock', '--', '--help'])).code).toBe(4))

  test('the version is one line', async () =>
    expect(await cli(['--version'])).toEqual({ code: 0, out: '1.2.3', err: '' }))
})

describe('a wrong call', () => {
  test.each([
    [['stok']],
    [['\u001b[2Jstock']],
    [['stock']],
    [['stock', '--shop']],
    [['stock', 'A', '--shopp', 'x']],
    [['stock', 'A', '--json=yes']],
    [['reserve']],
    [['reserve', 'till']],
    [['reserve', 'till', 'k']],
    [['reserve', 'till', 'k', 'A']],
    [['reserve', 'till', 'k', 'A=0']],
    [['reserve', 'till', 'k', 'A=-1']],
    [['reserve', 'till', 'k', 'A=1.5']],
    [['reserve', 'till', 'k', 'A=1e2']],
    [['reserve', 'till', 'k', '=1']],
    [['reserve', 'till', 'k', 'A=1', '--release']],
    [['reserve', 'till', 'k', '--release', '--place', 'X']],
    [['ledger', 'extra']],
    [['ledger', '--limit', 'many']],
    [['ledger', '--after', '-1']],
    [['incidents', '--limit=1e3']],
    [['dead-letters', '--replay', 'x']],
    [['dead-letters', '--replay']],
    [['tokens']],
    [['tokens', 'create']],
    [['tokens', 'create', 'x', '--scope', 'root']],
    [['tokens', 'delete', 'x']],
    [['apply']],
    [['apply', 'a', 'b']],
    [['apply', '/no/such/file']],
    [['apply', '/']],
    [['send', 'wms']],
    [['send', 'wms', '/no/such/file']],
    [['export', 'x']],
    [['shops', '--retire']],
    [['shops', 'release']],
    [['shops', 'nord']],
    [['verify', '--fast']],
    [['shopware-app', 'make']],
    [['shopware-app', 'build', '--public-url', 'ftp://x']],
    [['serve', '--port', '1']],
    [['demo', 'x']],
  ])('row 130: %j ends with 2, a reason and the usage, and asks nobody', async (args) => {
    const { code, out, err } = await cli(args)
    expect([code, out]).toEqual([2, ''])
    expect(err).toMatch(/\S.*\n\n.*holdfast/s)
    expect(err).not.toContain('\u001b')
    expect(err).not.toMatch(/at .*\.ts:/)
  })

  test('row 130: a secret that is not set is named', async () => {
    writeFileSync(join(folder, 'message.json'), '{}')
    const { code, err } = await cli(['send', 'wms', join(folder, 'message.json')])
    expect([code, err]).toEqual([2, expect.stringContaining('Set HOLDFAST_SOURCE_SECRET')])
  })

  test.each([
    [{ HOLDFAST_URL: 'nowhere' }, 'HOLDFAST_URL'],
    [{ HOLDFAST_URL: '', PORT: '99999' }, 'PORT'],
  ])('a wrong environment (%j) is named', async (env, name) => {
    const { code, err } = await cli(['stock', 'A'], env)
    expect([code, err]).toEqual([2, expect.stringMatching(new RegExp(`^${name} is`))])
  })

  test.each([
    [{ PORT: 'x' }, 'PORT'],
    [{ LOG_LEVEL: 'loud' }, 'LOG_LEVEL'],
    [{ HOLDFAST_SCHEMA: 'Robert"; drop' }, 'HOLDFAST_SCHEMA'],
    [{ DATABASE_URL: 'mysql://x' }, 'DATABASE_URL'],
    [{ HOLDFAST_PUBLIC_URL: 'shop' }, 'HOLDFAST_PUBLIC_URL'],
  ])('a service with the environment %j does not start', async (env, name) => {
    const { code, err } = await cli(['serve'], env)
    expect([code, err]).toEqual([2, expect.stringContaining(name)])
  })
})

describe('nobody answers', () => {
  test.each(['stock A', 'ledger', 'incidents', 'dead-letters', 'shops', 'export', 'verify', 'tokens create x'])(
    '%s ends with 4 and says what to do',
    async (line) => {
      const { code, out, err } = await cli(line.split(' '))
      expect([code, out]).toEqual([4, ''])
      expect(err).toContain(`No Holdfast answers at ${NOBODY}`)
    },
  )

  test.each([
    { status: 200, type: 'text/html', body: '<html>Sign in</html>' },
    { status: 200, type: 'text/plain', body: '[]' },
    { status: 502, type: 'text/html', body: '<html>Bad gateway</html>' },
  ])('somebody else answers: %j ends with 4', async (told) => {
    answer = told
    const { code, err } = await cli(['ledger'], { HOLDFAST_URL: strangerUrl })
    expect([code, err]).toEqual([4, expect.stringContaining('it is no Holdfast')])
  })
})

test('the service says no: 3, its code, its words, and each field', async () => {
  answer = {
    status: 422,
    type: 'application/problem+json',
    body: JSON.stringify({
      code: 'CONFIGURATION_WRONG',
      detail: 'shops.a is wrong.\u001b[2J',
      problems: [{ path: 'shops.a', line: 7, problem: 'is wrong' }],
    }),
  }
  const { code, out, err } = await cli(['ledger'], { HOLDFAST_URL: strangerUrl })
  expect([code, out]).toEqual([3, ''])
  expect(err).toBe('CONFIGURATION_WRONG: shops.a is wrong.\\u001b[2J\n  line 7: shops.a is wrong')
})

describe('what a terminal is shown', () => {
  test('row 82: obeys nobody: control and direction characters are written out', () => {
    expect(plain('a\u001b[2J\u202eb\r\u0007c\n')).toBe('a\\u001b[2J\\u202eb\\u000d\\u0007c\n')
    expect(plain('Mütze 😀 日本')).toBe('Mütze 😀 日本')
    expect(JSON.parse(plain(JSON.stringify({ a: '\u202e\u{e0001}' })))).toEqual({ a: '\u202e\u{e0001}' })
  })

  test('a table keeps its rows, whatever is in a cell', () =>
    expect(
      table(
        ['NAME', 'UNITS'],
        [
          ['a\nb', 5],
          ['c', 10],
        ],
      ),
    ).toBe('NAME  UNITS\na\\nb      5\nc        10'))
})

describe('the program itself', () => {
  const bin = fileURLToPath(new URL('../../bin/holdfast.js', import.meta.url))
  const start = (...args: string[]) =>
    promisify(execFile)(process.execPath, [bin, ...args], { env: { ...process.env, HOLDFAST_URL: NOBODY } }).then(
      ({ stdout }) => ({ code: 0, stdout }),
      (cause: { code: number; stdout: string }) => ({ code: cause.code, stdout: cause.stdout }),
    )

  test('ends with the exit code of its command', async () => {
    expect(await start('--version')).toEqual({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
    expect(await start('nothing')).toMatchObject({ code: 2 })
    expect(await start('ledger')).toMatchObject({ code: 4 })
  })
})
