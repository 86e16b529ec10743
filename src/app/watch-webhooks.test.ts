import { expect, test } from 'vitest'
import { after, instantOf, shopOf } from '../core/ids.ts'
import type { Hook, LostNews } from './ports.ts'
import { webhookWatch } from './watch-webhooks.ts'

const NOW = instantOf(10_000_000)
const nord = shopOf('nord')
const good: Hook = { id: 'a', name: 'productWritten', isActive: true, failures: 0 }
const LOST: LostNews = { deliveries: 2, orders: 1, productIds: ['p1', 'p2'], byOthers: ['p2'] }

/** Watches a shop whose webhooks are as told, round by round, and gives what was done in each. */
async function watched(...rounds: readonly (readonly Hook[])[]): Promise<readonly (readonly string[])[]> {
  let hooks: readonly Hook[] = []
  let done: string[] = []
  let now = NOW
  const watch = webhookWatch({
    shop: nord,
    care: {
      webhooks: async () => hooks,
      switchOn: async (id) => void done.push(`on ${id}`),
      lostSince: async (since) => {
        done.push(`lost since ${since - now}`)
        return LOST
      },
    },
    now: async () => now,
    onProducts: async (ids, byOthers) => void done.push(`products ${ids} of others ${byOthers}`),
    onOrders: () => void done.push('orders'),
    compareAll: async () => void done.push('compare all'),
    onIncident: async ({ code, cause }) => void done.push(`${code}: ${cause}`),
    onSettled: async (code) => void done.push(`over ${code}`),
  })
  const all: string[][] = []
  for (const each of rounds) {
    hooks = each
    done = []
    await watch()
    all.push(done)
    now = after(now, 60_000)
  }
  return all
}

test('a webhook that was switched off is switched on, told, and everything it may have said is looked at', async () => {
  const off = { ...good, isActive: false }
  const [first, second, third] = await watched([good], [off, { ...good, id: 'b' }], [good])
  expect(first).toEqual(['over WEBHOOK_SWITCHED_OFF'])
  expect(second).toEqual([
    expect.stringContaining('WEBHOOK_SWITCHED_OFF: the shop had switched off productWritten'),
    'on a',
    // From five minutes before the last round in which all was good.
    'lost since -360000',
    'products p1,p2 of others p2',
    'orders',
    'compare all',
  ])
  expect(third).toEqual(['over WEBHOOK_SWITCHED_OFF'])
})

test('deliveries that the shop gave up are read back before it switches anything off', async () => {
  const [only] = await watched([{ ...good, failures: 3 }])
  expect(only).toEqual(['lost since -3600000', 'products p1,p2 of others p2', 'orders', 'over WEBHOOK_SWITCHED_OFF'])
})
