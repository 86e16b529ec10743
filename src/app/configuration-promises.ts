/** The part of `holdfast.yaml` that says what may be promised beyond what is on hand: a list of rules, the most exact word first. */
import { type Static, Type } from 'typebox'
import { canonicalSku, shopOf, warehouseOf } from '../core/ids.ts'
import { exactness, type PromiseRule, type PromiseRules, promiseRulesOf } from '../core/promise-rule.ts'
import { flag, name, type Say, units } from './configuration-parts.ts'

/** Nobody plans further ahead, and a day must stay in the calendar. */
const MAX_DAYS = 730
const days = Type.Integer({ minimum: 0, maximum: MAX_DAYS, description: `whole days, 0 to ${MAX_DAYS}` })

const backOrders = Type.Object(
  {
    enabled: Type.Optional(flag),
    windowDays: Type.Optional(days),
    capUnits: Type.Optional(units),
    graceDays: Type.Optional(days),
    confirmedOnly: Type.Optional(flag),
    warehouses: Type.Optional(Type.Array(name, { minItems: 1, description: 'a list of warehouses' })),
    marginDays: Type.Optional(days),
  },
  { additionalProperties: false },
)

/** The schema of the list. */
export const promises = Type.Array(
  Type.Object(
    {
      shop: Type.Optional(name),
      skus: Type.Optional(
        Type.Array(Type.String({ description: 'a SKU' }), { minItems: 1, description: 'a list of SKUs' }),
      ),
      backOrders: Type.Optional(backOrders),
    },
    { additionalProperties: false },
  ),
  { description: 'a list of rules' },
)

type Document = Static<typeof promises>

/** What the rules say about each other and about the rest of the document. */
export function sayPromises(
  rules: Document | undefined,
  has: { readonly shop: (name: string) => boolean; readonly warehouse: (name: string) => boolean },
  say: Say,
): void {
  const seen = new Map<string, number>()
  for (const [nth, rule] of (rules ?? []).entries()) {
    const path = `promises.${nth}`
    if (rule.shop !== undefined && !has.shop(rule.shop)) say(`${path}.shop`, `there is no shop "${rule.shop}"`)
    if (rule.backOrders === undefined) say(path, 'says nothing: give backOrders, or take the rule away')
    for (const [at, one] of (rule.backOrders?.warehouses ?? []).entries()) {
      if (!has.warehouse(one)) say(`${path}.backOrders.warehouses.${at}`, `there is no warehouse "${one}"`)
    }
    for (const [at, sku] of (rule.skus ?? []).entries()) {
      const read = canonicalSku(sku)
      if ('problem' in read) say(`${path}.skus.${at}`, `the SKU ${read.problem}`)
    }
    for (const key of keysOf(rule)) {
      const before = seen.get(key)
      if (before !== undefined)
        say(path, `speaks of the same as promises.${before}: which of the two counts? Make them one rule`)
      seen.set(key, nth)
    }
  }
}

/** What a rule speaks of; two rules about the same, equally exact, contradict each other. */
const keysOf = ({ shop = '*', skus = ['*'] }: Document[number]): readonly string[] => [
  ...new Set(skus.map((sku) => JSON.stringify([shop, sku === '*' ? sku : canonicalOf(sku)]))),
]

function canonicalOf(sku: string): string {
  const read = canonicalSku(sku)
  return 'sku' in read ? `=${read.sku}` : sku
}

/** The rules of the core; `undefined` where the document says nothing. */
export function promisesOf(document: Document | undefined): PromiseRules | undefined {
  if (!document || document.length === 0) return undefined
  const rules = document.map((rule): PromiseRule => {
    const { warehouses, ...terms } = rule.backOrders ?? {}
    const skus = rule.skus?.flatMap((sku) => {
      const read = canonicalSku(sku)
      return 'sku' in read ? [read.sku] : []
    })
    return {
      ...(rule.shop === undefined ? {} : { shop: shopOf(rule.shop) }),
      ...(skus === undefined ? {} : { skus }),
      backOrders: { ...terms, ...(warehouses === undefined ? {} : { warehouses: warehouses.map(warehouseOf) }) },
    }
  })
  return promiseRulesOf(rules.toSorted((a, b) => exactness(a) - exactness(b)))
}
