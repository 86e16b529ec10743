/**
 * `holdfast.yaml`: what people decide, as data. The document is what is stored, versioned and exported; the core's
 * {@link Configuration} and the sources' doors are made from it. Every trouble names its place.
 */
import { type Static, Type } from 'typebox'
import { isScalar, LineCounter, parseDocument, stringify, visit } from 'yaml'
import type { Configuration, SourceRules, WarehouseRules } from '../core/configuration.ts'
import { sourceOf, warehouseOf } from '../core/ids.ts'
import {
  duration,
  durationMs,
  flag,
  isZone,
  name,
  sayDuration,
  saySkus,
  secretFrom,
  skuMap,
  units,
  unitsBySku,
  zone,
} from './configuration-parts.ts'
import { promises, promisesOf, sayPromises } from './configuration-promises.ts'
import { pull, sayPull } from './configuration-pull.ts'
import { sayShops, shop, shopRulesOf } from './configuration-shop.ts'
import { checkerOf, type SchemaProblem } from './schema-problems.ts'

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
      Type.Union([Type.Literal('auto'), Type.Literal('flat'), Type.Literal('canonical'), Type.Literal('tryton')], {
        description: 'auto, flat, canonical or tryton',
      }),
    ),
    auth: Type.Optional(auth),
    pull: Type.Optional(pull),
    defaultWarehouse: name,
    availableIncludesReserved: Type.Optional(flag),
    allocatesOnAcknowledge: Type.Optional(flag),
    knowsOrdersWithin: Type.Optional(duration),
    tellsReceiptsWithin: Type.Optional(duration),
  },
  { additionalProperties: false },
)

const warehouse = Type.Object(
  { source: name, zone, safetyUnits: Type.Optional(units), safetyBySku: Type.Optional(unitsBySku) },
  { additionalProperties: false },
)

/** The schema of the whole document; also part of the API contract. */
export const configurationSchema = Type.Object(
  {
    sources: Type.Record(name, source, { additionalProperties: false, description: 'sources by name' }),
    warehouses: Type.Record(name, warehouse, { additionalProperties: false, description: 'warehouses by name' }),
    shops: Type.Record(name, shop, { additionalProperties: false, description: 'shops by name' }),
    promises: Type.Optional(promises),
  },
  { additionalProperties: false },
)

export type ConfigurationDocument = Static<typeof configurationSchema>

/** Nothing configured yet. */
export const EMPTY_DOCUMENT: ConfigurationDocument = { sources: {}, warehouses: {}, shops: {} }

/** One trouble, with the path of the value and, for YAML, its line. */
export type ConfigurationProblem = SchemaProblem & { readonly line?: number }

/** The shortest and the longest that make sense. */
const KNOWS_ORDERS_WITHIN = ['1s', '7d'] as const
const TELLS_RECEIPTS_WITHIN = ['1m', '7d'] as const
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
    sayPull(key, each, document.warehouses, say)
    if (each.availableIncludesReserved !== undefined && each.dialect === 'canonical') {
      say(`sources.${key}.availableIncludesReserved`, 'speaks of the flat message only')
    }
    if (each.semantics === 'gross' && (each.dialect === 'flat' || each.availableIncludesReserved !== undefined)) {
      say(`sources.${key}.semantics`, 'must be net: available_stock of the flat message is a net figure')
    }
    sayDuration(`sources.${key}.knowsOrdersWithin`, each.knowsOrdersWithin, KNOWS_ORDERS_WITHIN, say)
    sayDuration(`sources.${key}.tellsReceiptsWithin`, each.tellsReceiptsWithin, TELLS_RECEIPTS_WITHIN, say)
  }
  for (const [key, each] of Object.entries(document.warehouses)) {
    if (!own(document.sources, each.source)) say(`warehouses.${key}.source`, `there is no source "${each.source}"`)
    if (!isZone(each.zone)) say(`warehouses.${key}.zone`, `"${each.zone}" is no time zone`)
    saySkus(`warehouses.${key}.safetyBySku`, each.safetyBySku, say)
  }
  sayShops(document.shops, (key) => own(document.warehouses, key), say)
  const has = {
    shop: (key: string) => own(document.shops, key) !== undefined,
    warehouse: (key: string) => own(document.warehouses, key) !== undefined,
  }
  sayPromises(document.promises, has, say)
  return problems
}

/** The rules of the core, from a checked document. */
export function configurationOf(document: ConfigurationDocument, version: number): Configuration {
  const sources = Object.entries(document.sources).map(
    ([key, each]): SourceRules => ({
      source: sourceOf(key),
      semantics: each.semantics,
      allocatesOnAcknowledge: each.allocatesOnAcknowledge ?? false,
      ...(each.pull === undefined ? {} : { isPulled: true }),
      ...(each.knowsOrdersWithin === undefined ? {} : { knowsOrdersWithinMs: durationMs(each.knowsOrdersWithin) }),
      ...(each.tellsReceiptsWithin === undefined
        ? {}
        : { tellsReceiptsWithinMs: durationMs(each.tellsReceiptsWithin) }),
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
  const shops = Object.entries(document.shops).map(([key, each]) => shopRulesOf(key, each))
  const ahead = promisesOf(document.promises)
  return {
    version,
    sources: new Map(sources.map((each) => [each.source, each])),
    warehouses: new Map(warehouses.map((each) => [each.warehouse, each])),
    shops: new Map(shops.map((each) => [each.shop, each])),
    ...(ahead ? { promises: ahead } : {}),
  }
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
