import { expect, test } from 'vitest'
import { type Sku, shopOf, skuOf } from '../core/ids.ts'
import type { GiveBack, WriteOutcome } from './ports.ts'
import { GIVE_BACK_AT_ONCE, giveBackSome } from './release-shop.ts'

const nord = shopOf('nord')

/** A shop with so many kept settings, that answers each as told; played until nothing is left to do at once. */
async function released(products: number, outcomeOf: (sku: Sku, round: number) => WriteOutcome['outcome']) {
  const left = new Map(Array.from({ length: products }, (_, n) => [n, skuOf(`S-${n}`)]))
  const given: (readonly GiveBack[])[] = []
  let isReleased = false
  let rounds = 0
  const round = () =>
    giveBackSome(
      {
        care: {
          async giveBack(rows) {
            given.push(rows)
            return rows.map(({ sku }) => {
              const outcome = outcomeOf(sku, given.length)
              return outcome === 'written' ? { sku, outcome } : { sku, outcome, reason: 'because' }
            })
          },
        },
        publications: {
          toGiveBack: async (_, limit) =>
            [...left].slice(0, limit).map(([skuId, sku]) => ({ skuId, sku, productId: `p-${skuId}`, closeOut: null })),
          gaveBack: async (_, skuIds) => {
            for (const id of skuIds) left.delete(id)
          },
        },
        book: {
          released: async () => {
            isReleased = true
          },
        },
      },
      nord,
    )
  while (rounds++ < 20 && (await round())) expect(isReleased).toBe(false)
  return { given: given.map((rows) => rows.length), isReleased, left: left.size, again: round }
}

test('every product gets its own setting back, batch after batch, and then the shop is released', async () => {
  expect(await released(GIVE_BACK_AT_ONCE + 1, () => 'written')).toMatchObject({
    given: [GIVE_BACK_AT_ONCE, 1],
    isReleased: true,
    left: 0,
  })
})

test('a product that the shop refuses keeps nobody waiting', async () => {
  expect(await released(3, (sku) => (sku === 'S-1' ? 'refused' : 'written'))).toMatchObject({
    given: [3],
    isReleased: true,
    left: 0,
  })
})

test('one whose outcome is unknown is tried again, not at once', async () => {
  const first = await released(2, (sku, round) => (sku === 'S-1' && round < 3 ? 'unknown' : 'written'))
  expect(first).toMatchObject({ given: [2, 1], isReleased: false, left: 1 })
  expect(await first.again()).toBe(true)
  expect(await first.again()).toBe(false)
})
