/** A dose of what `npm run mutations` does for all: these are planted for real, and found within a few seeds. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { bugs } from './plant.ts'

const run = promisify(execFile)

/** One of each kind: words, figures, holds, orders, receiving, publishing. */
const DOSE = [
  'acknowledgement-is-allocation',
  'contained-units-subtracted',
  'expiry-by-the-clock',
  'cancelled-still-counted',
  'reservation-key-ignored',
  'numbers-moved-by-deltas',
]
const SEEDS = '12'
const OPERATIONS = '250'

test.each(DOSE)('%s is found', { timeout: 120_000 }, async (bug) => {
  expect(bugs()).toContain(bug)
  const { stdout } = await run(process.execPath, [join(import.meta.dirname, 'hunt.ts'), bug, '1', SEEDS, OPERATIONS])
  expect(JSON.parse(stdout)).toMatchObject({ broken: [{ law: expect.any(String) }] })
})
