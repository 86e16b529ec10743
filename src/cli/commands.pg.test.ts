import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decideAt } from '../../test/past.ts'
import { figure } from '../../test/postgres-world.ts'
import { writeConfigurationYaml } from '../app/configuration-file.ts'
import { ERP_TOKEN, type Served, serve, until, WMS_SECRET, WORLD } from '../http/served.ts'
import { EXIT } from './command.ts'
import { run } from './run.ts'

let holdfast: Served
let folder: string
beforeAll(async () => {
  holdfast = await serve()
  folder = mkdtempSync(join(tmpdir(), 'holdfast-cli-'))
})
afterAll(async () => {
  await holdfast.end()
  rmSync(folder, { recursive: true })
})

async function cli(line: string | readonly string[], env: Record<string, string> = {}) {
  const out: string[] = []
  const err: string[] = []
  const code = await run(typeof line === 'string' ? line.split(' ') : line, {
    env: { HOLDFAST_URL: holdfast.url, HOLDFAST_TOKEN: holdfast.token, HOLDFAST_SOURCE_SECRET: WMS_SECRET, ...env },
    out: (text) => out.push(text),
    err: (text) => err.push(text),
    version: '0.0.0',
  })
  return { code, out: out.join('\n'), err: err.join('\n') }
}
const json = async (line: string | readonly string[]) =>
  JSON.parse((await cli(typeof line === 'string' ? `${line} --json` : [...line, '--json'])).out)
const file = (name: string, text: string | Buffer): string => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

describe('send', () => {
  test('brings a message as the warehouse would, and says what became of it', async () => {
    const path = file('flat.json', '{"sku":"LAMP","available_stock":42,"reserved_stock":5,"incoming_stock":20}')
    expect(await cli(['send', 'wms', path, '--id', 'cli-1'])).toEqual({
      code: EXIT.ok,
      out: '1 accepted, 0 known already, 0 dead letters.\n  note: INCOMING_WITHOUT_DAY',
      err: '',
    })
    expect((await cli(['send', 'wms', path, '--id', 'cli-1'])).out).toMatch(/^0 accepted, 1 known already/)
    expect(await json(['send', 'wms', path, '--id', 'cli-1'])).toMatchObject({ repeated: 1 })
    const lines = file('lines.ndjson', '{"sku":"A","available_stock":1}\n{"sku":"B","available_stock":-1}\n')
    expect((await cli(['send', 'wms', lines, '--ndjson'])).out).toMatch(
      /^1 accepted, 0 known already, 1 dead letters\.\n {2}message 1: available_stock must lie .* \(dead letter \d+\)$/,
    )
  })

  test('sends a file byte for byte, by a token too, and is refused with a wrong secret', async () => {
    const bytes = file('latin1.json', Buffer.from('{"sku":"M\u00fctze","available_stock":1}', 'latin1'))
    expect((await cli(['send', 'wms', bytes])).out).toContain('It is not UTF-8')
    const path = file('depot.json', '{"sku":"DEPOT","available_stock":1}')
    expect((await cli(['send', 'erp', path, '--bearer'], { HOLDFAST_SOURCE_SECRET: ERP_TOKEN })).code).toBe(EXIT.ok)
    const wrong = await cli(['send', 'wms', path], { HOLDFAST_SOURCE_SECRET: `whsec_${'A'.repeat(44)}` })
    expect([wrong.code, wrong.err]).toEqual([EXIT.refused, 'NOT_AUTHENTIC: The message is not authentic.'])
  })
})

describe('stock', () => {
  test('shows what is sellable and from where; what nobody knows is said', async () => {
    await holdfast.applied()
    const { code, out } = await cli('stock LAMP NEVER')
    expect(code).toBe(EXIT.ok)
    expect(out).toMatch(/^LAMP {2}\(ledger version 1\)\n\nSHOP +SELLABLE/)
    expect(out).toMatch(/till +42 +42/)
    expect(out).toMatch(/main \(net\) +42/)
    expect(out).toContain('NEVER: no warehouse has said a word')
    expect(await json('stock LAMP --shop till')).toMatchObject([{ sku: 'LAMP', shops: [{ sellableUnits: 42 }] }])
  })

  test('shows how it was at a moment', async () => {
    const [entry] = (await json('ledger --sku LAMP')).entries
    const { code, out } = await cli(`stock LAMP --at ${entry.at}`)
    expect(code).toBe(EXIT.ok)
    expect(out).toContain(
      `LAMP  (ledger version 1, as it was at ${entry.at}: last changed ${entry.at}, rules of version 1)`,
    )
    expect((await cli('stock LAMP --at 2026-01-01T00:00:00Z')).err).toMatch(/^NOT_KNOWN_THEN: .* before 2/)
    expect((await cli('stock LAMP --at 2099-01-01T00:00:00Z')).err).toMatch(/^MOMENT_AHEAD/)
    expect((await cli('stock LAMP --at yesterday')).err).toMatch(/^REQUEST_WRONG: at must be an RFC 3339 time/)
  })

  test('finds a SKU with a comma', async () => {
    await cli(['send', 'wms', file('comma.json', '{"sku":"A,B","available_stock":3}')])
    await holdfast.applied()
    expect(await json(['stock', 'A,B'])).toMatchObject([{ sku: 'A,B', shops: [{ sellableUnits: 3 }] }])
  })

  test('of a shop that is not configured is refused', async () => {
    const { code, err } = await cli('stock LAMP --shop nowhere')
    expect([code, err]).toEqual([EXIT.refused, 'SHOP_UNKNOWN: No shop "nowhere" is configured.'])
  })
})

describe('reserve', () => {
  test('holds, places and gives back, and tells a refusal with its numbers', async () => {
    expect((await cli('reserve till k1 LAMP=2')).out).toMatch(/LAMP +2 +2 {2}2 main\n\nHeld until 2/)
    expect((await cli('reserve till k1 --place 10001')).out).toBe('Order 10001: 2 units from its hold.')
    expect(await cli('reserve till k2 LAMP=41')).toEqual({
      code: EXIT.refused,
      out: '',
      err: 'NOT_ENOUGH: LAMP: 41 asked, 40 sellable',
    })
    expect((await json('reserve till k2 LAMP=41 --partial')).lines[0]).toMatchObject({ grantedUnits: 40 })
    expect((await cli('reserve till k2 --release')).out).toBe('40 units given back.')
  })
})

describe('lists', () => {
  test('the ledger says who, why and what, page by page', async () => {
    const { out } = await cli('ledger --sku LAMP --limit 2')
    expect(out).toMatch(/^AT +STREAM +VERSION +COMMAND/)
    expect(out).toMatch(/sku:LAMP +2 +hold +held 2 +token:admin/)
    expect(out).toMatch(/More: --after 2$/)
    expect((await json('ledger --sku LAMP --after 2')).entries[0]).toMatchObject({ version: 3, kind: 'order' })
  })

  test('the ledger is searched by who, why, what and when', async () => {
    const entries = async (line: string) => (await json(`ledger ${line}`)).entries
    expect(await entries('--kind hold --actor token:admin')).not.toHaveLength(0)
    for (const entry of await entries('--kind hold')) expect(entry.kind).toBe('hold')
    expect(await entries('--cause order:10001')).toHaveLength(1)
    expect(await entries('--to 2026-01-01T00:00:00Z')).toEqual([])
    expect((await entries('--from 2026-01-01T00:00:00Z')).length).toBeGreaterThan(0)
    expect((await cli('ledger --from yesterday')).err).toMatch(/^REQUEST_WRONG: from must be an RFC 3339 time/)
    expect((await cli('ledger fold')).code).toBe(EXIT.usage)
  })

  test('the ledger is written into a file, whole or not at all', async () => {
    const path = join(folder, 'ledger.csv')
    expect((await cli(['ledger', 'export', '--sku', 'LAMP', '--format', 'csv', '--out', path])).out).toMatch(
      /ledger\.csv: \d+ lines, \d+ bytes\.$/,
    )
    expect(readFileSync(path, 'utf8')).toMatch(/^at,stream,version,kind,[^\n]*\r\n2[^\n]*,sku:LAMP,1,word,/)
    const whole = join(folder, 'ledger.ndjson')
    expect((await cli(['ledger', 'export', '--out', whole])).code).toBe(EXIT.ok)
    expect(readFileSync(whole, 'utf8').split('\n')[0]).toMatch(/^\{"stream":/)
    expect((await cli(['ledger', 'export', '--format', 'xml', '--out', path])).code).toBe(EXIT.usage)
    expect((await cli(['ledger', 'export', '--from', 'x', '--out', path])).code).toBe(EXIT.refused)
    expect((await cli(['ledger', 'export', '--out', join(folder, 'no', 'such', 'folder')])).code).toBe(EXIT.usage)
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([])
  })

  test('months that are over are archived into files, and the files proved; the present one stays', async () => {
    await decideAt(holdfast.database, '2026-01-10T12:00:00Z', [figure('OLDEST', 5, 1)])
    await decideAt(holdfast.database, '2026-02-10T12:00:00Z', [figure('OLDEST', 7, 2)])
    await until(async () => (await json('ledger months')).kept.length === 3)
    expect((await cli('ledger archive --before 2026-03 --dry-run')).out).toBe(
      'Would archive 2 months (dry run, nothing was changed):\n  2026-01: 1 entries\n  2026-02: 1 entries',
    )
    const told = await cli(['ledger', 'archive', '--before', '2026-03', '--out', folder])
    expect([told.code, told.out]).toEqual([
      EXIT.ok,
      expect.stringMatching(/^2026-01 {2}1 entries .*\n2026-02 {2}1 entries /),
    ])
    expect((await cli('ledger months')).out).toMatch(/2026-01 +1 +archived, SHA-256 [0-9a-f]{64}\n/)
    expect((await cli(['ledger', 'archive', '--before', '2026-03', '--out', folder])).out).toBe(
      'No month before 2026-03 is here.',
    )
    const january = join(folder, 'ledger-2026-01.ndjson')
    const february = join(folder, 'ledger-2026-02.ndjson')
    const proved = await cli(['verify', '--archive', january, '--archive', february])
    expect([proved.code, proved.out]).toEqual([
      EXIT.ok,
      expect.stringMatching(/-01\.ndjson: whole, and what was archived \(2026-01, 1 entries, 1 seals\)\.\n/),
    ])
    const forged = file('forged.ndjson', readFileSync(january, 'utf8').replace('"units":5', '"units":6'))
    const wrong = await cli(['verify', '--archive', forged])
    expect([wrong.code, wrong.out]).toEqual([
      EXIT.failed,
      expect.stringMatching(/Line 1, .*its content does not match/),
    ])
    expect(wrong.out).toContain('the ledger tells of no month')
    expect((await cli(['verify', '--archive', join(folder, 'none')])).code).toBe(EXIT.usage)
    expect((await cli('verify')).out).toMatch(/2 entries more lie in archived months; their seals hold\.$/)
    expect((await cli('stock OLDEST --at 2026-01-20T00:00:00Z')).err).toMatch(/^MOMENT_ARCHIVED: /)
    for (const wrongCall of ['--before 2026', '--before 2026-03', '--before 2026-03 --out /no/such'])
      expect((await cli(`ledger archive ${wrongCall}`)).code).toBe(EXIT.usage)
  })

  test('incidents, and that there are none', async () => {
    expect((await cli('incidents')).out).toBe('No open incident.')
    await holdfast.deliver({ sku: 'B', available_stock: 0 })
    await holdfast.applied()
    const lines = [{ lineId: 'L', sku: 'B', units: 1 }]
    await holdfast.ask('POST', '/v1/shops/till/orders', { body: { order: 'S1', lines } })
    expect((await cli('incidents')).out).toMatch(/open +SHORTAGE +till +S1 +B +1/)
    const [{ id }] = (await json('incidents')).incidents
    expect((await cli(`incidents close ${id}`)).out).toBe(`Incident ${id} is closed.`)
    expect((await cli('incidents')).out).toBe('No open incident.')
    expect((await cli('incidents --closed')).out).toMatch(/closed +SHORTAGE/)
    for (const wrong of ['close', 'open 1', 'close x', 'close 1 2'])
      expect((await cli(`incidents ${wrong}`)).code).toBe(EXIT.usage)
  })

  test('dead letters, and their replay: 0 when it is taken, 1 while it is still wrong, 3 when there is none', async () => {
    const [letter] = (await json('dead-letters --limit 1')).deadLetters
    expect((await cli('dead-letters')).out).toMatch(/available_stock must lie between/)
    expect(await cli(`dead-letters --replay ${letter.id}`)).toMatchObject({
      code: EXIT.failed,
      out: 'Still wrong: available_stock must lie between 0 and 2147483647.',
    })
    expect((await cli('dead-letters --replay 999999')).code).toBe(EXIT.refused)
    await holdfast.deliver({ sku: 'TWIN', available_stock: 1 }, { id: 'twin' })
    await holdfast.deliver({ sku: 'TWIN', available_stock: 2 }, { id: 'twin' })
    const twin = (await json('dead-letters')).deadLetters.find(
      ({ messageId }: { messageId: string }) => messageId === 'twin',
    )
    expect(await cli(`dead-letters --replay ${twin.id}`)).toMatchObject({
      code: EXIT.ok,
      out: `Dead letter ${twin.id} was taken.`,
    })
    expect((await cli(`dead-letters --replay ${twin.id}`)).code).toBe(EXIT.refused)
  })

  test('a message that would command the terminal is shown, not obeyed', async () => {
    await holdfast.deliver('{"sku":"\u001b[2J\u202eEVIL"')
    const { out } = await cli('dead-letters')
    expect(out).toContain('\\u001b[2J\\u202eEVIL')
    for (const hidden of ['\u001b', '\u202e']) expect(out).not.toContain(hidden)
  })

  test('shops', async () => {
    expect((await cli('shops')).out).toMatch(/till +channel +connected/)
    expect(await json('shops')).toEqual([{ shop: 'till', kind: 'channel', state: 'connected' }])
  })
})

describe('apply and export', () => {
  test('what is exported can be applied and changes nothing', async () => {
    const exported = await cli('export')
    expect(exported.out).toBe(writeConfigurationYaml(WORLD).trimEnd())
    const path = file('holdfast.yaml', exported.out)
    expect(await cli(['apply', path])).toEqual({
      code: EXIT.ok,
      out: 'Nothing to change: version 1 says the same.',
      err: '',
    })
    expect(await json('export')).toEqual(WORLD)
  })

  test('a dry run shows the difference and changes nothing; the change makes a version', async () => {
    const path = join(folder, 'holdfast.yaml')
    const changed = file(
      'changed.yaml',
      readFileSync(path, 'utf8').replace('kind: channel', 'kind: channel\n    quotaUnits: 7'),
    )
    expect((await cli(['apply', changed, '--dry-run'])).out).toBe(
      'Would change 1 values (dry run, nothing was changed):\n  shops.till.quotaUnits: — → 7',
    )
    expect((await cli('export')).out).not.toContain('quotaUnits')
    expect((await cli(['apply', changed])).out).toBe('Version 2 is in force:\n  shops.till.quotaUnits: — → 7')
    expect((await cli('export')).out).toContain('quotaUnits: 7')
    expect(await json(['apply', path])).toMatchObject({
      version: 3,
      changes: [{ path: 'shops.till.quotaUnits', before: 7 }],
    })
  })

  test('a wrong file is told by line and path, and is not applied', async () => {
    const { code, err } = await cli([
      'apply',
      file('wrong.yaml', 'sources: {}\nwarehouses: {}\nshops:\n  a:\n    kind: shop\n'),
    ])
    expect(code).toBe(EXIT.refused)
    expect(err).toMatch(/^CONFIGURATION_WRONG: shops\.a/)
    expect(err).toMatch(/\n {2}line 5: shops\.a\.kind must be shopware or channel/)
  })
})

describe('tokens, verify and the app', () => {
  test('a token is made and works as far as its scope', async () => {
    const { token } = await json('tokens create clerk --scope read')
    expect((await cli('ledger', { HOLDFAST_TOKEN: token })).code).toBe(EXIT.ok)
    const refused = await cli('reserve till k9 LAMP=1', { HOLDFAST_TOKEN: token })
    expect([refused.code, refused.err]).toEqual([EXIT.refused, expect.stringMatching(/^SCOPE_TOO_NARROW/)])
    expect((await cli('ledger', { HOLDFAST_TOKEN: 'wrong-token' })).err).toMatch(/^TOKEN_MISSING/)
    expect((await cli('tokens create clerk2')).out).toMatch(/^hf_read_\S+\n\nKeep it now/)
  })

  test('verify says that all is well', async () => {
    const { code, out, err } = await cli('verify')
    expect([code, out]).toEqual([EXIT.ok, expect.stringMatching(/^All is well: \d+ entries/)])
    expect(err).toMatch(/^Entries: \d+ of \d+ \(100 %\), \d+\/s\n/)
    expect(await json('verify')).toMatchObject({ problems: [] })
  })

  test('verify ends with 1 when an entry was changed behind our back', async () => {
    const { pool } = holdfast.database
    await pool.query('alter table ledger_entry disable trigger all')
    await pool.query(`update ledger_entry set actor = 'nobody' where stream = 'sku:LAMP' and version = 1`)
    const { code, out } = await cli('verify')
    expect(code).toBe(EXIT.failed)
    expect(out).toMatch(/do not agree/)
  })

  test('the app is written with the secret of this service', async () => {
    const { code, out } = await cli(['shopware-app', 'build', folder, '--public-url', 'https://holdfast.example/'])
    expect(code).toBe(EXIT.ok)
    expect(out).toContain(`${folder}/Holdfast is written`)
    expect(readFileSync(join(folder, 'Holdfast', 'manifest.xml'), 'utf8')).toContain(
      'https://holdfast.example/shopware/registration',
    )
  })
})
