import { expect, test } from 'vitest'
import { figure, origin, rules } from '../../../test/postgres-world.ts'
import { LaneBusy, type Urgency } from '../../app/lane.ts'
import { Failure } from '../../errors.ts'
import type { Connections } from './database.ts'
import { createLane } from './lane.ts'

/** Connections that never decide anything: each transaction is handed to the test. */
const connections = (transaction: () => Promise<never>) => ({
  reserved: { transaction } as Pick<Connections, 'transaction'> as Connections,
})
const laneOn = (transaction: () => Promise<never>) =>
  createLane({ database: connections(transaction), configuration: () => rules })

const withCode = (code: string) => Object.assign(new Error('said PostgreSQL'), { code })
const outage = new Failure('DATABASE_UNREACHABLE', 'away', { retry: 'later' })

test('an outage is answered to all of a batch at once, and the batch is not tried again: it may have been kept', async () => {
  let tries = 0
  const lane = laneOn(async () => {
    tries += 1
    throw outage
  })
  const answers = await Promise.allSettled([1, 2, 3].map((n) => lane.submit(figure('A', n, n), origin)))
  expect(answers.map((each) => each.status === 'rejected' && each.reason)).toEqual([outage, outage, outage])
  expect(tries).toBe(1)
})

test('a deadlock is tried again, and one that stays is "busy", not a bug', async () => {
  let tries = 0
  const lane = laneOn(async () => {
    tries += 1
    throw withCode('40P01')
  })
  await expect(lane.submit(figure('A', 1, 1), origin)).rejects.toBeInstanceOf(LaneBusy)
  expect(tries).toBe(6)
})

test('when too many of one urgency wait they are told to come back, and the others are still taken', async () => {
  let open = (): void => undefined
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  const lane = laneOn(async () => {
    await gate
    throw outage
  })
  const submit = (urgency: Urgency) => lane.submit(figure('A', 1, 1), origin, urgency).catch((cause: unknown) => cause)
  const flood = Array.from({ length: 20_000 }, () => submit('bulk'))
  expect(await submit('bulk')).toBeInstanceOf(LaneBusy)
  const buyer = submit('checkout')
  open()
  expect(await buyer).toBe(outage)
  expect(await Promise.all(flood)).toHaveLength(20_000)
})

test('stop decides what waits and takes nothing more', async () => {
  const lane = laneOn(async () => {
    throw outage
  })
  const waiting = [lane.submit(figure('A', 1, 1), origin), lane.submit(figure('A', 2, 2), origin, 'bulk')]
  const settled = Promise.allSettled(waiting)
  await lane.stop()
  expect(lane.waiting()).toBe(0)
  expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  await expect(lane.submit(figure('A', 3, 3), origin)).rejects.toBeInstanceOf(LaneBusy)
})

test.for(Array.from({ length: 12 }, (_, turns) => turns))(
  'a command that comes %i turns after the last answer is taken: no gap between the empty look and the rest',
  async (turns) => {
    const lane = laneOn(async () => {
      throw outage
    })
    for (const urgency of ['checkout', 'bulk'] as const) {
      await lane.submit(figure('A', 1, 1), origin, urgency).catch(() => undefined)
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve()
      await expect(lane.submit(figure('A', 2, 2), origin, urgency)).rejects.toBe(outage)
    }
  },
)

test('a command that throws fails alone, whatever words it throws', async () => {
  let batches = 0
  const bug = new Error('the order has ended, its connection timeout was terminated')
  const bugs: unknown[] = []
  const lane = createLane({
    database: connections(async () => {
      batches += 1
      throw bug
    }),
    configuration: () => rules,
    onBug: (cause) => bugs.push(cause),
  })
  const answers = await Promise.allSettled([1, 2, 3, 4].map((n) => lane.submit(figure('A', n, n), origin)))
  expect(answers.every((each) => each.status === 'rejected' && each.reason === bug)).toBe(true)
  // One for the four, two for the halves, one for each.
  expect(batches).toBe(7)
  expect(bugs).toEqual([bug, bug, bug, bug])
})
