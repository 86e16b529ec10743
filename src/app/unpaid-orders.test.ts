import { describe, expect, test } from 'vitest'
import { NORD, shopWith } from '../../test/core/rules.ts'
import { Failure } from '../errors.ts'
import type { ActOutcome, ReadOrder } from './ports.ts'
import { giveUpUnpaid } from './unpaid-orders.ts'

type Desk = {
  readonly policy?: 'cancel' | 'soft' | 'keep'
  readonly orders?: readonly Partial<ReadOrder>[]
  readonly due?: readonly string[]
  readonly cancel?: () => Promise<ActOutcome>
  readonly noActs?: true
}

/** One round over orders that are due; everything that it did is kept, in order. */
async function round({ policy = 'cancel', orders = [{}], due = ['o1'], cancel, noActs }: Desk) {
  const did: string[] = []
  const found = orders.map(
    (over): ReadOrder => ({
      orderId: 'o1',
      orderNumber: '10001',
      state: 'open',
      paymentFailed: true,
      lines: [],
      ...over,
    }),
  )
  const ended = giveUpUnpaid({
    rules: () => shopWith({ paymentFailed: policy, paymentFailedAfterMs: 5_000 }),
    book: {
      dueUnpaid: async (shop, afterMs) => {
        did.push(`due ${shop} ${afterMs}`)
        return due
      },
      notUnpaid: async (_, ids) => void did.push(`gone ${ids.join()}`),
      dealtWith: async (_, ids) => void did.push(`dealt with ${ids.join()}`),
    },
    reader: {
      readNow: async (ids) => {
        did.push(`read ${ids.join()}`)
        return found.filter(({ orderId }) => ids.includes(orderId))
      },
    },
    acts: noActs
      ? undefined
      : {
          cancelOrder: async (orderId) => {
            did.push(`cancel ${orderId}`)
            return cancel ? cancel() : { done: true }
          },
        },
    onIncident: async ({ code, key, cause }) => void did.push(`${code} ${key}: ${cause}`),
    onSettled: async (code, key) => void did.push(`over ${code} ${key}`),
  })
  const more = await ended
  return { did: did.slice(1), more, asked: did[0] }
}

describe('an order whose grace is over', () => {
  test('is read, cancelled once if it is still unpaid, and read again', async () => {
    const { asked, did } = await round({})
    expect(asked).toBe(`due ${NORD} 5000`)
    expect(did).toEqual(['read o1', 'gone ', 'cancel o1', `over ORDER_NOT_CANCELLED ${NORD}/o1`, 'read o1'])
  })

  test.each<[string, Partial<ReadOrder>]>([
    ['cancelled', { state: 'cancelled' }],
    ['completed', { state: 'completed' }],
    ['on its way', { goodsLeft: true }],
  ])('is left alone when it turns out to be %s', async (_, over) => {
    expect((await round({ orders: [over] })).did).toEqual(['read o1', 'gone '])
  })

  test('is left alone when it was paid after all', async () => {
    const { paymentFailed: _, ...paid } = {
      orderId: 'o1',
      orderNumber: '1',
      state: 'open',
      lines: [],
      paymentFailed: true,
    } as const
    const did: string[] = []
    await giveUpUnpaid({
      rules: () => shopWith({ paymentFailed: 'cancel' }),
      book: { dueUnpaid: async () => ['o1'], notUnpaid: async () => undefined, dealtWith: async () => undefined },
      reader: { readNow: async () => [paid] },
      acts: {
        cancelOrder: async (id) => {
          did.push(id)
          return { done: true }
        },
      },
      onIncident: async () => undefined,
      onSettled: async () => undefined,
    })
    expect(did).toEqual([])
  })

  test('that is gone is forgotten', async () => {
    expect((await round({ due: ['o1', 'o2'], orders: [{ state: 'cancelled' }] })).did).toEqual([
      'read o1,o2',
      'gone o2',
    ])
  })

  test('is only read by the policy soft: the rule gives its units back', async () => {
    expect((await round({ policy: 'soft' })).did).toEqual(['read o1', 'gone ', 'dealt with o1'])
  })

  test('is not even looked for by the policy keep', async () => {
    expect(await round({ policy: 'keep' })).toMatchObject({ asked: undefined, did: [], more: false })
  })

  test('that the shop refuses to cancel is told to people, and not tried again', async () => {
    const { did } = await round({ cancel: async () => ({ done: false, reason: 'SYSTEM__ILLEGAL_STATE_TRANSITION' }) })
    expect(did.slice(2)).toEqual([
      'cancel o1',
      `ORDER_NOT_CANCELLED ${NORD}/o1: order 10001 was not paid, and the shop refuses to cancel it: SYSTEM__ILLEGAL_STATE_TRANSITION`,
      'dealt with o1',
    ])
  })

  test('is due again when the shop did not answer: nothing says that it was dealt with', async () => {
    const away = new Failure('SHOP_UNREACHABLE', 'no answer', { retry: 'later' })
    await expect(round({ cancel: () => Promise.reject(away) })).rejects.toBe(away)
  })

  test('waits where the shop lets nobody act', async () => {
    expect((await round({ noActs: true })).did).toEqual(['read o1', 'gone '])
  })
})
