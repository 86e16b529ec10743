import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decideAt } from '../../../test/past.ts'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import { figure, order, orderCall, sealAll } from '../../../test/postgres-world.ts'
import { instantOf, skuOf } from '../../core/ids.ts'
import { appendEntry } from './ledger.ts'
import { cellOf } from './ledger-csv.ts'
import { exportLedger } from './ledger-export.ts'
import type { LedgerFilter } from './ledger-search.ts'

let fresh: FreshDatabase
const EVIL = '=HYPERLINK("http://x")'

beforeAll(async () => {
  fresh = await freshDatabase()
  for (let day = 1; day <= 3; day += 1) {
    await decideAt(fresh.database, `2026-01-0${day}T12:00:00Z`, [
      figure('A', 10 * day, day),
      orderCall(`a-${day}`, [
        ['A', day],
        ['B', 1],
      ]),
      order(`o-${day}`, [{ sku: 'A', units: day, lineKey: `a-${day}-A` }]),
    ])
  }
  await decideAt(fresh.database, '2026-01-04T12:00:00Z', [figure(EVIL, 1, 1)])
  await fresh.database.transaction((client) =>
    appendEntry(client, {
      stream: 'shop:nord',
      kind: 'told',
      actor: '@sum',
      cause: 'say "so",\nplease',
      configuration: 0,
      body: { x: 1 },
    }),
  )
  await sealAll(fresh.database)
})
afterAll(() => fresh.drop())

async function exported(filter: LedgerFilter, format: 'ndjson' | 'csv'): Promise<string> {
  let text = ''
  for await (const piece of exportLedger(fresh.database, filter, format)) text += piece
  return text
}

/** Reads RFC 4180: rows of cells. */
function cellsOf(csv: string): string[][] {
  const rows: string[][] = [[]]
  for (const [, quoted, bare, end] of csv.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/g)) {
    rows.at(-1)?.push(quoted === undefined ? (bare ?? '') : quoted.replaceAll('""', '"'))
    if (end === '\r\n') rows.push([])
    if (end === '') break
  }
  return rows.filter((row) => row.length > 1)
}

const asObjects = (csv: string): Record<string, string>[] => {
  const [head = [], ...rows] = cellsOf(csv)
  return rows.map((row) => Object.fromEntries(head.map((name, index) => [name, row[index] ?? ''])))
}

describe('CSV', () => {
  test('every change is one row that goes on where the one before it ended', async () => {
    const rows = asObjects(await exported({}, 'csv'))
    const last = new Map<string, Record<string, string>>()
    for (const row of rows.filter(({ stream }) => stream?.startsWith('sku:'))) {
      const name = `${row.stream} ${row.what} ${row.key}`
      expect(row.from).toBe(last.get(name)?.to ?? '')
      expect(row.units_from).toBe(last.get(name)?.units_to ?? '')
      expect(row.state_from).toBe(last.get(name)?.state_to ?? '')
      last.set(name, row)
    }
    expect(rows.find(({ what, units_from }) => what === 'shelf' && units_from === '10')).toMatchObject({
      stream: 'sku:A',
      kind: 'word',
      key: 'main',
      units_to: '20',
    })
    expect(rows.find(({ kind }) => kind === 'order')).toMatchObject({
      what: 'demand',
      state_from: 'held on-hand main',
      state_to: 'placed on-hand main',
    })
  })

  test('what was before is told of a part of the ledger as well', async () => {
    const whole = asObjects(await exported({}, 'csv'))
    const keyOf = (row: Record<string, string>) => `${row.stream} ${row.version} ${row.what} ${row.key} ${row.to}`
    const all = new Map(whole.map((row) => [keyOf(row), row]))
    for (const filter of [
      { sku: skuOf('A') },
      { kind: 'order' },
      { from: instantOf(Date.parse('2026-01-02T00:00:00Z')), to: instantOf(Date.parse('2026-01-03T00:00:00Z')) },
    ]) {
      const rows = asObjects(await exported(filter, 'csv'))
      expect(rows.length).toBeGreaterThan(1)
      for (const row of rows) expect(row).toEqual(all.get(keyOf(row)))
    }
  })

  test('what a spreadsheet would take for a formula is text, and quotes, commas and lines stay where they are', async () => {
    const rows = asObjects(await exported({}, 'csv'))
    expect(rows.find(({ stream }) => stream === 'shop:nord')).toMatchObject({
      actor: "'@sum",
      cause: 'say "so",\nplease',
      to: '{"x":1}',
    })
    expect(rows.some(({ stream }) => stream === `sku:${EVIL}`)).toBe(true)
    expect(cellOf('=1+1')).toBe("'=1+1")
    for (const start of ['=', '+', '-', '@', '\t']) expect(cellOf(`${start}x`)).toMatch(/^"?'/)
    expect(cellOf(`=HYPERLINK("x")`)).toBe(`"'=HYPERLINK(""x"")"`)
    expect(cellOf('\r=x')).toBe(`"'\r=x"`)
    expect(cellOf(-5)).toBe('-5')
    expect(cellOf('plain')).toBe('plain')
  })
})

describe('NDJSON', () => {
  test('all of it: entries with their hashes, in the order of the seals that stand between them', async () => {
    const lines = (await exported({}, 'ndjson'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    const seals = lines.filter((line) => 'seal' in line)
    expect(seals.reduce((sum, { entries }) => sum + entries, 0)).toBe(lines.length - seals.length)
    expect('seal' in lines.at(-1)).toBe(true)
    expect(lines[0]).toEqual({
      stream: 'sku:A',
      version: 1,
      at: '2026-01-01T12:00:00.000Z',
      kind: 'word',
      actor: 'test',
      cause: 'test',
      configuration: 1,
      body: { changes: [expect.objectContaining({ set: 'shelf' })] },
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
  })

  test('of a filter: what fits, and no seals, for they would cover more', async () => {
    const lines = (await exported({ sku: skuOf('B') }, 'ndjson'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines.map(({ stream, version }) => `${stream} ${version}`)).toEqual(
      [1, 2, 3, 4, 5, 6].map((version) => `sku:B ${version}`),
    )
    expect(await exported({ actor: 'nobody' }, 'ndjson')).toBe('')
  })
})
