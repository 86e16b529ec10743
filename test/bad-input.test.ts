/** The page of bad input against the tests that it names. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ROOT } from './source-files.ts'

type Row = { readonly number: number; readonly cells: readonly string[]; readonly held: readonly [string, string][] }

const page = readFileSync(join(ROOT, 'test/bad-input.md'), 'utf8')
const rows: readonly Row[] = page.split('\n').flatMap((line) => {
  const number = /^\| (\d+) \|/.exec(line)?.[1]
  if (number === undefined) return []
  const cells = line.split(' | ').map((cell) => cell.trim())
  const held = [...line.matchAll(/`([^`]+\.test\.ts) › ([^`]+)`/g)].map(
    ([, path = '', name = '']): [string, string] => [path, name],
  )
  return [{ number: Number(number), cells, held }]
})

/** Rows that must be held by a test: they concern what exists. */
const HELD = [
  [1, 9],
  [11, 11],
  [17, 31],
  [37, 37],
  [45, 70],
  [75, 81],
  [85, 85],
  [88, 93],
  [96, 96],
  [98, 98],
  [100, 105],
] as const

/** The texts of a file that begin a test or a describe. */
function namesIn(path: string): ReadonlySet<string> {
  const source = readFileSync(join(ROOT, path), 'utf8')
  const calls = source.matchAll(
    /(?:^|\s|\)\()(?:(?:test|describe)\(\s*)?'((?:[^'\\\n]|\\.)+)',\s*(?:async )?(?:\(|[a-z])/g,
  )
  return new Set([...calls].map(([, name = '']) => name))
}

describe('the page of bad input', () => {
  test('has every row once, in order, each with what comes and what happens', () => {
    expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 132 }, (_, index) => index + 1))
    expect(rows.filter(({ cells }) => cells.length !== 4 || cells.some((cell) => cell.length < 1))).toEqual([])
  })

  test('names only tests that exist', () => {
    const missing = rows.flatMap(({ number, held }) =>
      held.filter(([path, name]) => !namesIn(path).has(name)).map(([path, name]) => `row ${number}: ${path} › ${name}`),
    )
    expect(missing).toEqual([])
  })

  test('leaves no row open whose matter exists, and gives a reason for every other one', () => {
    const mustBeHeld = (number: number): boolean => HELD.some(([from, to]) => number >= from && number <= to)
    expect(rows.filter(({ number, held }) => mustBeHeld(number) && held.length === 0)).toEqual([])
    const reason = /later: .{20,}/
    expect(rows.filter(({ held, cells }) => held.length === 0 && !reason.test(cells[3] ?? ''))).toEqual([])
  })
})
