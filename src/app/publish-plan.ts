/** What is to be done about one claimed number: pure, from what the shop shows and what is true. */
import type { Configuration } from '../core/configuration.ts'
import { type ForeignPolicy, type Ruling, rule } from '../core/foreign-write.ts'
import { after, type Instant, type ShopId, type Sku } from '../core/ids.ts'
import { bandOfProduct, packOf } from '../core/pack.ts'
import { type Band, bandOf, correction, DECREMENT_WITHIN_MS, type RaiseHold } from '../core/publication.ts'
import { guardOf, saysTheSame } from '../core/second-guard.ts'
import type { SkuState } from '../core/stock.ts'
import type { ShownProduct, StockWrite, WriteOutcome } from './ports.ts'
import type { DirtyMark, GuardRow, MerchantSettings, OwnUnits, SeenRow, ShopIncident } from './shop-ports.ts'

/** Why a rise has to wait: after a silence what the shop sold by itself is not known yet (L2). */
export type RaiseRule = Exclude<RaiseHold, 'fight'>

/** A number that a shop refused is tried again after an hour: what is wrong with its product is for people to mend. */
export const REFUSED_AGAIN_MS = 60 * 60_000
/** A write is looked at once more so long after the watermark can have passed it. */
const RECHECK_MARGIN_MS = 2_000

/** What one pass knows about all of its numbers. */
export type Pass = {
  readonly shop: ShopId
  readonly rules: Configuration
  readonly now: Instant
  readonly raise: RaiseRule
  /** Up to when every order of the shop is known. */
  readonly watermark: Instant | undefined
  readonly newRevision: () => string
}

/** What it knows about one. */
export type Facts = {
  readonly mark: DirtyMark
  readonly product: ShownProduct | undefined
  readonly state: SkuState | undefined
  readonly own: OwnUnits | undefined
}

export type Plan = Facts & {
  readonly write: StockWrite | undefined
  /** A number that the shop refused, and that is not tried again yet. */
  readonly stillRefused: boolean
  readonly ruling: Ruling | undefined
  readonly waits: boolean
}

/** Plans one number. Only what lies outside its band is written, or what is not closed out. */
export function planOf(pass: Pass, facts: Facts): Plan {
  const { mark, product, state, own } = facts
  const packUnits = packOf(pass.rules, pass.shop, mark.sku).units
  const whole = state && bandOf(state, pass.rules, pass.shop, pass.now, own)
  const band = whole && bandOfProduct(whole, packUnits)
  const waitsForOthers = state !== undefined && state.unread.size > 0
  if (!product || !band)
    return { ...facts, write: undefined, stillRefused: false, ruling: undefined, waits: waitsForOthers }
  const ruling = rulingOf(pass, facts, band, product)
  const held: RaiseHold = pass.raise === 'none' && ruling.may === 'lower' ? 'fight' : pass.raise
  const units = ruling.may === 'leave' ? undefined : correction(product.units, band, held)
  const guard = guardOf(pass.rules, pass.shop, mark.sku, { band, shownUnits: units ?? product.units })
  const write =
    units !== undefined || !product.closeOut || !saysTheSame(product.guard ?? {}, guard)
      ? {
          productId: product.productId,
          sku: mark.sku,
          units: units ?? Math.max(0, product.units),
          setsUnits: units !== undefined,
          closeOut: true,
          guard,
          revision: pass.newRevision(),
        }
      : undefined
  const stillRefused =
    mark.refused?.at !== undefined &&
    mark.refused.units === write?.units &&
    pass.now < after(mark.refused.at, REFUSED_AGAIN_MS)
  const waitsToRise = pass.raise === 'silence' && product.units < band.leastUnits && units === undefined
  return {
    ...facts,
    write: stillRefused ? undefined : write,
    stillRefused,
    ruling,
    waits: waitsForOthers || waitsToRise,
  }
}

export const policyOf = (rules: Configuration, shop: ShopId): ForeignPolicy =>
  rules.shops.get(shop)?.foreignWrites ?? 'restore'

function rulingOf(pass: Pass, { mark }: Facts, band: Band, product: ShownProduct): Ruling {
  // After a pass that failed nobody knows whether our last write arrived, so no number tells who wrote it.
  const before = mark.attempts === 0 ? mark.before : undefined
  return rule(mark.guard, {
    policy: policyOf(pass.rules, pass.shop),
    now: pass.now,
    watermark: pass.watermark,
    orderInFlightMs: inFlightMs(pass),
    band,
    seen: { units: product.units, ...(product.revision === undefined ? {} : { revision: product.revision }) },
    ...(before === undefined ? {} : { before }),
  })
}

const inFlightMs = ({ rules, shop }: Pass): number => rules.shops.get(shop)?.orderInFlightMs ?? 0

/**
 * When a number is worth another look without any news: once the watermark has passed our write (H34), once the shop has had
 * time to move its stock for an order that we have just read (H40, and H31, where it moves nothing of ours), while a rise has to
 * wait or another shop is not read yet, when somebody else's write is to be judged, and when a refused one is tried again.
 */
export function lookAgainAt(
  pass: Pass,
  { mark, own, write, waits, stillRefused, ruling }: Plan,
  outcome: WriteOutcome | undefined,
) {
  const { now } = pass
  const isRefused = outcome?.outcome === 'refused'
  const wroteAt = write === undefined || isRefused ? mark.writtenAt : now
  const recheckAt = wroteAt === undefined ? undefined : after(wroteAt, inFlightMs(pass) + RECHECK_MARGIN_MS)
  const refusedAt = isRefused ? now : stillRefused ? mark.refused?.at : undefined
  const touchedAt = mark.before?.touchedAt
  const times = [
    ...(touchedAt === undefined || now >= after(touchedAt, DECREMENT_WITHIN_MS)
      ? []
      : [after(touchedAt, DECREMENT_WITHIN_MS + 100)]),
    ...(own?.recentOrderAt === undefined ? [] : [after(own.recentOrderAt, DECREMENT_WITHIN_MS + 100)]),
    ...(waits ? [after(now, 1_000)] : []),
    // From the write itself, not from the pass that made it: its echo makes another pass at once, and must not end the waiting.
    ...(recheckAt !== undefined && recheckAt > now ? [recheckAt] : []),
    ...(ruling?.lookAgainAt === undefined ? [] : [ruling.lookAgainAt]),
    ...(refusedAt === undefined ? [] : [after(refusedAt, REFUSED_AGAIN_MS)]),
  ]
  return times.sort((a, b) => a - b)[0]
}

/** What the shop shows after the pass; after an unknown outcome, the larger of what it showed and what we sent. */
export function shownAfter({ product, write }: Plan, outcome: WriteOutcome | undefined): number | undefined {
  if (!product || !write || outcome?.outcome === 'refused') return product?.units
  return outcome?.outcome === 'written' ? write.units : Math.max(product.units, write.units)
}

/** What is remembered of the pass. */
export function seenRow(plan: Plan, outcome: WriteOutcome | undefined): SeenRow {
  const { mark, product, write, state, stillRefused } = plan
  return {
    skuId: mark.skuId,
    productId: product?.productId ?? null,
    seenUnits: product?.units ?? null,
    shownUnits: shownAfter(plan, outcome) ?? null,
    ...(write && outcome?.outcome === 'written'
      ? { written: { units: write.units, version: state?.version ?? 0, revision: write.revision } }
      : {}),
    ...(write && outcome?.outcome === 'refused' ? { refused: { units: write.units, reason: outcome.reason } } : {}),
    ...(stillRefused ? { refused: 'as before' as const } : {}),
  }
}

/**
 * What the merchant had set, where we are about to write for the first time. A product that carries our revision was written by
 * us before, in a life that we do not remember: its setting may be ours, so it is not taken for the merchant's.
 */
export function settingsOf({ mark, product, write }: Plan): readonly MerchantSettings[] {
  if (!product || !write || mark.settingsKept === true || product.revision !== undefined) return []
  const closeOut = product.merchantSettings ? product.merchantSettings.closeOut : product.closeOut
  return [{ skuId: mark.skuId, productId: product.productId, closeOut }]
}

/** What is to be remembered about others' writes, where that changed. */
export function guardRow(pass: Pass, { mark, ruling }: Plan): readonly GuardRow[] {
  if (!ruling || (ruling.guard === undefined && mark.guard === undefined)) return []
  const policy = policyOf(pass.rules, pass.shop)
  return [
    {
      skuId: mark.skuId,
      sku: mark.sku,
      toldAt: mark.guard?.toldAt,
      guard: ruling.guard,
      ...(ruling.found ? { found: { ...ruling.found, policy, configuration: pass.rules.version } } : {}),
    },
  ]
}

/** What people are told of one number, and which incidents about it are over. */
export function tidingsOf(
  pass: Pass,
  { mark, ruling, write, stillRefused }: Plan,
  outcome: WriteOutcome | undefined,
): { readonly opened: readonly ShopIncident[]; readonly settled: readonly ShopIncident['code'][] } {
  const about = { key: incidentKey(pass.shop, mark.sku), shop: pass.shop, sku: mark.sku }
  const opened: ShopIncident[] = []
  const settled: ShopIncident['code'][] = []
  if (ruling?.tells === 'foreign') {
    const what = changeOf(ruling)
    const then = policyOf(pass.rules, pass.shop) === 'warn' ? 'it stands until ours changes' : 'ours was written again'
    opened.push({ code: 'FOREIGN_WRITE', ...about, cause: `${what}; ${then}` })
  }
  if (ruling?.tells === 'fight') {
    const cause = 'somebody else writes this number again and again; until that ends it is only lowered, never raised'
    opened.push({ code: 'FIGHT', ...about, cause })
  }
  if (ruling?.tells === 'calm') settled.push('FOREIGN_WRITE', 'FIGHT')
  if (write && outcome?.outcome === 'refused') {
    const cause = `the shop refuses ${write.units} units: ${outcome.reason}`
    opened.push({ code: 'PUBLICATION_REFUSED', ...about, cause })
  } else if (mark.refused && !stillRefused && outcome?.outcome !== 'unknown') settled.push('PUBLICATION_REFUSED')
  return { opened, settled }
}

export const incidentKey = (shop: ShopId, sku: Sku): string => `${shop}:${sku}`

function changeOf({ found }: Ruling): string {
  return found === undefined
    ? 'somebody else wrote this number'
    : `somebody else made ${found.oldUnits} into ${found.newUnits} (known by ${found.proof})`
}
