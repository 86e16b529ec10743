/**
 * Numbers that somebody else wrote in a shop: told apart from our own writes and from what the shop's orders moved, and ruled on.
 *
 * Two proofs exist. A webhook that names the stock and not our revision is certain: an order sends none, and we never write one
 * without the other. Without a webhook a number that left its band is only seen to be so; an order that we have not read may
 * have moved it. So it is judged once the watermark has passed the sighting, and counts as foreign only if no order of that SKU
 * was read as new, changed or gone meanwhile. In doubt it is the shop's own.
 *
 * A number that fell below its band without a word may have been sold by an order that asked nobody: one that was reopened or
 * edited, or an import. Until the orders have been read once more it is not raised, or those units would be shown again (H42).
 *
 * What follows is policy: `restore` puts the number right at once, `warn` and `ignore` let it stand until what is sellable
 * changes. Whoever restores against another robot never ends; so after some rounds the lower of both numbers stands.
 */
import { after, type Instant, type Units } from './ids.ts'
import { type Band, DECREMENT_WITHIN_MS } from './publication.ts'

/** What follows when somebody else wrote a number of a shop. */
export type ForeignPolicy = 'restore' | 'warn' | 'ignore'

/** So many numbers put right within {@link FIGHT_WITHIN_MS} are a fight: by then it is no slip of a person's hand. */
export const FIGHT_AFTER = 5
/** Ten minutes: a job that writes every two minutes is a fight, somebody who tries again after lunch is not. */
export const FIGHT_WITHIN_MS = 10 * 60_000
/** How soon a sighting is looked at again while the watermark is late. */
const JUDGE_AGAIN_MS = 5_000
/** How soon a number that fell by itself is looked at again while the orders of that time are not read. */
const READ_AGAIN_MS = 500
/** The watermark has passed a sighting so long after `orderInFlight`. */
const JUDGE_MARGIN_MS = 3_000

/** A number that changed without us. */
export type Sighting = {
  readonly oldUnits: number
  readonly newUnits: number
  /** When it was seen. */
  readonly at: Instant
  /** When the old number was last seen: the change lies between. */
  readonly since: Instant
}

/** What is remembered about one number of one shop from look to look. */
export type Guard = {
  /** A webhook told of a foreign write for which no changed number was found yet. */
  readonly toldAt?: Instant
  readonly sighting?: Sighting
  /** A foreign number that stands by policy, and what was sellable then. */
  readonly left?: { readonly units: number; readonly leastUnits: Units }
  /** When foreign numbers were put right, oldest first, at most {@link FIGHT_AFTER}. */
  readonly restoredAt: readonly Instant[]
  readonly fightingSince?: Instant
}

/** One look at a number. */
export type Look = {
  readonly policy: ForeignPolicy
  readonly now: Instant
  /** Up to when every order of the shop is known. */
  readonly watermark: Instant | undefined
  readonly orderInFlightMs: number
  readonly band: Band
  readonly seen: { readonly units: number; readonly revision?: string }
  /** What it showed after the last look; absent when that is not known for certain. */
  readonly before?: {
    readonly units: number
    readonly seenAt: Instant
    readonly revision?: string
    /** When an order with this SKU was last read as new, changed or gone. */
    readonly touchedAt?: Instant
  }
}

/** A number that somebody else wrote, and by which proof we know. */
export type ForeignWrite = Sighting & { readonly proof: 'webhook' | 'comparison' }

export type Ruling = {
  /** What to remember; `undefined` when nothing is left to remember. */
  readonly guard: Guard | undefined
  /** A foreign write to be recorded. */
  readonly found?: ForeignWrite
  /** What may be done about a number outside its band. */
  readonly may: 'correct' | 'lower' | 'leave'
  /** What people should hear: a foreign write, a fight, or that it is over. */
  readonly tells: 'foreign' | 'fight' | 'calm' | 'nothing'
  readonly lookAgainAt?: Instant
}

const NOTHING: Guard = { restoredAt: [] }

/** Judges one look at a number; never throws. */
export function rule(known: Guard | undefined, look: Look): Ruling {
  const guard = ended(known ?? NOTHING, look)
  const sighting = sightingOf(guard, look)
  const verdict = sighting === undefined ? 'none' : verdictOf(guard, sighting, look)
  const { toldAt: _, sighting: __, ...rest } = guard
  if (sighting === undefined || verdict === 'own') return rest.left ? leftAlone(rest, look) : calm(rest, known)
  if (verdict === 'pending') {
    const due = after(sighting.at, look.orderInFlightMs + JUDGE_MARGIN_MS)
    const waits = mayBeSold(sighting, look)
    return {
      guard: { ...rest, sighting },
      may: look.policy !== 'restore' ? 'leave' : waits ? 'lower' : mayOf(rest),
      tells: 'nothing',
      lookAgainAt: waits ? after(look.now, READ_AGAIN_MS) : due > look.now ? due : after(look.now, JUDGE_AGAIN_MS),
    }
  }
  const found: ForeignWrite = { ...sighting, proof: guard.toldAt === undefined ? 'comparison' : 'webhook' }
  return look.policy === 'restore' ? restored(rest, found, look) : stands(rest, found, look)
}

/** A number that changed since the last look and not by us, beside one that waits for its judgement. */
function sightingOf({ sighting, toldAt }: Guard, { before, seen, band, now }: Look): Sighting | undefined {
  if (!before || before.revision !== seen.revision || before.units === seen.units) return sighting
  const isOutside = seen.units > band.mostUnits || seen.units < band.leastUnits
  // Inside the band a fall is what an order does, whatever else was written at that time.
  if (!isOutside && (toldAt === undefined || seen.units < before.units)) return sighting
  return {
    oldUnits: before.units,
    newUnits: seen.units,
    at: now,
    since: sighting?.since ?? before.seenAt,
  }
}

/** A fall that an order which nobody has read may have made. A read that began after it was seen finds that order. */
function mayBeSold({ oldUnits, newUnits, at }: Sighting, { watermark, orderInFlightMs }: Look): boolean {
  return newUnits < oldUnits && (watermark === undefined || after(watermark, orderInFlightMs) <= at)
}

function verdictOf({ toldAt }: Guard, sighting: Sighting, { watermark, before }: Look): 'foreign' | 'own' | 'pending' {
  if (toldAt !== undefined) return 'foreign'
  if (watermark === undefined || watermark <= sighting.at) return 'pending'
  const touchedAt = before?.touchedAt
  return touchedAt !== undefined && touchedAt >= after(sighting.since, -DECREMENT_WITHIN_MS) ? 'own' : 'foreign'
}

function restored(guard: Guard, found: ForeignWrite, { now }: Look): Ruling {
  const restoredAt = [...guard.restoredAt, now].slice(-FIGHT_AFTER)
  const first = restoredAt[0] ?? now
  const begins = restoredAt.length === FIGHT_AFTER && now - first < FIGHT_WITHIN_MS
  const { left: _, ...rest } = guard
  const fightingSince = guard.fightingSince ?? (begins ? now : undefined)
  const next: Guard = { ...rest, restoredAt, ...(fightingSince === undefined ? {} : { fightingSince }) }
  return {
    guard: next,
    // In a fight not every round is a record of its own: the other writer must not fill the ledger.
    ...(guard.fightingSince === undefined ? { found } : {}),
    may: mayOf(next),
    tells: fightingSince === undefined ? 'foreign' : 'fight',
    lookAgainAt: after(now, FIGHT_WITHIN_MS),
  }
}

function stands(guard: Guard, found: ForeignWrite, { band, seen, policy }: Look): Ruling {
  const left = { units: seen.units, leastUnits: band.leastUnits }
  return { guard: { ...guard, left }, found, may: 'leave', tells: policy === 'warn' ? 'foreign' : 'nothing' }
}

/** A number that was left alone stays so, until the shop or we have a new one. */
function leftAlone(guard: Guard, { seen, band, policy }: Look): Ruling {
  const { left, ...rest } = guard
  const holds = policy !== 'restore' && left?.units === seen.units && left.leastUnits === band.leastUnits
  return holds ? { guard, may: 'leave', tells: 'nothing' } : calm(rest, guard)
}

/** Nothing foreign is seen: what was put right lately is remembered for a while, then it is over. */
function calm(guard: Guard, known: Guard | undefined): Ruling {
  const last = guard.restoredAt.at(-1)
  if (last !== undefined)
    return { guard, may: mayOf(guard), tells: 'nothing', lookAgainAt: after(last, FIGHT_WITHIN_MS) }
  const wasTold = (known?.restoredAt.length ?? 0) > 0 || known?.left !== undefined
  return { guard: undefined, may: 'correct', tells: wasTold ? 'calm' : 'nothing' }
}

/** Without a foreign write for as long as a fight is measured by, it is over. */
function ended(guard: Guard, { now }: Look): Guard {
  const last = guard.restoredAt.at(-1)
  if (last === undefined || now - last < FIGHT_WITHIN_MS) return guard
  const { fightingSince: _, ...rest } = guard
  return { ...rest, restoredAt: [] }
}

/** In a fight a number is never raised against the other, but never stays above what is true. */
const mayOf = ({ fightingSince }: Guard): 'correct' | 'lower' => (fightingSince === undefined ? 'correct' : 'lower')
