/**
 * `holdfast.yaml`: what people decide, as data. The document is what is stored, versioned and exported; the core's
 * {@link Configuration} and the sources' doors are made from it. Every trouble names its place.
 */
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { LineCounter, parseDocument, stringify } from 'yaml'
import type { Configuration, ShopRules, SourceRules, WarehouseRules } from '../core/configuration.ts'
import {
  canonicalSku,
  type Instant,
  instantOf,
  MAX_UNITS,
  type Sku,
  shopOf,
  sourceOf,
  warehouseOf,
} from '../core/ids.ts'

const name = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$', description: 'letters, digits, -, _ and .' })
const units = Type.Integer({ minimum: 0, maximum: MAX_UNITS, description: 'whole units' })
const duration = Type.String({
  pattern: '^[0-9]{1,6}(ms|s|m|h|d)$',
  description: 'a duration such as 500ms, 60s, 5m, 2h, 1d',
})
const unitsBySku = Type.Record(Type.String(), units, { description: 'units by SKU' })
const zone = Type.String({ minLength: 1, description: 'an IANA time zone such as Europe/Berlin' })
const secretFrom = Type.Object({ env: Type.String({ minLength: 1 }) }, { additionalProperties: false })

const auth = Type.Union(
  [
    Type.Object({ kind: Type.Literal('standard-webhooks'), secretFrom }, { additionalProperties: false }),
    Type.Object({ kind: Type.Literal('bearer'), secretFrom }, { additionalProperties: false }),
    Type.Object(
      {
        kind: Type.Literal('hmac'),
        header: Type.String({ minLength: 1 }),
        encoding: Type.Union([Type.Literal('hex'), Type.Literal('base64')]),
        secretFrom,
      },
      { additionalProperties: false },
    ),
  ],
  { description: 'standard-webhooks, bearer or hmac, with secretFrom: { env: NAME }' },
)

const source = Type.Object(
  {
    semantics: Type.Union([Type.Literal('net'), Type.Literal('gross')], { description: 'net or gross' }),
    dialect: Type.Optional(
      Type.Union([Type.Literal('auto'), Type.Literal('flat'), Type.Literal('canonical')], {
        description: 'auto, flat or canonical',
      }),
    ),
    auth,
    defaultWarehouse: name,
    availableIncludesReserved: Type.Optional(Type.Boolean()),
    allocatesOnAcknowledge: Type.Optional(Type.Boolean()),
    knowsOrdersWithin: Type.Optional(duration),
  },
  { additionalProperties: false },
)

const warehouse = Type.Object(
  { source: name, zone, safetyUnits: Type.Optional(units), safetyBySku: Type.Optional(unitsBySku) },
  { additionalProperties: false },
)

const shop = Type.Object(
  {
    kind: Type.Union([Type.Literal('shopware'), Type.Literal('channel')], { description: 'shopware or channel' }),
    url: Type.Optional(Type.String({ description: 'the shop URL, as in its APP_URL' })),
    warehouses: Type.Array(name, { minItems: 1, description: 'warehouses, first choice first' }),
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
    warehouseKnowsOrdersBefore: Type.Optional(Type.String({ description: 'an RFC 3339 time' })),
  },
  { additionalProperties: false },
)

/** The schema of the whole document; also part of the API contract. */
export const configurationSchema = Type.Object(
  {
    sources: Type.Record(name, source),
    warehouses: Type.Record(name, warehouse),
    shops: Type.Record(name, shop),
  },
  { additionalProperties: false },
)

export type ConfigurationDocument = Static<typeof configurationSchema>

/** Nothing configured yet. */
export const EMPTY_DOCUMENT: ConfigurationDocument = { sources: {}, warehouses: {}, shops: {} }

/** One trouble, with the path of the value and, for YAML, its line. */
export type ConfigurationProblem = { readonly path: string; readonly line?: number; readonly problem: string }

const checker = Compile(configurationSchema)
/** More than a person would read at once. */
const MAX_PROBLEMS = 20
const MAX_YAML_CHARACTERS = 5_000_000

/** Reads YAML (or JSON, which is YAML) into a checked document, or says everything that is wrong with it. */
export function readConfigurationYaml(
  text: string,
): { readonly document: ConfigurationDocument } | { readonly problems: readonly ConfigurationProblem[] } {
  if (text.length > MAX_YAML_CHARACTERS)
    return { problems: [{ path: '', problem: `is longer than ${MAX_YAML_CHARACTERS} characters` }] }
  const lines = new LineCounter()
  const parsed = parseDocument(text, { lineCounter: lines, uniqueKeys: true })
  const [broken] = parsed.errors
  if (broken)
    return {
      problems: [
        { path: '', line: lines.linePos(broken.pos[0]).line, problem: broken.message.split('\n')[0] ?? 'is no YAML' },
      ],
    }
  // A bounded number of aliases: a few lines of YAML could otherwise grow to gigabytes.
  const checked = checkConfiguration(parsed.toJS({ maxAliasCount: 100 }) ?? EMPTY_DOCUMENT)
  if ('document' in checked) return checked
  return {
    problems: checked.problems.map((problem) => {
      const node = parsed.getIn(problem.path.split('.').filter(Boolean), true)
      const offset =
        typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range)
          ? Number(node.range[0])
          : undefined
      return offset === undefined ? problem : { ...problem, line: lines.linePos(offset).line }
    }),
  }
}

/** Checks a document's form, then what its parts say about each other. */
export function checkConfiguration(
  value: unknown,
): { readonly document: ConfigurationDocument } | { readonly problems: readonly ConfigurationProblem[] } {
  if (!checker.Check(value)) {
    const problems = [...checker.Errors(value)].map((error) => ({
      path: error.instancePath.slice(1).replaceAll('/', '.'),
      problem: error.message,
    }))
    return { problems: dedupe(problems) }
  }
  const problems = contradictions(value)
  return problems.length > 0 ? { problems: dedupe(problems) } : { document: value }
}

const dedupe = (problems: readonly ConfigurationProblem[]): readonly ConfigurationProblem[] =>
  [...new Map(problems.map((each) => [`${each.path} ${each.problem}`, each])).values()].slice(0, MAX_PROBLEMS)

function contradictions(document: ConfigurationDocument): ConfigurationProblem[] {
  const problems: ConfigurationProblem[] = []
  const say = (path: string, problem: string) => problems.push({ path, problem })
  for (const [key, each] of Object.entries(document.sources)) {
    const at = document.warehouses[each.defaultWarehouse]
    if (!at) say(`sources.${key}.defaultWarehouse`, `there is no warehouse "${each.defaultWarehouse}"`)
    else if (at.source !== key)
      say(`sources.${key}.defaultWarehouse`, `warehouse "${each.defaultWarehouse}" belongs to source "${at.source}"`)
    if (each.availableIncludesReserved !== undefined && each.dialect === 'canonical') {
      say(`sources.${key}.availableIncludesReserved`, 'speaks of the flat message only')
    }
  }
  for (const [key, each] of Object.entries(document.warehouses)) {
    if (!document.sources[each.source]) say(`warehouses.${key}.source`, `there is no source "${each.source}"`)
    if (!isZone(each.zone)) say(`warehouses.${key}.zone`, `"${each.zone}" is no time zone`)
    saySkus(`warehouses.${key}.safetyBySku`, each.safetyBySku, say)
  }
  const urls = new Map<string, string>()
  for (const [key, each] of Object.entries(document.shops)) {
    for (const [nth, one] of each.warehouses.entries()) {
      if (!document.warehouses[one]) say(`shops.${key}.warehouses.${nth}`, `there is no warehouse "${one}"`)
    }
    if (new Set(each.warehouses).size < each.warehouses.length)
      say(`shops.${key}.warehouses`, 'names a warehouse twice')
    if (!isZone(each.zone)) say(`shops.${key}.zone`, `"${each.zone}" is no time zone`)
    if (each.kind === 'shopware' && each.url === undefined) say(`shops.${key}`, 'a Shopware shop needs its url')
    if (each.url !== undefined && !URL.canParse(each.url)) say(`shops.${key}.url`, `"${each.url}" is no URL`)
    const twin = each.url === undefined ? undefined : urls.get(each.url)
    if (twin) say(`shops.${key}.url`, `shop "${twin}" has this URL already`)
    if (each.url !== undefined) urls.set(each.url, key)
    if (each.warehouseKnowsOrdersBefore !== undefined && Number.isNaN(Date.parse(each.warehouseKnowsOrdersBefore))) {
      say(`shops.${key}.warehouseKnowsOrdersBefore`, 'must be an RFC 3339 time such as 2026-03-14T15:00:00Z')
    }
    saySkus(`shops.${key}.safetyBySku`, each.safetyBySku, say)
    saySkus(`shops.${key}.quotaBySku`, each.quotaBySku, say)
  }
  return problems
}

function saySkus(
  path: string,
  bySku: Readonly<Record<string, number>> | undefined,
  say: (path: string, problem: string) => void,
): void {
  for (const key of Object.keys(bySku ?? {})) {
    const read = canonicalSku(key)
    if ('problem' in read) say(path, `the SKU "${key}" ${read.problem}`)
  }
}

function isZone(text: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: text })
    return true
  } catch {
    return false
  }
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `60s` in milliseconds. The schema has checked the form. */
export function durationMs(text: string): number {
  const [, digits = '0', unit = 'ms'] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? []
  return Number(digits) * (UNIT_MS[unit] ?? 1)
}

const DEFAULTS = { orderInFlight: '60s', doubleSubmitWindow: '5s', undecidedBelowUnits: 20 } as const

const skuMap = (bySku: Readonly<Record<string, number>> | undefined): ReadonlyMap<Sku, number> =>
  new Map(
    Object.entries(bySku ?? {}).flatMap(([key, count]) => {
      const read = canonicalSku(key)
      return 'sku' in read ? [[read.sku, count] as const] : []
    }),
  )

/** The rules of the core, from a checked document. */
export function configurationOf(document: ConfigurationDocument, version: number): Configuration {
  const sources = Object.entries(document.sources).map(
    ([key, each]): SourceRules => ({
      source: sourceOf(key),
      semantics: each.semantics,
      allocatesOnAcknowledge: each.allocatesOnAcknowledge ?? false,
      ...(each.knowsOrdersWithin === undefined ? {} : { knowsOrdersWithinMs: durationMs(each.knowsOrdersWithin) }),
    }),
  )
  const warehouses = Object.entries(document.warehouses).map(
    ([key, each]): WarehouseRules => ({
      warehouse: warehouseOf(key),
      source: sourceOf(each.source),
      zone: each.zone,
      safetyUnits: each.safetyUnits ?? 0,
      safetyBySku: skuMap(each.safetyBySku),
    }),
  )
  const shops = Object.entries(document.shops).map(
    ([key, each]): ShopRules => ({
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
      ...(each.warehouseKnowsOrdersBefore === undefined
        ? {}
        : { warehouseKnowsOrdersBefore: momentOf(each.warehouseKnowsOrdersBefore) }),
    }),
  )
  return {
    version,
    sources: new Map(sources.map((each) => [each.source, each])),
    warehouses: new Map(warehouses.map((each) => [each.warehouse, each])),
    shops: new Map(shops.map((each) => [each.shop, each])),
  }
}

const momentOf = (text: string): Instant => instantOf(Date.parse(text))

/** The document as YAML, for `holdfast export`. */
export const writeConfigurationYaml = (document: ConfigurationDocument): string =>
  stringify(document, { lineWidth: 120 })

/** One difference between two documents. */
export type Difference = { readonly path: string; readonly before: unknown; readonly after: unknown }

/** Every value that differs, by its path. */
export function differences(before: unknown, after: unknown, path = ''): readonly Difference[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return []
  if (!isPlain(before) || !isPlain(after)) return [{ path, before, after }]
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
  return keys.flatMap((key) => differences(before[key], after[key], path === '' ? key : `${path}.${key}`))
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
