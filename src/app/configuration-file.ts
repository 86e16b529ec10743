/**
 * `holdfast.yaml`: what people decide, as data. The document is what is stored, versioned and exported; the core's
 * {@link Configuration} and the sources' doors are made from it. Every trouble names its place.
 */
import { type Static, Type } from 'typebox'
import { isScalar, LineCounter, parseDocument, stringify, visit } from 'yaml'
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
import { checkerOf, type SchemaProblem } from './schema-problems.ts'
import { readInstant } from './time-text.ts'

const name = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$',
  description: 'a name of letters, digits, -, _ and .',
})
const units = Type.Integer({ minimum: 0, maximum: MAX_UNITS, description: `whole units from 0 to ${MAX_UNITS}` })
const flag = Type.Boolean({ description: 'true or false' })
const duration = Type.String({
  pattern: '^[0-9]{1,6}(ms|s|m|h|d)$',
  description: 'a duration such as 500ms, 60s, 5m, 2h, 1d',
})
const unitsBySku = Type.Record(Type.String(), units, { description: 'units by SKU, such as { TSHIRT-BLK-M: 3 }' })
const zone = Type.String({ minLength: 1, description: 'an IANA time zone such as Europe/Berlin' })
const secretFrom = Type.Object(
  { env: Type.String({ minLength: 1, description: 'the name of an environment variable' }) },
  {
    additionalProperties: false,
    description: '{ env: NAME }, the name of the environment variable that holds the secret',
  },
)

const auth = Type.Union(
  [
    Type.Object({ kind: Type.Literal('standard-webhooks'), secretFrom }, { additionalProperties: false }),
    Type.Object({ kind: Type.Literal('bearer'), secretFrom }, { additionalProperties: false }),
    Type.Object(
      {
        kind: Type.Literal('hmac'),
        header: Type.String({ pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$", description: 'the name of a header' }),
        encoding: Type.Union([Type.Literal('hex'), Type.Literal('base64')], { description: 'hex or base64' }),
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
    availableIncludesReserved: Type.Optional(flag),
    allocatesOnAcknowledge: Type.Optional(flag),
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
    warehouseKnowsOrdersBefore: Type.Optional(Type.String({ description: 'an RFC 3339 time' })),
  },
  { additionalProperties: false },
)

/** The schema of the whole document; also part of the API contract. */
export const configurationSchema = Type.Object(
  {
    sources: Type.Record(name, source, { additionalProperties: false, description: 'sources by name' }),
    warehouses: Type.Record(name, warehouse, { additionalProperties: false, description: 'warehouses by name' }),
    shops: Type.Record(name, shop, { additionalProperties: false, description: 'shops by name' }),
  },
  { additionalProperties: false },
)

export type ConfigurationDocument = Static<typeof configurationSchema>

/** Nothing configured yet. */
export const EMPTY_DOCUMENT: ConfigurationDocument = { sources: {}, warehouses: {}, shops: {} }

/** One trouble, with the path of the value and, for YAML, its line. */
export type ConfigurationProblem = SchemaProblem & { readonly line?: number }

const check = checkerOf(configurationSchema)
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
  if (broken) return brokenYaml(broken.message, lines.linePos(broken.pos[0]).line)
  if (!keepTexts(parsed)) return brokenYaml('has a list or a map as a key: a key is a name')
  let value: unknown
  try {
    // A bounded number of aliases: a few lines of YAML could otherwise grow to gigabytes.
    value = parsed.toJS({ maxAliasCount: 100 })
  } catch (cause) {
    return brokenYaml(cause instanceof Error ? cause.message : 'is no YAML')
  }
  const checked = checkConfiguration(value ?? EMPTY_DOCUMENT)
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

const brokenYaml = (message: string, line?: number) => ({
  problems: [{ path: '', ...(line === undefined ? {} : { line }), problem: message.split('\n')[0] ?? 'is no YAML' }],
})

/**
 * YAML takes `00123`, `1E5` and `true` for something else than texts. A key is a name or a SKU, so it stays what was written; and
 * a number is judged on its text, so that `1e2` or `007` cannot pass for units.
 *
 * @returns false where a key is no single value
 */
function keepTexts(parsed: ReturnType<typeof parseDocument>): boolean {
  let keysAreNames = true
  visit(parsed, {
    Scalar(key, node) {
      const isOddNumber = typeof node.value === 'number' && !/^-?(0|[1-9][0-9]{0,15})$/.test(node.source ?? '')
      if (isOddNumber || (key === 'key' && typeof node.value !== 'string')) node.value = node.source ?? ''
    },
    Pair(_, { key }) {
      keysAreNames &&= isScalar(key)
    },
  })
  return keysAreNames
}

/** Checks a document's form, then what its parts say about each other. */
export function checkConfiguration(
  value: unknown,
): { readonly document: ConfigurationDocument } | { readonly problems: readonly ConfigurationProblem[] } {
  const wrong = check(value)
  if (wrong.length > 0) return { problems: wrong }
  const document = value as ConfigurationDocument
  const problems = contradictions(document)
  return problems.length > 0 ? { problems: dedupe(problems) } : { document }
}

const dedupe = (problems: readonly ConfigurationProblem[]): readonly ConfigurationProblem[] =>
  [...new Map(problems.map((each) => [`${each.path} ${each.problem}`, each])).values()].slice(0, MAX_PROBLEMS)

/** The entry of that name, and never something that every object has, such as `constructor`. */
const own = <T>(record: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined

function contradictions(document: ConfigurationDocument): ConfigurationProblem[] {
  const problems: ConfigurationProblem[] = []
  const say = (path: string, problem: string) => problems.push({ path, problem })
  for (const [key, each] of Object.entries(document.sources)) {
    const at = own(document.warehouses, each.defaultWarehouse)
    if (!at) say(`sources.${key}.defaultWarehouse`, `there is no warehouse "${each.defaultWarehouse}"`)
    else if (at.source !== key)
      say(`sources.${key}.defaultWarehouse`, `warehouse "${each.defaultWarehouse}" belongs to source "${at.source}"`)
    if (each.availableIncludesReserved !== undefined && each.dialect === 'canonical') {
      say(`sources.${key}.availableIncludesReserved`, 'speaks of the flat message only')
    }
    if (each.semantics === 'gross' && (each.dialect === 'flat' || each.availableIncludesReserved !== undefined)) {
      say(`sources.${key}.semantics`, 'must be net: available_stock of the flat message is a net figure')
    }
    sayDuration(`sources.${key}.knowsOrdersWithin`, each.knowsOrdersWithin, BOUNDS.knowsOrdersWithin, say)
  }
  for (const [key, each] of Object.entries(document.warehouses)) {
    if (!own(document.sources, each.source)) say(`warehouses.${key}.source`, `there is no source "${each.source}"`)
    if (!isZone(each.zone)) say(`warehouses.${key}.zone`, `"${each.zone}" is no time zone`)
    saySkus(`warehouses.${key}.safetyBySku`, each.safetyBySku, say)
  }
  const urls = new Map<string, string>()
  for (const [key, each] of Object.entries(document.shops)) {
    for (const [nth, one] of each.warehouses.entries()) {
      if (!own(document.warehouses, one)) say(`shops.${key}.warehouses.${nth}`, `there is no warehouse "${one}"`)
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
    saySkus(`shops.${key}.safetyBySku`, each.safetyBySku, say)
    saySkus(`shops.${key}.quotaBySku`, each.quotaBySku, say)
  }
  return problems
}

type Say = (path: string, problem: string) => void

function saySkus(path: string, bySku: Readonly<Record<string, number>> | undefined, say: Say): void {
  const seen = new Map<string, string>()
  for (const key of Object.keys(bySku ?? {})) {
    const read = canonicalSku(key)
    if ('problem' in read) say(`${path}.${key}`, `the SKU ${read.problem}`)
    else if (seen.has(read.sku)) say(`${path}.${key}`, `is the same SKU as "${seen.get(read.sku)}"`)
    else seen.set(read.sku, key)
  }
}

/**
 * The shortest and the longest that make sense. An order in flight for less than a second would free units that it is about to
 * take; for more than an hour, abandoned carts would hold the stock of a day.
 */
const BOUNDS = {
  orderInFlight: ['1s', '1h'],
  doubleSubmitWindow: ['0s', '1m'],
  knowsOrdersWithin: ['1s', '7d'],
} as const

function sayDuration(path: string, text: string | undefined, [least, most]: readonly [string, string], say: Say): void {
  if (text === undefined) return
  const ms = durationMs(text)
  if (ms < durationMs(least) || ms > durationMs(most)) say(path, `must lie between ${least} and ${most}`)
}

/** The URL without what does not tell shops apart. */
function plainUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined
  const { protocol, host, pathname } = new URL(text)
  return /^https?:$/.test(protocol) ? `${protocol}//${host}${pathname.replace(/\/+$/, '')}` : undefined
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
      foreignWrites: each.foreignWrites ?? 'restore',
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

/** The check has read it before. */
function momentOf(text: string): Instant {
  const read = readInstant(text)
  return 'instant' in read ? read.instant : instantOf(0)
}

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
  return keys.flatMap((key) => differences(own(before, key), own(after, key), path === '' ? key : `${path}.${key}`))
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
