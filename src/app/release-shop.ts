/**
 * Leaves a shop in order: it is no longer published, and each product gets back the close-out that its merchant had set before our
 * first write. Batch after batch, so that it goes on after a crash where it stood; the app's key must still work.
 */
import type { ShopId } from '../core/ids.ts'
import type { ShopCare } from './ports.ts'
import type { PublicationBook, ShopBook } from './shop-ports.ts'

export type ReleasePorts = {
  readonly care: Pick<ShopCare, 'giveBack'>
  readonly publications: Pick<PublicationBook, 'toGiveBack' | 'gaveBack'>
  readonly book: Pick<ShopBook, 'released'>
}

/** Products of one round: what one write takes. */
export const GIVE_BACK_AT_ONCE = 250

/**
 * Gives some settings back. A product that the shop refuses, say because it was deleted, is counted and left; one whose outcome is
 * unknown is tried again.
 *
 * @returns whether more is to be done at once; after the last batch the shop is released
 */
export async function giveBackSome({ care, publications, book }: ReleasePorts, shop: ShopId): Promise<boolean> {
  const rows = await publications.toGiveBack(shop, GIVE_BACK_AT_ONCE)
  if (rows.length === 0) {
    await book.released(shop)
    return false
  }
  const outcomes = new Map((await care.giveBack(rows)).map((each) => [each.sku, each.outcome]))
  const settled = rows.filter(({ sku }) => outcomes.get(sku) === 'written' || outcomes.get(sku) === 'refused')
  await publications.gaveBack(
    shop,
    settled.map(({ skuId }) => skuId),
  )
  return settled.length > 0
}
