/** The examples are run as a stranger would run them, and what they print is compared with the text beside them. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pino from 'pino'
import { afterEach, expect, test } from 'vitest'
import { clientOf } from '../src/cli/command.ts'
import { readConfig } from '../src/config.ts'
import { until } from '../src/http/served.ts'
import { startService } from '../src/service.ts'
import { type FreshDatabase, freshDatabase } from './postgres.ts'
import { ROOT, textOf } from './source-files.ts'

const WMS_SECRET = `whsec_${Buffer.from('the secret of the examples, 32 b').toString('base64')}`

let end: () => Promise<void> = async () => undefined
afterEach(() => end())

/** A Holdfast of its own with the example's rules in force, and the environment that the programs want. */
async function startHoldfast(): Promise<Record<string, string>> {
  const fresh: FreshDatabase = await freshDatabase()
  const home = await mkdtemp(join(tmpdir(), 'holdfast-examples-'))
  const service = await startService({
    config: readConfig({ DATABASE_URL: fresh.url, HOLDFAST_HOME: home, PORT: '0' }),
    log: pino({ level: 'silent' }),
    version: 'test',
    secret: (name) => (name === 'WMS_SECRET' ? WMS_SECRET : undefined),
  })
  end = async () => {
    await service.stop()
    await fresh.drop()
    await rm(home, { recursive: true, force: true })
  }
  const client = clientOf({ url: service.url, token: service.adminToken, tokenFile: '' })
  await client.request('PUT', '/v1/configuration', {
    raw: textOf('examples/holdfast.yaml'),
    headers: { 'content-type': 'application/yaml' },
  })
  return { HOLDFAST_URL: service.url, HOLDFAST_TOKEN: service.adminToken, WMS_SECRET }
}

async function runExample(name: string, env: Record<string, string>): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, 'examples', `${name}.ts`)], { env })
  return stdout
}

test('the example warehouse prints what it says it prints', async () => {
  const printed = await runExample('warehouse', await startHoldfast())
  expect(printed).toBe(await readFile(join(ROOT, 'examples/warehouse.txt'), 'utf8'))
})

test('the example till prints what it says it prints', async () => {
  const env = await startHoldfast()
  await runExample('warehouse', env)
  expect(await runExample('reserve', env)).toBe(await readFile(join(ROOT, 'examples/reserve.txt'), 'utf8'))
})

test('the example that checks a ledger finds an exported one whole, and every forgery of it', async () => {
  const env = await startHoldfast()
  await runExample('warehouse', env)
  const client = clientOf({ url: env.HOLDFAST_URL ?? '', token: env.HOLDFAST_TOKEN, tokenFile: '' })
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-ledger-'))
  const exported = async (): Promise<string> => {
    const pieces: Uint8Array[] = []
    for await (const piece of await client.open('GET', '/v1/ledger/export', 'application/x-ndjson')) pieces.push(piece)
    return Buffer.concat(pieces).toString()
  }
  const check = async (text: string): Promise<string> => {
    const file = join(folder, 'ledger.ndjson')
    await writeFile(file, text)
    return await promisify(execFile)(process.execPath, [join(ROOT, 'examples/check-ledger.ts'), file]).then(
      ({ stdout }) => stdout,
      ({ stdout }) => stdout,
    )
  }
  const isSealed = (text: string): boolean => text.trimEnd().split('\n').at(-1)?.startsWith('{"seal"') ?? false
  let text = ''
  await until(async () => {
    text = await exported()
    return isSealed(text)
  })
  const lines = text.trimEnd().split('\n')
  expect(await check(text)).toMatch(/^\d+ entries, \d+ seals, 0 not sealed yet: whole\n$/)
  expect(await check(text.replace('"actor":"', '"actor":"x'))).toMatch(/v1: was changed\n/)
  expect(await check(lines.slice(1).join('\n'))).toMatch(/seal 1: its block was changed\n/)
  const last = JSON.parse(lines.at(-1) ?? '')
  expect(await check([...lines.slice(0, -1), JSON.stringify({ ...last, hash: last.block })].join('\n'))).toMatch(
    /its hash is wrong\n/,
  )
  await rm(folder, { recursive: true })
})
