import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { torture } from './torture.ts'

const HERE = resolve(import.meta.dirname, '../..')
const SEED = 7

test('a few kills of Holdfast and of PostgreSQL, amid other trouble, lose nothing and double nothing', {
  timeout: 300_000,
}, async () => {
  const told: string[] = []
  const report = await torture({
    seed: SEED,
    rounds: 3,
    checkouts: [HERE, HERE],
    log: (line) => told.push(line),
  })
  expect(report.wrong, `seed ${SEED}\n${told.join('\n')}`).toEqual([])
  expect(report.rounds).toHaveLength(3)
  expect(report.answered).toBeGreaterThan(100)
})
