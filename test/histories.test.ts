/** The table of histories, held against the tests that it names. */
import { expect, test } from 'vitest'
import { textOf } from './source-files.ts'

const rows = textOf('test/histories.md')
  .split('\n')
  .filter((line) => /^\| H\d+ \|/.test(line))
  .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '').trim()))

test('every history has its row', () => {
  const numbers = [...new Set(rows.map(([number]) => number))]
  expect(numbers).toEqual(Array.from({ length: 42 }, (_, nth) => `H${nth + 1}`))
})

test('every test that the table names exists', () => {
  const missing = rows.flatMap(([number, , file = '', name = '']) => {
    if (file === 'later') return name === '' ? [`${number}: no reason`] : []
    return textOf(file.replaceAll('`', '')).includes(name) ? [] : [`${number}: ${file} has no test "${name}"`]
  })
  expect(missing).toEqual([])
})

test('every history that a test is named after is in the table', () => {
  const named = ['src/core/histories.test.ts', 'sim/whole-way.sim.test.ts'].flatMap((file) =>
    [...textOf(file).matchAll(/test\(\s*'(H\d+: [^']*)'/g)].map(([, name = '']) => name),
  )
  const listed = rows.map(([, , , name]) => name)
  expect(named.filter((name) => !listed.includes(name))).toEqual([])
})
