/**
 * The names and measures that must not be mixed up. A branded type costs nothing at run time; the parser of a door is the
 * only place that makes one from outside text.
 */

declare const brand: unique symbol
type Brand<T, Name extends string> = T & { readonly [brand]: Name }

/** A stock keeping unit in canonical form: NFC, trimmed, upper and lower case kept. See {@link canonicalSku}. */
export type Sku = Brand<string, 'Sku'>
/** The name of a shop in `holdfast.yaml`, such as `nord`; not Shopware's own shop id. */
export type ShopId = Brand<string, 'ShopId'>
/** The name of a warehouse in `holdfast.yaml`. */
export type WarehouseId = Brand<string, 'WarehouseId'>
/** The name of a source (one connection to a WMS) in `holdfast.yaml`. */
export type SourceId = Brand<string, 'SourceId'>
/** A moment on the database's clock, in milliseconds since 1970-01-01T00:00:00Z. */
export type Instant = Brand<number, 'Instant'>
/** A calendar day, `2026-03-14`: no time zone, no clock. */
export type Day = Brand<string, 'Day'>
/** A whole number of units. Balances may be negative; what a message carries is 0 … {@link MAX_UNITS}. */
export type Units = number

/** The largest number of units of anything: PostgreSQL's `integer`. */
export const MAX_UNITS = 2_147_483_647
/** The longest SKU, in characters and in bytes of UTF-8. */
export const MAX_SKU_CHARACTERS = 255
export const MAX_SKU_BYTES = 1_024

export const skuOf = (canonical: string): Sku => canonical as Sku
export const shopOf = (name: string): ShopId => name as ShopId
export const warehouseOf = (name: string): WarehouseId => name as WarehouseId
export const sourceOf = (name: string): SourceId => name as SourceId
export const instantOf = (epochMs: number): Instant => epochMs as Instant
export const dayOf = (text: string): Day => text as Day

/** A moment so many milliseconds later (or earlier, when negative). */
export const after = (moment: Instant, ms: number): Instant => instantOf(moment + ms)

/** Whether `units` is a whole number that a message may carry: 0 … {@link MAX_UNITS}, and not −0. */
export const isUnits = (units: unknown): units is Units =>
  typeof units === 'number' && Number.isInteger(units) && units >= 0 && units <= MAX_UNITS && !Object.is(units, -0)

/**
 * The canonical form of a SKU: NFC and trimmed; case is kept, because WMSs exist in which `abc` and `ABC` are two goods.
 *
 * @returns the canonical form, or the reason why the text can be no SKU
 */
export function canonicalSku(sent: string): { readonly sku: Sku } | { readonly problem: string } {
  const text = sent.normalize('NFC').trim()
  if (text === '') return { problem: 'is empty' }
  if (FORBIDDEN.test(text)) return { problem: 'contains a control or invisible character' }
  if (!text.isWellFormed()) return { problem: 'contains half a character (a lone surrogate)' }
  if ([...text].length > MAX_SKU_CHARACTERS) return { problem: `has more than ${MAX_SKU_CHARACTERS} characters` }
  if (utf8Length(text) > MAX_SKU_BYTES) return { problem: `has more than ${MAX_SKU_BYTES} bytes` }
  return { sku: skuOf(text) }
}

/** Control characters, and the invisible ones that make two SKUs look alike: zero width, direction marks, BOM. */
const FORBIDDEN = /[\p{Cc}\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]/u

function utf8Length(text: string): number {
  let bytes = 0
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4
  }
  return bytes
}
