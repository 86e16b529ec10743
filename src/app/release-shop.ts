/**
 * Leaves a shop in order: it is no longer published, and each product gets back the close-out that its merchant had set before our
 * first write. Batch after batch, so that it goes on after a crash where it stood; the app's key must still work.
 */
import type { ShopId } from '../core/ids.ts'
import type { Shop, ShopCare } from './ports.ts'
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

export type ReleaserPorts = Omit<ReleasePorts, 'care'> & {
  /** Shops that are being released. */
  readonly leaving: () => readonly ShopId[]
  readonly holdsLease: (shop: ShopId) => Promise<boolean>
  readonly connection: (shop: ShopId) => Promise<Shop | undefined>
  /** Ends the care of a shop, its last pass included. */
  readonly stopCare: (shop: ShopId) => Promise<void>
  readonly afterwards: () => Promise<void>
}

/** Makes the round over all shops that are being released, as far as no other process does. */
export function releaser(ports: ReleaserPorts): () => Promise<boolean> {
  const { publications, book } = ports
  const connections = new Map<ShopId, Shop>()
  return async () => {
    const shops = ports.leaving()
    for (const shop of connections.keys()) if (!shops.includes(shop)) connections.delete(shop)
    let more = false
    for (const shop of shops) {
      if (!(await ports.holdsLease(shop))) continue
      // A last pass may be under way: what it writes must not come after what is given back.
      await ports.stopCare(shop)
      // One connection for as long as it takes: each new one would ask for a token again, and a wrong key is counted by the shop.
      const connection = connections.get(shop) ?? (await ports.connection(shop))
      if (!connection?.care) continue
      connections.set(shop, connection)
      more = (await giveBackSome({ care: connection.care, publications, book }, shop)) || more
    }
    if (shops.length > 0) await ports.afterwards()
    return more
  }
}
