/** What the ledger keeps of a decision, in a form whose hash anyone can compute again. */
import type { Change } from './stock.ts'

/** What one decision did to one SKU. State is the fold of these, in the order of their versions. */
export type SkuEntryBody = { readonly changes: readonly Change[] }

export type LedgerEntry = {
  /** `sku:…`, `shop:…`, `source:…` or `configuration`: entries of one stream are numbered without a gap. */
  readonly stream: string
  readonly version: number
  /** RFC 3339 in UTC, to the millisecond. */
  readonly at: string
  /** The command that was decided. */
  readonly kind: string
  readonly actor: string
  readonly cause: string
  readonly configuration: number
  readonly body: unknown
}

export const streamOfSku = (sku: string): string => `sku:${sku}`

/** The text that is hashed: JSON with sorted keys, so that no database or library can change it by reordering. */
export const contentOf = (entry: LedgerEntry): string =>
  canonicalJson({
    stream: entry.stream,
    version: entry.version,
    at: entry.at,
    kind: entry.kind,
    actor: entry.actor,
    cause: entry.cause,
    configuration: entry.configuration,
    body: entry.body,
  })

/** JSON without white space, keys in the order of their code units, undefined properties left out. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  const pairs = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`)
  return `{${pairs.join(',')}}`
}
