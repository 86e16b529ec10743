/**
 * Watches whether a shop's `APP_URL` is still the one under which the app was installed. After a change Shopware lets every checkout
 * fail, before it asks any app; so no call of ours fails, and only asking tells.
 */
import type { ShopId } from '../core/ids.ts'
import type { ShopCare } from './ports.ts'
import type { ShopIncident } from './shop-ports.ts'

export type UrlPorts = {
  readonly shop: ShopId
  readonly care: Pick<ShopCare, 'movedUrl'>
  readonly onIncident: (incident: ShopIncident) => Promise<unknown>
  readonly onSettled: (code: ShopIncident['code'], key: string) => Promise<unknown>
}

/** Asks once; opens or closes the incident. */
export async function watchUrl({ shop, care, onIncident, onSettled }: UrlPorts): Promise<void> {
  const moved = await care.movedUrl()
  if (!moved) {
    await onSettled('APP_URL_CHANGED', shop)
    return
  }
  const cause = `every checkout of this shop fails: its APP_URL was ${moved.was} when the app was installed and is ${moved.is} now`
  await onIncident({ code: 'APP_URL_CHANGED', key: shop, shop, cause })
}
