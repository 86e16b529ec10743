/** Small configurations and words for tests of the core: one SKU, a few warehouses and shops, everything else by default. */
import type { Configuration, ShopRules, SourceRules, WarehouseRules } from '../../src/core/configuration.ts'
import type { WordCommand } from '../../src/core/decide.ts'
import type { HoldCommand } from '../../src/core/hold.ts'
import {
  type Instant,
  instantOf,
  type ShopId,
  type Sku,
  shopOf,
  skuOf,
  sourceOf,
  type WarehouseId,
  warehouseOf,
} from '../../src/core/ids.ts'
import type { OrderCommand } from '../../src/core/order.ts'
import type { OrderState } from '../../src/core/shop-order.ts'

import { paymentFailed } from '../../src/core/unpaid.ts'
import type {
  FigureWord,
  InboundWord,
  MovementWord,
  OpenOrder,
  OrderLineWord,
  Stamp,
  Word,
} from '../../src/core/word.ts'

export const LAMP = skuOf('LAMP')
export const SHADE = skuOf('SHADE')
export const NORD = shopOf('nord')
export const SUED = shopOf('sued')
export const MAIN = warehouseOf('main')
export const EAST = warehouseOf('east')
export const WMS = sourceOf('wms')

export type RuleOptions = {
  readonly source?: Partial<SourceRules>
  readonly warehouse?: Partial<WarehouseRules>
  readonly shop?: Partial<ShopRules>
  /** First choice first; by default the one warehouse `main`. */
  readonly warehouses?: readonly WarehouseId[]
  readonly shops?: readonly ShopId[]
}

/** A net source with sequence numbers, one warehouse, one Shopware shop; whatever a test names is different. */
export function rulesWith(options: RuleOptions = {}): Configuration {
  const { warehouses = [MAIN], shops = [NORD] } = options
  return {
    version: 1,
    sources: new Map([[WMS, { source: WMS, semantics: 'net', allocatesOnAcknowledge: false, ...options.source }]]),
    warehouses: new Map(
      warehouses.map((warehouse) => [
        warehouse,
        {
          warehouse,
          source: WMS,
          zone: 'Europe/Berlin',
          safetyUnits: 0,
          safetyBySku: new Map(),
          ...options.warehouse,
        },
      ]),
    ),
    shops: new Map(shops.map((shop) => [shop, shopWith({ shop, warehouses, ...options.shop })])),
  }
}

/** A Shopware shop over one warehouse with the defaults of the configuration; whatever a test names is different. */
export const shopWith = (more: Partial<ShopRules> = {}): ShopRules => ({
  shop: NORD,
  kind: 'shopware',
  warehouses: [MAIN],
  zone: 'Europe/Berlin',
  safetyUnits: 0,
  safetyBySku: new Map(),
  quotaBySku: new Map(),
  orderInFlightMs: 60_000,
  doubleSubmitWindowMs: 5_000,
  whenUndecided: 'block',
  undecidedBelowUnits: 20,
  whenSilent: 'shared',
  ...more,
})

export const at = (sequence: number, epoch = 0): Stamp => ({ epoch, sequence })
export const clock = (asOf: number, epoch = 0): Stamp => ({ epoch, asOf: instantOf(asOf) })
/** What a source says that counts nothing and knows no time. */
export const UNORDERED: Stamp = { epoch: 0 }

export const netFigure = (net: number, stamp: Stamp, more: Partial<FigureWord> = {}): FigureWord => ({
  kind: 'figure',
  sku: LAMP,
  warehouse: MAIN,
  net,
  stamp,
  ...more,
})

export const grossFigure = (onHand: number, stamp: Stamp, more: Partial<FigureWord> = {}): FigureWord => ({
  kind: 'figure',
  sku: LAMP,
  warehouse: MAIN,
  onHand,
  stamp,
  ...more,
})

export const orderWord = (
  says: OrderLineWord['says'],
  order: string,
  units: number,
  stamp: Stamp,
  more: Partial<OrderLineWord> = {},
): OrderLineWord => ({ kind: 'order-line', says, order, units, sku: LAMP, warehouse: MAIN, stamp, ...more })

export const movementWord = (
  why: MovementWord['why'],
  change: number,
  stamp: Stamp,
  more: Partial<MovementWord> = {},
): MovementWord => ({ kind: 'movement', why, change, sku: LAMP, warehouse: MAIN, stamp, ...more })

/** A confirmed line of `PO-1` for the lamp, nothing of it received. */
export const inboundWord = (ordered: number, stamp: Stamp, more: Partial<InboundWord> = {}): InboundWord => ({
  kind: 'inbound',
  purchaseOrder: 'PO-1',
  line: '1',
  sku: LAMP,
  warehouse: MAIN,
  ordered,
  received: 0,
  confirmed: true,
  cancelled: false,
  stamp,
  ...more,
})

/** Goods of a purchase-order line came. */
export const receiptWord = (units: number, stamp: Stamp, more: Partial<MovementWord> = {}): MovementWord =>
  movementWord('receipt', units, stamp, { purchaseOrder: 'PO-1', line: '1', ...more })

export const openOrdersWord = (
  orders: readonly (Partial<OpenOrder> & Pick<OpenOrder, 'order' | 'units' | 'allocated'>)[],
  stamp: Stamp,
  warehouse = MAIN,
): Word => ({
  kind: 'open-orders',
  warehouse,
  skus: [LAMP],
  orders: orders.map((order) => ({ sku: LAMP, ...order })),
  stamp,
})

/** A word as it reaches the lane. */
export const wordCommand = (
  word: Word,
  about: { readonly messageId: string; readonly receivedAt: Instant; readonly answersOurPull?: boolean },
): WordCommand => ({
  kind: 'word',
  source: WMS,
  sku: word.kind === 'open-orders' ? LAMP : word.sku,
  word,
  answersOurPull: false,
  ...about,
})

export const holdCommand = (
  reservation: string,
  lines: readonly { readonly units: number; readonly sku?: Sku; readonly lineKey?: string }[],
  more: Partial<HoldCommand> = {},
): HoldCommand => ({
  kind: 'hold',
  shop: NORD,
  reservation,
  via: 'gateway',
  mode: 'all',
  lines: lines.map((line) => ({ sku: LAMP, ...line })),
  ...more,
})

/** An order as it was read. Its number is its id, so that a test reads short. */
export const orderCommand = (
  orderId: string,
  lines: readonly {
    readonly units: number
    readonly lineId?: string
    readonly sku?: Sku
    readonly lineKey?: string
  }[],
  more: Partial<Omit<OrderCommand, 'order'>> & {
    readonly state?: OrderState
    /** Shopware's names of the states of its payments. */
    readonly payments?: readonly string[]
  } = {},
): OrderCommand => {
  const { state = 'open', payments = [], ...command } = more
  return {
    kind: 'order',
    shop: NORD,
    order: {
      orderId,
      orderNumber: orderId,
      state,
      ...(paymentFailed(payments) ? { paymentFailed: true as const } : {}),
      lines: lines.map((line, index) => ({ lineId: `${orderId}-${index + 1}`, sku: LAMP, ...line })),
    },
    ...command,
  }
}
