/** JSON as PHP writes it, and safe looks into what was parsed. */
export type JsonObject = { [key: string]: unknown }

/** The value as an object; an empty one where it is none. PHP writes an empty map as `[]`. */
export const objectOf = (value: unknown): JsonObject => (isObject(value) ? value : {})
/** The value as a list; an empty one where it is none. */
export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
/** The value as a text, or `undefined`. */
export const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
/** The parsed text, or `undefined` where it is no JSON. */
export function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** JSON as PHP's `json_encode` writes it: slashes and everything beyond ASCII escaped. Signatures are over these bytes. */
export const phpJson = (value: unknown): string =>
  JSON.stringify(value)
    .replaceAll('/', '\\/')
    .replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** A moment as Shopware tells it. */
export const moment = (ms: number): string => new Date(ms).toISOString().replace('Z', '+00:00')

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
