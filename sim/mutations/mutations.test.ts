import { stripTypeScriptTypes } from 'node:module'
import { describe, expect, test } from 'vitest'
import { hunt } from './hunt.ts'
import { patched, readPatch } from './patch.ts'
import { bugOf, bugs, plantedFiles } from './plant.ts'

test('there are bugs to plant', () => {
  expect(bugs().length).toBeGreaterThanOrEqual(40)
})

describe('a bug can still be planted', () => {
  test.each(bugs())('%s', (name) => {
    for (const text of plantedFiles(bugOf(name)).values()) expect(() => stripTypeScriptTypes(text)).not.toThrow()
  })
})

test('a hunk is found by what it says, wherever it stands', () => {
  const { about, hunks } = readPatch('careless\n\n--- a/x.ts\n+++ b/x.ts\n@@ -90,2 +90,2 @@\n one\n-two\n+three\n')
  expect(about).toBe('careless')
  expect(patched('zero\none\ntwo\n', hunks.get('x.ts') ?? [])).toBe('zero\none\nthree\n')
})

test('a hunk that is nowhere, or in two places, cannot be planted', () => {
  const hunk = { before: 'one', after: 'two' }
  expect(() => patched('three\n', [hunk])).toThrow('Nowhere')
  expect(() => patched('one\none\n', [hunk])).toThrow('more than one')
})

test('where no bug is planted nothing is found, and the seeds are counted', async () => {
  expect(await hunt({ from: 1, seeds: 3, operations: 40, skip: [2] })).toEqual({ tried: 2, broken: [] })
})
