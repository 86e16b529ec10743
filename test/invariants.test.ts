/** The table of invariants, held against the tests that it names. */
import { expect, test } from 'vitest'
import { rowsOf } from './markdown.ts'
import { textOf } from './source-files.ts'

const rows = rowsOf(textOf('test/invariants.md'))

test('every invariant has its row', () => {
  const numbers = [...new Set(rows.map(([number]) => number))]
  expect(numbers).toEqual(Array.from({ length: 38 }, (_, nth) => `I-${nth + 1}`))
})

test('every test that the table names exists', () => {
  const missing = rows.flatMap(([number, , file = '', name = '']) =>
    name !== '' && textOf(file.replaceAll('`', '')).includes(name) ? [] : [`${number}: ${file} has no test "${name}"`],
  )
  expect(missing).toEqual([])
})
