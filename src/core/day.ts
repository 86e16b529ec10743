/** Calendar days of a zone. A zone's days are whatever its clocks on the wall say: daylight saving is in the zone, not in here. */
import { type Day, dayOf, type Instant } from './ids.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

/** What the clocks of a zone show. */
export type WallClock = { readonly day: Day; readonly minutes: number }

const formats = new Map<string, Intl.DateTimeFormat>()
/** The last answer of each zone: decisions come many to the minute, and a zone's clocks change on whole minutes. */
const last = new Map<string, { readonly minute: number; readonly clock: WallClock }>()

/** The day and the minutes since midnight that the clocks of a zone show at a moment. Throws for a zone that does not exist. */
export function wallClock(zone: string, at: Instant): WallClock {
  const minute = Math.floor(at / MINUTE_MS)
  const known = last.get(zone)
  if (known?.minute === minute) return known.clock
  const text = formatOf(zone).format(minute * MINUTE_MS)
  const [day = '', time = ''] = text.split(', ')
  const [hours, minutes] = time.split(':').map(Number)
  const clock = { day: dayOf(day), minutes: ((hours ?? 0) % 24) * 60 + (minutes ?? 0) }
  last.set(zone, { minute, clock })
  return clock
}

/** The calendar day of a zone at a moment. */
export const dayIn = (zone: string, at: Instant): Day => wallClock(zone, at).day

/** So many days later, or earlier when negative. */
export const addDays = (day: Day, days: number): Day =>
  days === 0 ? day : dayOf(new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10))

/** How many days `to` lies after `from`; negative before it. */
export const daysBetween = (from: Day, to: Day): number =>
  (Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / DAY_MS

/** 1 for Monday to 7 for Sunday. */
export const weekdayOf = (day: Day): number => new Date(`${day}T00:00:00Z`).getUTCDay() || 7

/** The later of two days. */
export const laterDay = (a: Day, b: Day): Day => (a > b ? a : b)

function formatOf(zone: string): Intl.DateTimeFormat {
  const found = formats.get(zone)
  if (found) return found
  const made = new Intl.DateTimeFormat('en-CA', {
    timeZone: zone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  })
  formats.set(zone, made)
  return made
}
