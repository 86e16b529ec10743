/** Search criteria of the Admin API: filters, sorting, pages and named fields over plain rows. */
import { type JsonObject, listOf, objectOf, textOf } from './json.ts'

/** Shopware refuses a larger page. */
export const MAX_LIMIT = 500

/** A question that the shop cannot read: answered with 400. */
export class BadCriteria extends Error {}

/** The rows that meet the criteria. Without `fields`, an association comes only where it is asked for. */
export function search(
  rows: readonly JsonObject[],
  criteria: JsonObject,
  associations: readonly string[],
): JsonObject[] {
  const limit = typeof criteria.limit === 'number' ? criteria.limit : MAX_LIMIT
  if (limit < 1 || limit > MAX_LIMIT) throw new BadCriteria(`The limit must be between 1 and ${MAX_LIMIT}.`)
  const page = typeof criteria.page === 'number' ? criteria.page : 1
  const ids = listOf(criteria.ids)
  const found = rows
    .filter((row) => ids.length === 0 || ids.includes(row.id))
    .filter((row) => listOf(criteria.filter).every((filter) => meets(row, objectOf(filter))))
  const sorted = listOf(criteria.sort).reduceRight<JsonObject[]>((list, rule) => {
    const { field, order } = objectOf(rule)
    const sign = textOf(order)?.toUpperCase() === 'DESC' ? -1 : 1
    const key = (row: JsonObject) => Number(valuesAt(row, String(field))[0] ?? 0)
    return list.toSorted((a, b) => sign * (key(a) - key(b)))
  }, found)
  const fields = listOf(criteria.fields).flatMap((field) => textOf(field) ?? [])
  const asked = objectOf(criteria.associations)
  return sorted.slice((page - 1) * limit, page * limit).map((row) => {
    if (fields.length > 0) return pick(row, fields)
    const told = { ...row }
    for (const name of associations) if (!(name in asked)) told[name] = null
    const includes = listOf(objectOf(criteria.includes)[String(row.apiAlias)])
    return includes.length === 0 ? told : { ...pick(told, includes.map(String)) }
  })
}

function meets(row: JsonObject, filter: JsonObject): boolean {
  switch (filter.type) {
    case 'multi':
    case 'not': {
      const answers = listOf(filter.queries).map((query) => meets(row, objectOf(query)))
      const joined =
        textOf(filter.operator)?.toLowerCase() === 'or'
          ? answers.some((answer) => answer)
          : answers.every((answer) => answer)
      return filter.type === 'not' ? !joined : joined
    }
    case 'equals':
      return valuesAt(row, String(filter.field)).some((value) => value === filter.value)
    case 'equalsAny': {
      const wanted = typeof filter.value === 'string' ? filter.value.split('|') : listOf(filter.value)
      return valuesAt(row, String(filter.field)).some((value) => wanted.includes(value))
    }
    case 'range':
      return valuesAt(row, String(filter.field)).some((value) => inRange(value, objectOf(filter.parameters)))
    default:
      throw new BadCriteria(`The filter type "${String(filter.type)}" is not supported.`)
  }
}

function inRange(value: unknown, { gt, gte, lt, lte }: JsonObject): boolean {
  const at = numberOf(value)
  if (at === undefined) return false
  const holds = (bound: unknown, test: (limit: number) => boolean) => {
    const limit = numberOf(bound)
    return limit === undefined || test(limit)
  }
  return (
    holds(gt, (limit) => at > limit) &&
    holds(gte, (limit) => at >= limit) &&
    holds(lt, (limit) => at < limit) &&
    holds(lte, (limit) => at <= limit)
  )
}

/** A number, or a moment in ms: without an offset it is UTC, as the shop stores it. */
function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  if (typeof value !== 'string') return undefined
  const text = /(Z|[+-]\d{2}:\d{2})$/.test(value) ? value : `${value.replace(' ', 'T')}Z`
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : at
}

/** Every value at a path; a list on the way is each of its rows. */
function valuesAt(value: unknown, path: string): unknown[] {
  const [name = '', ...rest] = path.split('.')
  const here = objectOf(value)[name]
  if (rest.length === 0) return [here]
  const parts = Array.isArray(here) ? here : [here]
  return parts.flatMap((part) => valuesAt(part, rest.join('.')))
}

/** Named fields and always the id, as the real `fields` does. */
function pick(row: JsonObject, fields: readonly string[]): JsonObject {
  const told: JsonObject = { id: row.id, apiAlias: row.apiAlias, extensions: [], translated: [] }
  const nested = new Map<string, string[]>()
  for (const field of fields) {
    const [name = '', ...rest] = field.split('.')
    if (rest.length === 0) told[name] = row[name]
    else nested.set(name, [...(nested.get(name) ?? []), rest.join('.')])
  }
  for (const [name, inner] of nested) {
    const here = row[name]
    if (Array.isArray(here)) told[name] = here.map((part) => pick(objectOf(part), inner))
    else told[name] = here === null || here === undefined ? null : pick(objectOf(here), inner)
  }
  return told
}
