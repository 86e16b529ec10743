/** One shop of `holdfast.yaml`: its schema, what its keys say about each other, and its rules in the core. */
import { type Static, Type } from 'typebox'
import type { ShopRules } from '../core/configuration.ts'
import { canonicalSku, type Instant, instantOf, MAX_UNITS, type Sku, shopOf, warehouseOf } from '../core/ids.ts'
import type { Pack } from '../core/pack.ts'
import { PAYMENT_FAILED_AFTER_MS } from '../core/unpaid.ts'
import {
  duration,
  durationMs,
  isZone,
  name,
  type Say,
  sayDuration,
  saySkus,
  skuMap,
  units,
  unitsBySku,
  zone,
} from './configuration-parts.ts'
import { readInstant } from './time-text.ts'

/** The largest pack: a pallet of small things. */
const MAX_PACK_UNITS = 1_000_000
const cap = Type.Integer({ minimum: 1, maximum: MAX_UNITS, description: `whole units from 1 to ${MAX_UNITS}` })

const mapped = Type.Object(
  {
    sku: Type.String({ minLength: 1, description: 'a SKU of the warehouse' }),
    units: Type.Optional(
      Type.Integer({ minimum: 1, maximum: MAX_PACK_UNITS, description: `whole units from 1 to ${MAX_PACK_UNITS}` }),
    ),
  },
  { additionalProperties: false, description: '{ sku: NAME, units: 6 }' },
)

/** The schema of one shop. */
export const shop = Type.Object(
  {
    kind: Type.Union([Type.Literal('shopware'), Type.Literal('channel')], { description: 'shopware or channel' }),
    url: Type.Optional(Type.String({ description: 'the shop URL, as in its APP_URL' })),
    warehouses: Type.Array(name, { minItems: 1, description: 'a list of warehouses, first choice first' }),
    zone,
    safetyUnits: Type.Optional(units),
    safetyBySku: Type.Optional(unitsBySku),
    quotaUnits: Type.Optional(units),
    quotaBySku: Type.Optional(unitsBySku),
    orderInFlight: Type.Optional(duration),
    doubleSubmitWindow: Type.Optional(duration),
    whenUndecided: Type.Optional(
      Type.Union([Type.Literal('block'), Type.Literal('allow')], { description: 'block or allow' }),
    ),
    undecidedBelowUnits: Type.Optional(units),
    whenSilent: Type.Optional(
      Type.Union([Type.Literal('shared'), Type.Literal('split')], { description: 'shared or split' }),
    ),
    foreignWrites: Type.Optional(
      Type.Union([Type.Literal('restore'), Type.Literal('warn'), Type.Literal('ignore')], {
        description: 'restore, warn or ignore',
      }),
    ),
    admission: Type.Optional(
      Type.Union([Type.Literal('listed'), Type.Literal('invited')], { description: 'listed or invited' }),
    ),
    skuMapping: Type.Optional(
      Type.Record(Type.String(), mapped, {
        description: 'products by number, such as { SIX-PACK: { sku: BEER, units: 6 } }',
      }),
    ),
    holdFrom: Type.Optional(
      Type.Union([Type.Literal('order'), Type.Literal('confirm')], { description: 'order or confirm' }),
    ),
    confirmHold: Type.Optional(duration),
    adminOrders: Type.Optional(
      Type.Union([Type.Literal('hold'), Type.Literal('allow')], { description: 'hold or allow' }),
    ),
    capPerCustomer: Type.Optional(cap),
    capPerAddress: Type.Optional(cap),
    capBySku: Type.Optional(
      Type.Record(Type.String(), cap, { description: 'units by SKU, such as { TSHIRT-BLK-M: 3 }' }),
    ),
    capShare: Type.Optional(
      Type.String({ pattern: '^([1-9][0-9]?|100)%$', description: 'a whole part of hundred, such as 25%' }),
    ),
    paymentFailed: Type.Optional(
      Type.Union([Type.Literal('cancel'), Type.Literal('soft'), Type.Literal('keep')], {
        description: 'cancel, soft or keep',
      }),
    ),
    paymentFailedAfter: Type.Optional(duration),
    warehouseKnowsOrdersBefore: Type.Optional(Type.String({ description: 'an RFC 3339 time' })),
  },
  { additionalProperties: false },
)

/** A shop as people write it. */
export type ShopDocument = Static<typeof shop>

/**
 * The shortest and the longest that make sense. An order in flight for less than a second would free units that it is about to
 * take; for more than an hour, abandoned carts would hold the stock of a day.
 */
const BOUNDS = {
  orderInFlight: ['1s', '1h'],
  doubleSubmitWindow: ['0s', '1m'],
  paymentFailedAfter: ['0s', '60d'],
  confirmHold: ['10s', '1h'],
} as const

/** Says what is wrong with the shops beside their form, each alone and together. */
export function sayShops(
  shops: Readonly<Record<string, ShopDocument>>,
  warehouseNamed: (name: string) => unknown,
  say: Say,
): void {
  const urls = new Map<string, string>()
  for (const [key, each] of Object.entries(shops)) {
    for (const [nth, one] of each.warehouses.entries()) {
      if (!warehouseNamed(one)) say(`shops.${key}.warehouses.${nth}`, `there is no warehouse "${one}"`)
    }
    if (new Set(each.warehouses).size < each.warehouses.length)
      say(`shops.${key}.warehouses`, 'names a warehouse twice')
    if (!isZone(each.zone)) say(`shops.${key}.zone`, `"${each.zone}" is no time zone`)
    if (each.kind === 'shopware' && each.url === undefined) say(`shops.${key}`, 'a Shopware shop needs its url')
    const url = each.url === undefined ? undefined : plainUrl(each.url)
    if (each.url !== undefined && url === undefined)
      say(`shops.${key}.url`, `"${each.url}" must be an http or https URL, such as https://shop.example`)
    const twin = url === undefined ? undefined : urls.get(url)
    if (twin) say(`shops.${key}.url`, `shop "${twin}" has this URL already`)
    if (url !== undefined) urls.set(url, key)
    const before = each.warehouseKnowsOrdersBefore
    const read = before === undefined ? undefined : readInstant(before)
    if (read && 'problem' in read) say(`shops.${key}.warehouseKnowsOrdersBefore`, read.problem)
    sayDuration(`shops.${key}.orderInFlight`, each.orderInFlight, BOUNDS.orderInFlight, say)
    sayDuration(`shops.${key}.doubleSubmitWindow`, each.doubleSubmitWindow, BOUNDS.doubleSubmitWindow, say)
    sayDuration(`shops.${key}.paymentFailedAfter`, each.paymentFailedAfter, BOUNDS.paymentFailedAfter, say)
    sayDuration(`shops.${key}.confirmHold`, each.confirmHold, BOUNDS.confirmHold, say)
    saySkus(`shops.${key}.safetyBySku`, each.safetyBySku, say)
    saySkus(`shops.${key}.quotaBySku`, each.quotaBySku, say)
    saySkus(`shops.${key}.capBySku`, each.capBySku, say)
    saySkus(`shops.${key}.skuMapping`, each.skuMapping, say)
    for (const [product, { sku }] of Object.entries(each.skuMapping ?? {})) {
      const target = canonicalSku(sku)
      if ('problem' in target) say(`shops.${key}.skuMapping.${product}.sku`, `the SKU ${target.problem}`)
    }
  }
}

/** The URL without what does not tell shops apart. */
function plainUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined
  const { protocol, host, pathname } = new URL(text)
  return /^https?:$/.test(protocol) ? `${protocol}//${host}${pathname.replace(/\/+$/, '')}` : undefined
}

const DEFAULTS = {
  orderInFlight: '60s',
  doubleSubmitWindow: '5s',
  confirmHold: '10m',
  undecidedBelowUnits: 20,
} as const

/** The rules of one checked shop. */
export const shopRulesOf = (key: string, each: ShopDocument): ShopRules => ({
  shop: shopOf(key),
  kind: each.kind,
  warehouses: each.warehouses.map(warehouseOf),
  zone: each.zone,
  safetyUnits: each.safetyUnits ?? 0,
  safetyBySku: skuMap(each.safetyBySku),
  ...(each.quotaUnits === undefined ? {} : { quotaUnits: each.quotaUnits }),
  quotaBySku: skuMap(each.quotaBySku),
  orderInFlightMs: durationMs(each.orderInFlight ?? DEFAULTS.orderInFlight),
  doubleSubmitWindowMs: durationMs(each.doubleSubmitWindow ?? DEFAULTS.doubleSubmitWindow),
  whenUndecided: each.whenUndecided ?? 'block',
  undecidedBelowUnits: each.undecidedBelowUnits ?? DEFAULTS.undecidedBelowUnits,
  whenSilent: each.whenSilent ?? 'shared',
  foreignWrites: each.foreignWrites ?? 'restore',
  ...(each.admission === undefined ? {} : { admission: each.admission }),
  ...(each.skuMapping === undefined ? {} : { skuMapping: mappingOf(each.skuMapping) }),
  ...(each.holdFrom === 'confirm' ? { confirmHoldMs: durationMs(each.confirmHold ?? DEFAULTS.confirmHold) } : {}),
  ...(each.adminOrders === undefined ? {} : { adminOrders: each.adminOrders }),
  ...capsOf(each),
  paymentFailed: each.paymentFailed ?? 'cancel',
  paymentFailedAfterMs:
    each.paymentFailedAfter === undefined ? PAYMENT_FAILED_AFTER_MS : durationMs(each.paymentFailedAfter),
  ...(each.warehouseKnowsOrdersBefore === undefined
    ? {}
    : { warehouseKnowsOrdersBefore: momentOf(each.warehouseKnowsOrdersBefore) }),
})

const mappingOf = (mapping: NonNullable<ShopDocument['skuMapping']>): ReadonlyMap<Sku, Pack> =>
  new Map(
    Object.entries(mapping).flatMap(([product, { sku, units = 1 }]) => {
      const [from, to] = [canonicalSku(product), canonicalSku(sku)]
      return 'sku' in from && 'sku' in to ? [[from.sku, { sku: to.sku, units }] as const] : []
    }),
  )

/** Nothing at all where nothing is capped: then nobody looks at who buys. */
function capsOf({ capPerCustomer, capPerAddress, capBySku, capShare }: ShopDocument): Pick<ShopRules, 'caps'> {
  if ([capPerCustomer, capPerAddress, capBySku, capShare].every((each) => each === undefined)) return {}
  return {
    caps: {
      ...(capPerCustomer === undefined ? {} : { perCustomerUnits: capPerCustomer }),
      ...(capPerAddress === undefined ? {} : { perAddressUnits: capPerAddress }),
      ...(capShare === undefined ? {} : { sharePercent: Number.parseInt(capShare, 10) }),
      bySku: skuMap(capBySku),
    },
  }
}

/** The check has read it before. */
function momentOf(text: string): Instant {
  const read = readInstant(text)
  return 'instant' in read ? read.instant : instantOf(0)
}
