/**
 * Picks named fields out of parsed JSON whose shape we do not own. PHP writes an empty map as `[]` and a list with gaps as an
 * object, so both are taken for either; a missing field is `undefined`, never an error.
 */

/** Bytes as text, or `undefined` where they are not UTF-8 (replacing a broken byte would change a SKU). */
export function decodeUtf8(raw: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(raw)
  } catch {
    return undefined
  }
}

/** Text as JSON, or `undefined` where it is none. */
export function parseJson(text: string): unknown {
  try {
    const parsed: unknown = JSON.parse(text)
    return parsed
  } catch {
    return undefined
  }
}

/** An own field of an object; `undefined` for everything that is none. */
export function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
  return Object.getOwnPropertyDescriptor(value, name)?.value
}

/** The items of a list, or of a map that PHP made of one; `undefined` for anything else. */
export function listOf(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value
  if (typeof value === 'object' && value !== null) return Object.values(value)
  return undefined
}

/** The same, with nothing in it where there is no list. */
export const itemsOf = (value: unknown): readonly unknown[] => listOf(value) ?? []

/** A text of 1 to 255 characters, the longest that any field of ours needs. */
export const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' && value.length <= 255 ? value : undefined

/** An id of Shopware's: 32 hex digits, in lower case. */
export const shopwareId = (value: unknown): string | undefined =>
  typeof value === 'string' && /^[0-9a-f]{32}$/i.test(value) ? value.toLowerCase() : undefined
