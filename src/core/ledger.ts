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

/**
 * The text that is hashed: JSON with sorted keys, so that no database or library can change it by reordering.
 *
 * @param body the body's canonical JSON, where the caller has it already
 */
export const contentOf = (entry: LedgerEntry, body: string = canonicalJson(entry.body)): string => {
  const text = JSON.stringify
  return (
    `{"actor":${text(entry.actor)},"at":${text(entry.at)},"body":${body},"cause":${text(entry.cause)},` +
    `"configuration":${entry.configuration},"kind":${text(entry.kind)},"stream":${text(entry.stream)},"version":${entry.version}}`
  )
}

/** JSON without white space, keys in the order of their code units, undefined properties left out. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  // Every decision is hashed: a loop over names costs a third of a chain of entries, filter, sort and map.
  const named: Readonly<Record<string, unknown>> = { ...value }
  let text = ''
  for (const key of Object.keys(named).sort()) {
    const item = named[key]
    if (item !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(item)}`
  }
  return `{${text}}`
}
