/** The world that is measured: one warehouse with net figures, one shop that is read and written, no safety stock, no quota. */
import type { Configuration } from '../src/core/configuration.ts'
import type { WordCommand } from '../src/core/decide.ts'
import type { HoldCommand } from '../src/core/hold.ts'
import { instantOf, shopOf, skuOf, sourceOf, warehouseOf } from '../src/core/ids.ts'

const nord = shopOf('nord')
const main = warehouseOf('main')
export const wms = sourceOf('wms')
/** As a call of the checkout has it: the basket's name is an HMAC of 32 bytes. */
export const origin = { actor: 'shop:nord', cause: 'checkout', basket: new Uint8Array(32).fill(7) }

export const rules: Configuration = {
  version: 1,
  sources: new Map([[wms, { source: wms, semantics: 'net', allocatesOnAcknowledge: false }]]),
  warehouses: new Map([
    [main, { warehouse: main, source: wms, zone: 'Europe/Berlin', safetyUnits: 0, safetyBySku: new Map() }],
  ]),
  shops: new Map([
    [
      nord,
      {
        shop: nord,
        kind: 'shopware',
        warehouses: [main],
        zone: 'Europe/Berlin',
        safetyUnits: 0,
        safetyBySku: new Map(),
        quotaBySku: new Map(),
        orderInFlightMs: 60_000,
        doubleSubmitWindowMs: 5_000,
        whenUndecided: 'block',
        undecidedBelowUnits: 20,
        whenSilent: 'shared',
      },
    ],
  ]),
}

/** An order call of the shop's checkout: one unit of each SKU, a key of its own for each line. */
export const orderCall = (reservation: string, skus: readonly string[]): HoldCommand => ({
  kind: 'hold',
  shop: nord,
  reservation,
  via: 'gateway',
  mode: 'all',
  lines: skus.map((sku) => ({ sku: skuOf(sku), units: 1, lineKey: `${reservation}-${sku}` })),
})

/** The warehouse says how many units it has. */
export const figure = (sku: string, net: number, sequence: number): WordCommand => ({
  kind: 'word',
  source: wms,
  sku: skuOf(sku),
  messageId: `bench-${sku}-${sequence}`,
  receivedAt: instantOf(Date.now()),
  answersOurPull: false,
  word: { kind: 'figure', sku: skuOf(sku), warehouse: main, net, stamp: { epoch: 0, sequence } },
})
