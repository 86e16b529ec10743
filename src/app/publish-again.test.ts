import { expect, test } from 'vitest'
import { rulesWith } from '../../test/core/rules.ts'
import { after, type Instant, instantOf, shopOf, skuOf } from '../core/ids.ts'
import { publishDue } from './publish.ts'
import type { MarkOutcome } from './shop-ports.ts'

const NOW = instantOf(1_000_000)
const IN_FLIGHT_MS = 60_000
const nord = shopOf('nord')

const rules = rulesWith({ shop: { orderInFlightMs: IN_FLIGHT_MS } })

/** One pass over a number that needs no correction and was written at `writtenAt`; gives when it is looked at again. */
async function lookedAtAgain(writtenAt: Instant | undefined): Promise<Instant | undefined> {
  const outcomes: MarkOutcome[] = []
  const mark = {
    sku: skuOf('LAMP'),
    skuId: 1,
    renewed: 2,
    attempts: 0,
    ...(writtenAt === undefined ? {} : { writtenAt }),
  }
  await publishDue(
    {
      shop: { shown: async () => [], write: async () => [] },
      publications: {
        claim: async () => [mark],
        settle: async (_, settled) => void outcomes.push(...settled),
        own: async () => new Map(),
        remember: async () => undefined,
        keepGuards: async () => undefined,
        keepSettings: async () => undefined,
        announce: async () => undefined,
        markProductsOf: async () => undefined,
        idsOf: async () => new Map(),
      },
      states: async () => [],
      rules: () => rules,
      now: async () => NOW,
      watermark: () => NOW,
      onShown: () => undefined,
      onIncident: async () => undefined,
      onSettled: async () => undefined,
    },
    nord,
    'none',
  )
  return outcomes[0]?.lookAgainAt
}

test('the echo of a write, which makes another pass at once, does not end the waiting for its second look', async () => {
  expect(await lookedAtAgain(after(NOW, -300))).toBe(after(NOW, -300 + IN_FLIGHT_MS + 2_000))
})

test('a write is looked at once more and then left alone, and a number never written is not waited for', async () => {
  expect(await lookedAtAgain(after(NOW, -IN_FLIGHT_MS - 2_000))).toBeUndefined()
  expect(await lookedAtAgain(undefined)).toBeUndefined()
})
