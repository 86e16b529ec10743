/** Holds: demands before their order is known (L2, L5). A hold can be refused; what is granted waits for its order or its end. */
import { type Buyer, countGranted, type ReachedCap, reachedCap } from './cap.ts'
import { type Deadline, type Demand, isHeld, youngestFirst } from './demand.ts'
import { alter, alterUpTo, type Draft } from './draft.ts'
import { after, type Day, type Instant, type ShopId, type Sku, type Units } from './ids.ts'
import { addPegged, liveDemands, peg, serveShortages } from './peg.ts'
import { availabilityOf } from './sellable.ts'

/** Units of one SKU that a basket asks for. Several lines of one SKU come as several of these. */
export type HoldLine = { readonly sku: Sku; readonly units: Units; readonly lineKey?: string }

export type HoldCommand = {
  readonly kind: 'hold'
  readonly shop: ShopId
  /** The attempt: one order call, or one API key. */
  readonly reservation: string
  readonly via: 'gateway' | 'api'
  readonly lines: readonly HoldLine[]
  /** Who buys, where his shop caps what one buyer may have. */
  readonly buyer?: Buyer
  /** `all` or nothing, or as much of each line as there is. */
  readonly mode: 'all' | 'partial'
  /**
   * The shop has its yes already: we could not decide in time, and its policy let the order go on. The attempt is a fact, so it
   * takes any unit that there is, and what is missing is a shortage that nobody else may be sold.
   */
  readonly saidYes?: boolean
  /**
   * A page view, by policy: a hold for so long from its first view on, which the order call then takes over. It shows its cart
   * again and again under one name, and the units follow what the cart shows.
   */
  readonly pageForMs?: number
  /** The hold of the page before this order call: its units become this attempt's. */
  readonly takesOver?: string
  /** Absent: the order call itself, judged by the shop's watermark. */
  readonly until?: Instant
}

/**
 * The names under which a command may find holds that are there already: whoever loads, locks or saves goes by them. A call of the
 * checkout is an attempt of its own each time, so it names none.
 */
export const attemptsNamed = ({ via, saidYes, pageForMs, takesOver, reservation }: HoldCommand): readonly string[] => [
  ...(via === 'api' || saidYes || pageForMs !== undefined ? [reservation] : []),
  ...(takesOver === undefined ? [] : [takesOver]),
]

/** What was granted of one line, from where. */
export type Grant = {
  readonly sku: Sku
  readonly askedUnits: Units
  readonly grantedUnits: Units
  readonly supplies: readonly {
    readonly kind: string
    readonly warehouse?: string
    readonly units: Units
    /** Promised for this day; absent for what is on hand. */
    readonly day?: Day
  }[]
}

/** Why a hold is refused, with the numbers that decided. Never thrown. */
export type HoldRefusal =
  | { readonly kind: 'NOT_ENOUGH'; readonly lines: readonly MissingLine[] }
  | { readonly kind: 'CAP_REACHED'; readonly caps: readonly ReachedCap[] }
  | { readonly kind: 'ORDER_BEING_PLACED'; readonly secondsLeft: number }
  | { readonly kind: 'PREVIOUS_ATTEMPT_OPEN'; readonly secondsLeft: number; readonly lines: readonly MissingLine[] }

export type MissingLine = { readonly sku: Sku; readonly askedUnits: Units; readonly sellableUnits: Units }

export type HoldAnswer =
  | { readonly granted: true; readonly reservation: string; readonly lines: readonly Grant[]; readonly until?: Instant }
  | { readonly granted: false; readonly refusal: HoldRefusal }

type Drafts = ReadonlyMap<Sku, Draft>

/**
 * Decides one basket whole. Refusals come before the first change, so that a refused command leaves no trace.
 * With `api`, the same reservation with other lines replaces: what is still wanted stays held, with its place in line.
 */
export function decideHold(drafts: Drafts, command: HoldCommand): HoldAnswer {
  if (command.saidYes) return grantAfterTheFact(drafts, command)
  const asked = unitsBySku(command.lines)
  if (command.pageForMs !== undefined && isBeingOrdered(drafts, command))
    return { granted: true, reservation: command.reservation, lines: [] }
  if (command.via === 'gateway' && command.pageForMs === undefined) {
    const beingPlaced = doubleSubmit(drafts, command)
    if (beingPlaced) return { granted: false, refusal: beingPlaced }
  }
  const missing: MissingLine[] = []
  for (const [sku, units] of asked) {
    const draft = draftFor(drafts, sku)
    const mine = sumOf(ownDemands(draft, command).filter(({ supply }) => supply.kind !== 'shortage'))
    const availability = availabilityOf(draft.state, draft.rules, command.shop, draft.now)
    if (availability.tracked && units > mine + availability.sellableUnits) {
      missing.push({ sku, askedUnits: units, sellableUnits: mine + availability.sellableUnits })
    }
  }
  if (missing.length > 0 && command.mode === 'all')
    return { granted: false, refusal: refusalFor(drafts, command, missing) }
  const capped = capRefusal(drafts, command, asked)
  if (capped) return { granted: false, refusal: capped }
  return grant(drafts, command, new Map(missing.map((line) => [line.sku, line.sellableUnits])))
}

/** The order may have been read before its attempt could be recorded: then it is counted already. */
function grantAfterTheFact(drafts: Drafts, command: HoldCommand): HoldAnswer {
  if (isOrderedAlready(drafts, command)) return { granted: true, reservation: command.reservation, lines: [] }
  return grant(drafts, command, new Map())
}

function isOrderedAlready(drafts: Drafts, command: HoldCommand): boolean {
  const keys = keysOf(command)
  return [...drafts.values()].some((draft) => {
    const inFlightMs = draft.rules.shops.get(command.shop)?.orderInFlightMs ?? 0
    return [...draft.state.demands.values()].some(
      ({ shop, lineKey, placedAt }) =>
        shop === command.shop &&
        lineKey !== undefined &&
        keys.has(lineKey) &&
        placedAt !== undefined &&
        placedAt + inFlightMs > draft.now,
    )
  })
}

function grant(drafts: Drafts, command: HoldCommand, ceilings: ReadonlyMap<Sku, Units>): HoldAnswer {
  const asked = unitsBySku(command.lines)
  const grants: Grant[] = []
  for (const draft of drafts.values()) {
    const { sku } = draft.state
    giveBackSurplus(draft, command, Math.min(asked.get(sku) ?? 0, ceilings.get(sku) ?? Number.MAX_SAFE_INTEGER))
    renewDeadlines(draft, command)
  }
  for (const [sku, units] of asked) {
    const draft = draftFor(drafts, sku)
    const wanted = Math.min(units, ceilings.get(sku) ?? units)
    const hadUnits = ownUnits(draft, command)
    holdMore(draft, command, wanted)
    if (command.buyer) countGranted(draft, command.buyer, ownUnits(draft, command) - hadUnits)
    const held = ownDemands(draft, command)
    grants.push({
      sku,
      askedUnits: units,
      grantedUnits: sumOf(held),
      supplies: held.map(({ supply, units: part, promise }) => ({
        kind: supply.kind,
        units: part,
        ...(promise ? { day: promise.day } : {}),
        ...('warehouse' in supply ? { warehouse: supply.warehouse } : {}),
      })),
    })
  }
  for (const draft of drafts.values()) serveShortages(draft)
  return {
    granted: true,
    reservation: command.reservation,
    lines: grants,
    ...(command.until ? { until: command.until } : {}),
  }
}

/** A page's hold may become an order too, where we are not asked: so it ends by the watermark, as if its call came at its end. */
const deadlineOf = ({ now }: Draft, { until, pageForMs = 0 }: HoldCommand): Deadline =>
  until === undefined ? { kind: 'watermark', calledAt: after(now, pageForMs) } : { kind: 'moment', at: until }

/** What stays held is held as long as the answer says: until the moment that this call asks for, or as long as after it. */
function renewDeadlines(draft: Draft, command: HoldCommand): void {
  const deadline = deadlineOf(draft, command)
  for (const demand of ownDemands(draft, command)) {
    if (demand.reservation !== command.reservation) {
      // An attempt of its own from here on, and as young: what it is told apart from others by is its own call.
      const { reservation } = command
      alter(draft, demand, demand.units, { reservation, deadline, promisedAt: draft.now }, 'taken-over')
      continue
    }
    // Reloading a page holds nothing longer: else one buyer could bind the last unit for ever.
    if (command.pageForMs !== undefined) continue
    if (JSON.stringify(demand.deadline) !== JSON.stringify(deadline)) {
      alter(draft, demand, demand.units, { deadline }, 'deadline-renewed')
    }
  }
}

/** Adds what the reservation lacks, line by line, so that each hold carries the key of its own line. */
function holdMore(draft: Draft, command: HoldCommand, wanted: Units): void {
  let left = wanted - ownUnits(draft, command)
  const deadline = deadlineOf(draft, command)
  for (const line of command.lines) {
    if (line.sku !== draft.state.sku || left <= 0) continue
    const units = Math.min(left, line.units)
    left -= units
    const hold = {
      shop: command.shop,
      phase: 'held' as const,
      contained: false,
      promisedAt: draft.now,
      reservation: command.reservation,
      deadline,
      ...(line.lineKey ? { lineKey: line.lineKey } : {}),
    }
    const reach = command.saidYes ? 'any-unit' : 'above-safety'
    addPegged(draft, peg(draft, command.shop, units, reach), hold, command.saidYes ? 'held-after-yes' : 'held')
  }
}

/** Units that have lost their supply go first, then the youngest promise. */
function giveBackSurplus(draft: Draft, command: HoldCommand, wanted: Units): void {
  const surplus = Math.max(0, ownUnits(draft, command) - wanted)
  const isLost = ({ supply }: Demand): boolean => supply.kind === 'shortage'
  const own = ownDemands(draft, command).sort((a, b) => Number(isLost(b)) - Number(isLost(a)) || youngestFirst(a, b))
  alterUpTo(draft, own, surplus, () => ({ end: 'released' }), 'replaced')
}

/** Live holds of this very reservation, and of the one that it takes over: an API key and a page come back with other lines. */
const ownDemands = (
  draft: Draft,
  { shop, reservation, takesOver }: Pick<HoldCommand, 'shop' | 'reservation' | 'takesOver'>,
): Demand[] =>
  liveDemands(
    draft,
    (demand) =>
      isHeld(demand) &&
      demand.shop === shop &&
      (demand.reservation === reservation || (takesOver !== undefined && demand.reservation === takesOver)),
  )

const ownUnits = (draft: Draft, command: HoldCommand): Units => sumOf(ownDemands(draft, command))

const sumOf = (demands: readonly Demand[]): Units => demands.reduce((sum, { units }) => sum + units, 0)

/** Units asked for, per SKU: Shopware sends several lines of one product when the client gave them ids of their own. */
export function unitsBySku(lines: readonly HoldLine[]): ReadonlyMap<Sku, Units> {
  const sums = new Map<Sku, Units>()
  for (const { sku, units } of lines) sums.set(sku, (sums.get(sku) ?? 0) + units)
  return sums
}

/**
 * An order call that shares a line key with an attempt less than the window old is refused: two submits of one cart would
 * make two orders (H30). The window runs from the first yes and is never renewed.
 */
function doubleSubmit(drafts: Drafts, command: HoldCommand): HoldRefusal | undefined {
  const keys = keysOf(command)
  let secondsLeft = 0
  for (const draft of drafts.values()) {
    const windowMs = draft.rules.shops.get(command.shop)?.doubleSubmitWindowMs ?? 0
    for (const demand of draft.state.demands.values()) {
      if (demand.shop !== command.shop || demand.lineKey === undefined || !keys.has(demand.lineKey)) continue
      if (demand.reservation !== undefined && demand.reservation === command.takesOver) continue
      const endsAt = demand.promisedAt + windowMs
      if (endsAt > draft.now) secondsLeft = Math.max(secondsLeft, secondsUntil(draft.now, endsAt))
    }
  }
  return secondsLeft > 0 ? { kind: 'ORDER_BEING_PLACED', secondsLeft } : undefined
}

/** Whether one of these lines is in an attempt already, or in an order: then a page has nothing more to hold. */
function isBeingOrdered(drafts: Drafts, command: HoldCommand): boolean {
  const keys = keysOf(command)
  return [...drafts.values()].some(({ state }) =>
    [...state.demands.values()].some(
      ({ shop, lineKey, reservation, orderLine, end }) =>
        shop === command.shop &&
        reservation !== command.reservation &&
        lineKey !== undefined &&
        keys.has(lineKey) &&
        (end === undefined || orderLine !== undefined),
    ),
  )
}

const keysOf = (command: HoldCommand): ReadonlySet<string> =>
  new Set(command.lines.flatMap(({ lineKey }) => lineKey ?? []))

const secondsUntil = (now: Instant, end: number): number => Math.max(1, Math.ceil((end - now) / 1000))

/** "Sold out" would be a lie where only the buyer's own open attempt holds the units (H36). */
function refusalFor(drafts: Drafts, command: HoldCommand, missing: readonly MissingLine[]): HoldRefusal {
  const keys = keysOf(command)
  let freeAt = 0
  const allHisOwn = missing.every(({ sku, askedUnits, sellableUnits }) => {
    const draft = draftFor(drafts, sku)
    const own = liveDemands(
      draft,
      (demand) =>
        isHeld(demand) &&
        demand.shop === command.shop &&
        demand.reservation !== command.takesOver &&
        demand.supply.kind !== 'shortage' &&
        demand.lineKey !== undefined &&
        keys.has(demand.lineKey),
    )
    const inFlightMs = draft.rules.shops.get(command.shop)?.orderInFlightMs ?? 0
    for (const { deadline } of own) {
      if (deadline?.kind === 'watermark') freeAt = Math.max(freeAt, deadline.calledAt + inFlightMs)
    }
    return own.reduce((sum, { units }) => sum + units, sellableUnits) >= askedUnits
  })
  const [first] = drafts.values()
  if (allHisOwn && first && keys.size > 0) {
    return { kind: 'PREVIOUS_ATTEMPT_OPEN', secondsLeft: secondsUntil(first.now, freeAt), lines: missing }
  }
  return { kind: 'NOT_ENOUGH', lines: missing }
}

/** A buyer who would have more than his shop lets one have. Where only the attempt before this one stands in the way, he is told to wait (H36). */
function capRefusal(drafts: Drafts, command: HoldCommand, asked: ReadonlyMap<Sku, Units>): HoldRefusal | undefined {
  const { buyer, shop } = command
  if (!buyer) return undefined
  const lineKeys = keysOf(command)
  const caps = [...asked].flatMap(([sku, units]) => {
    const draft = draftFor(drafts, sku)
    const more = units - ownUnits(draft, command)
    return more <= 0 ? [] : (reachedCap(draft, { shop, buyer, units: more, lineKeys }) ?? [])
  })
  if (caps.length === 0) return undefined
  const own = caps.every(({ onlyOwnAttempts }) => onlyOwnAttempts) ? ownAttemptsEndIn(drafts, command) : undefined
  if (own === undefined) return { kind: 'CAP_REACHED', caps }
  const lines = caps.map(({ sku, leftUnits }) => ({ sku, askedUnits: asked.get(sku) ?? 0, sellableUnits: leftUnits }))
  return { kind: 'PREVIOUS_ATTEMPT_OPEN', secondsLeft: own, lines }
}

/** In how many seconds the last open attempt of this very cart can have ended; `undefined` where it has none. */
function ownAttemptsEndIn(drafts: Drafts, command: HoldCommand): number | undefined {
  const keys = keysOf(command)
  let seconds: number | undefined
  for (const draft of drafts.values()) {
    const inFlightMs = draft.rules.shops.get(command.shop)?.orderInFlightMs ?? 0
    for (const { deadline } of liveDemands(
      draft,
      (each) => isHeld(each) && each.shop === command.shop && each.lineKey !== undefined && keys.has(each.lineKey),
    )) {
      if (deadline?.kind !== 'watermark') continue
      seconds = Math.max(seconds ?? 0, secondsUntil(draft.now, deadline.calledAt + inFlightMs))
    }
  }
  return seconds
}

function draftFor(drafts: Drafts, sku: Sku): Draft {
  const draft = drafts.get(sku)
  if (!draft) throw new Error(`The state of ${sku} was not loaded`)
  return draft
}

/** Gives back every hold of a reservation. Orders that took part of it are not touched. */
export function releaseHolds(drafts: Drafts, command: { readonly shop: ShopId; readonly reservation: string }): Units {
  let released = 0
  for (const draft of drafts.values()) {
    for (const demand of ownDemands(draft, command)) {
      released += demand.units
      alter(draft, demand, demand.units, { end: 'released' }, 'released')
    }
    serveShortages(draft)
  }
  return released
}

/**
 * L2: a hold ends when its shop's order watermark has passed its deadline and no order took it. A hold with a moment of its own
 * (an API hold of a channel without orders to read) ends then.
 *
 * @param watermark the moment up to which all orders of the shop are known; `undefined`: none yet, so nothing ends by it
 */
export function expireHolds(draft: Draft, shop: ShopId, watermark: Instant | undefined): Units {
  let expired = 0
  for (const demand of liveDemands(draft, (each) => isHeld(each) && each.shop === shop)) {
    const { deadline } = demand
    if (!deadline || !isPast(deadline, watermark, draft.now)) continue
    expired += demand.units
    alter(draft, demand, demand.units, { end: 'expired' }, 'expired')
  }
  serveShortages(draft)
  return expired
}

const isPast = (deadline: Deadline, watermark: Instant | undefined, now: Instant): boolean =>
  deadline.kind === 'moment' ? deadline.at <= now : watermark !== undefined && deadline.calledAt < watermark
