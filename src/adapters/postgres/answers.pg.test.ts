import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import { apiHold, figure, origin, rules } from '../../../test/postgres-world.ts'
import { AlreadyAnswered, type Attempt } from '../../app/lane.ts'
import type { HoldAnswer } from '../../core/hold.ts'
import { instantOf, skuOf } from '../../core/ids.ts'
import { memoryLane } from '../memory/lane.ts'
import { memoryStore } from '../memory/store.ts'
import { keepAnswer, keptAnswer } from './answers.ts'
import { createLane, type PostgresLane } from './lane.ts'
import { loadStates } from './load.ts'

let fresh: FreshDatabase
let here: PostgresLane
let there: PostgresLane

beforeAll(async () => {
  fresh = await freshDatabase()
  here = createLane({ database: fresh.database, configuration: () => rules })
  there = createLane({ database: fresh.database, configuration: () => rules })
})
afterAll(async () => {
  await here.stop()
  await there.stop()
  await fresh.drop()
})

const attempt = (key: string, content = 'a'): { attempt: Attempt<HoldAnswer> } => ({
  attempt: {
    scope: 'PUT /x',
    key,
    requestHash: Buffer.from(content),
    tell: (answer) => ({ httpCode: answer.granted ? 201 : 409, body: { granted: answer.granted } }),
  },
})
const kept = async (key: string) => await keptAnswer(fresh.database.pool, 'PUT /x', key)
const heldUnits = async (sku: string): Promise<number> => {
  const [state] = await loadStates(fresh.database.pool, [skuOf(sku)])
  return [...(state?.demands.values() ?? [])].reduce((sum, { units }) => sum + units, 0)
}

describe('an attempt', () => {
  test('that comes to two processes at once is decided once, and its answer is kept with the decision', async () => {
    await here.submit(figure('ONCE', 100, 1), origin)
    for (let n = 0; n < 20; n += 1) {
      const told = await Promise.allSettled(
        [here, there].map((lane) =>
          lane.submit(apiHold(`once-${n}`, [['ONCE', 2]]), { ...origin, ...attempt(`once-${n}`) }),
        ),
      )
      expect(told.map((each) => each.status).sort()).toEqual(['fulfilled', 'rejected'])
      const late = told.find((each) => each.status === 'rejected')
      expect(late?.status === 'rejected' && late.reason).toBeInstanceOf(AlreadyAnswered)
      expect(await kept(`once-${n}`)).toMatchObject({ httpCode: 201, body: { granted: true } })
    }
    expect(await heldUnits('ONCE')).toBe(40)
  })

  test('that was refused holds nothing when it arrives once more, late, by another way', async () => {
    await here.submit(figure('LATE', 5, 1), origin)
    const late = () => apiHold('late', [['LATE', 6]])
    expect(await here.submit(late(), { ...origin, ...attempt('late') })).toMatchObject({ granted: false })
    expect(await kept('late')).toMatchObject({ httpCode: 409 })
    await here.submit(figure('LATE', 10, 2), origin)
    await expect(there.submit(late(), { ...origin, ...attempt('late') })).rejects.toBeInstanceOf(AlreadyAnswered)
    expect(await heldUnits('LATE')).toBe(0)
  })

  test('that was released since does not hold again when it arrives late', async () => {
    await here.submit(figure('GHOST', 5, 1), origin)
    const hold = () => apiHold('ghost', [['GHOST', 2]])
    await here.submit(hold(), { ...origin, ...attempt('ghost') })
    await there.submit({ kind: 'release', shop: hold().shop, reservation: 'ghost' }, origin)
    await expect(here.submit(hold(), { ...origin, ...attempt('ghost') })).rejects.toBeInstanceOf(AlreadyAnswered)
    expect(await heldUnits('GHOST')).toBe(0)
  })

  test('with two contents at once is one of them: the other decides nothing', async () => {
    await here.submit(figure('MIXED-A', 100, 1), origin)
    await here.submit(figure('MIXED-B', 100, 1), origin)
    for (let n = 0; n < 20; n += 1) {
      const told = await Promise.allSettled([
        here.submit(apiHold(`mixed-a${n}`, [['MIXED-A', 1]]), { ...origin, ...attempt(`mixed-${n}`, 'a') }),
        there.submit(apiHold(`mixed-b${n}`, [['MIXED-B', 1]]), { ...origin, ...attempt(`mixed-${n}`, 'b') }),
      ])
      expect(told.map((each) => each.status).sort()).toEqual(['fulfilled', 'rejected'])
    }
    expect((await heldUnits('MIXED-A')) + (await heldUnits('MIXED-B'))).toBe(20)
  })

  test('twice in one batch is decided once, and its neighbours are answered', async () => {
    await here.submit(figure('BATCH', 10, 1), origin)
    const told = await Promise.allSettled([
      here.submit(apiHold('batch', [['BATCH', 1]]), { ...origin, ...attempt('batch') }),
      here.submit(apiHold('batch', [['BATCH', 1]]), { ...origin, ...attempt('batch') }),
      here.submit(apiHold('neighbour', [['BATCH', 1]]), origin),
    ])
    expect(told.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(await heldUnits('BATCH')).toBe(2)
  })

  test('is decided once in memory as well', async () => {
    const store = memoryStore(() => instantOf(1_800_000_000_000))
    const bugs: unknown[] = []
    const lane = memoryLane({ store, configuration: () => rules, onBug: (cause) => bugs.push(cause) })
    await lane.submit(figure('MEMORY', 5, 1), origin)
    await lane.submit(apiHold('memory', [['MEMORY', 2]]), { ...origin, ...attempt('memory') })
    await expect(
      lane.submit(apiHold('memory', [['MEMORY', 2]]), { ...origin, ...attempt('memory') }),
    ).rejects.toBeInstanceOf(AlreadyAnswered)
    expect(bugs).toEqual([])
  })
})

test('an answer without a decision stays as it was first kept', async () => {
  const { pool } = fresh.database
  const answer = (n: number) => ({ requestHash: Buffer.from([n]), httpCode: 200 + n, body: { n } })
  expect(await keptAnswer(pool, 'PUT /y', 'key')).toBeUndefined()
  await keepAnswer(pool, 'PUT /y', 'key', answer(1))
  await keepAnswer(pool, 'PUT /y', 'key', answer(2))
  expect(await keptAnswer(pool, 'PUT /y', 'key')).toEqual(answer(1))
  expect(await keptAnswer(pool, 'PUT /z', 'key')).toBeUndefined()
})
