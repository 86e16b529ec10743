/** Days and moments as people and machines write them, read strictly: JavaScript alone turns 2026-02-30 into 2 March. */
import { type Day, dayOf, type Instant, instantOf } from '../core/ids.ts'

/** Earlier or later than these is a mistake: seconds taken for milliseconds, a default of 9999, an empty clock. */
const EARLIEST = Date.parse('2000-01-01T00:00:00Z')
const LATEST = Date.parse('2100-01-01T00:00:00Z')

const RFC_3339 = /^(\d{4}-\d{2}-\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?([Zz]|([+-])(\d{2}):(\d{2}))$/
/** The widest offset in use, Kiribati's, in minutes. */
const MAX_OFFSET_MINUTES = 14 * 60

/** A day as `2026-03-14`, or why the text is none. */
export function readDay(text: string): { readonly day: Day } | { readonly problem: string } {
  const at = midnightOf(text)
  if (at === undefined) return { problem: 'must be a day that exists, as 2026-03-14' }
  return isInReach(at) ? { day: dayOf(text) } : { problem: 'must lie between 2000 and 2099' }
}

/** A moment as RFC 3339 writes it, with its offset; parts of a millisecond are dropped. A leap second is none that exists. */
export function readInstant(text: string): { readonly instant: Instant } | { readonly problem: string } {
  const parts = RFC_3339.exec(text)
  if (!parts) return { problem: 'must be an RFC 3339 time with an offset, as 2026-03-14T15:09:26Z' }
  const [, day = '', hour = '', minute = '', second = '', fraction = '', , sign = '+', hours = '00', minutes = '00'] =
    parts
  const midnight = midnightOf(day)
  const offset = Number(hours) * 60 + Number(minutes)
  const exists = Number(hour) < 24 && Number(minute) < 60 && Number(second) < 60
  const zoneExists = Number(minutes) < 60 && offset <= MAX_OFFSET_MINUTES && !(sign === '-' && offset === 0)
  if (midnight === undefined || !exists || !zoneExists) return { problem: 'must be a time that exists' }
  const at =
    midnight +
    ((Number(hour) * 60 + Number(minute) - (sign === '-' ? -offset : offset)) * 60 + Number(second)) * 1_000 +
    Number(fraction.padEnd(3, '0').slice(0, 3))
  return isInReach(at) ? { instant: instantOf(at) } : { problem: 'must lie between 2000 and 2099' }
}

/** Only a day that survives the round trip exists. */
function midnightOf(day: string): number | undefined {
  const at = /^\d{4}-\d{2}-\d{2}$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN
  return Number.isNaN(at) || new Date(at).toISOString().slice(0, 10) !== day ? undefined : at
}

const isInReach = (at: number): boolean => at >= EARLIEST && at < LATEST
