import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { hunt } from './hunt.ts'
import { patches } from './run.ts'

const ROOT = join(import.meta.dirname, '../..')

test('there are bugs to plant', () => {
  expect(patches().length).toBeGreaterThanOrEqual(10)
})

test.each(patches())('%s can still be planted', (patch) => {
  const check = (): Buffer =>
    execFileSync('git', ['apply', '--check', '--recount', join(import.meta.dirname, patch)], {
      cwd: ROOT,
      stdio: 'pipe',
    })
  expect(check).not.toThrow()
})

test('where no bug is planted nothing is found, and the seeds are counted', async () => {
  expect(await hunt(3, 40, [2])).toEqual({ tried: 2 })
})
