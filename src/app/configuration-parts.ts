/** The parts of which `holdfast.yaml` is made: schemas of single values, their checks, and what they become in the core. */
import { Type } from 'typebox'
import { canonicalSku, MAX_UNITS, type Sku } from '../core/ids.ts'

export const name = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$',
  description: 'a name of letters, digits, -, _ and .',
})
export const units = Type.Integer({ minimum: 0, maximum: MAX_UNITS, description: `whole units from 0 to ${MAX_UNITS}` })
export const flag = Type.Boolean({ description: 'true or false' })
export const duration = Type.String({
  pattern: '^[0-9]{1,6}(ms|s|m|h|d)$',
  description: 'a duration such as 500ms, 60s, 5m, 2h, 1d',
})
export const unitsBySku = Type.Record(Type.String(), units, {
  description: 'units by SKU, such as { TSHIRT-BLK-M: 3 }',
})
export const zone = Type.String({ minLength: 1, description: 'an IANA time zone such as Europe/Berlin' })
export const secretFrom = Type.Object(
  { env: Type.String({ minLength: 1, description: 'the name of an environment variable' }) },
  {
    additionalProperties: false,
    description: '{ env: NAME }, the name of the environment variable that holds the secret',
  },
)

/** Tells a trouble with the path of its value. */
export type Say = (path: string, problem: string) => void

/** Says which keys are no SKUs, and which two are the same one. */
export function saySkus(path: string, bySku: Readonly<Record<string, unknown>> | undefined, say: Say): void {
  const seen = new Map<string, string>()
  for (const key of Object.keys(bySku ?? {})) {
    const read = canonicalSku(key)
    if ('problem' in read) say(`${path}.${key}`, `the SKU ${read.problem}`)
    else if (seen.has(read.sku)) say(`${path}.${key}`, `is the same SKU as "${seen.get(read.sku)}"`)
    else seen.set(read.sku, key)
  }
}

/** Says where a duration lies outside its bounds. */
export function sayDuration(
  path: string,
  text: string | undefined,
  [least, most]: readonly [string, string],
  say: Say,
): void {
  if (text === undefined) return
  const ms = durationMs(text)
  if (ms < durationMs(least) || ms > durationMs(most)) say(path, `must lie between ${least} and ${most}`)
}

/** Whether a text names an IANA time zone. */
export function isZone(text: string): boolean {
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

/** Numbers by canonical SKU. The check has found all of them to be SKUs. */
export const skuMap = (bySku: Readonly<Record<string, number>> | undefined): ReadonlyMap<Sku, number> =>
  new Map(
    Object.entries(bySku ?? {}).flatMap(([key, count]) => {
      const read = canonicalSku(key)
      return 'sku' in read ? [[read.sku, count] as const] : []
    }),
  )
