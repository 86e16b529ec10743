import { expect, test } from 'vitest'
import { rowsOf, sectionOf } from '../markdown.ts'
import { textOf } from '../source-files.ts'
import { COMPANY, KILLS } from './blows.ts'

test('docs/reliability.md lists every kill and every trouble, and no other', () => {
  const told = rowsOf(sectionOf(textOf('docs/reliability.md'), 'Torture')).map(([first]) => first)
  expect(told).toEqual([...KILLS, ...COMPANY].map(({ name }) => name))
})
