/**
 * Brings one shop's numbers into their bands (L6). Harmless to repeat: reads present truth and what the shop shows, sets absolute
 * values, and only where they differ. Decreases go first and increases last.
 */
import { randomUUID } from 'node:crypto'
import type { Configuration } from '../core/configuration.ts'
import { after, type Instant, type ShopId, type Sku } from '../core/ids.ts'
import { bandOf, correction, DECREMENT_WITHIN_MS } from '../core/publication.ts'
import type { SkuState } from '../core/stock.ts'
import type { Shop, ShownProduct, StockWrite, WriteOutcome } from './ports.ts'
import type { DirtyMark, MarkOutcome, PublicationBook, SeenRow } from './shop-ports.ts'

export type PublishPorts = {
  readonly shop: Pick<Shop, 'shown' | 'write'>
  readonly publications: Pick<PublicationBook, 'claim' | 'settle' | 'own' | 'remember'>
  readonly states: (skus: readonly Sku[]) => Promise<readonly SkuState[]>
  readonly rules: () => Configuration
  readonly now: () => Promise<Instant>
  /** Told what the shop shows after the pass. */
  readonly onShown: (sku: Sku, units: number) => void
  /** Names a write, so that its echo is known as ours; a random UUID if absent. */
  readonly newRevision?: () => string
}

/** SKUs of one pass: one read and at most two writes of what Shopware takes best. */
export const SKUS_AT_ONCE = 250
/** A write is looked at once more so long after the watermark can have passed it. */
const RECHECK_MARGIN_MS = 2_000

/** Why a rise has to wait: after a silence what the shop sold by itself is not known yet (L2). */
export type RaiseRule = 'none' | 'silence'

/** Works off what is due for one shop. Returns how many marks it took; 0 when nothing is due. */
export async function publishDue(ports: PublishPorts, shop: ShopId, raise: RaiseRule): Promise<number> {
  const marks = await ports.publications.claim(shop, SKUS_AT_ONCE)
  if (marks.length === 0) return 0
  try {
    await ports.publications.settle(shop, await publish(ports, shop, marks, raise))
  } catch (cause) {
    await ports.publications.settle(
      shop,
      marks.map((mark) => ({ mark, lookAgainAt: undefined, failed: true })),
    )
    throw cause
  }
  return marks.length
}

/** What is to be done about one claimed number. */
type Plan = {
  readonly mark: DirtyMark
  readonly shown: ShownProduct | undefined
  readonly write: StockWrite | undefined
  readonly version: number
  readonly lookAgainAt: Instant | undefined
}

async function publish(
  ports: PublishPorts,
  shop: ShopId,
  marks: readonly DirtyMark[],
  raise: RaiseRule,
): Promise<readonly MarkOutcome[]> {
  const skus = marks.map(({ sku }) => sku)
  // The shop is read first: an order that it takes in between lowers its number, and then ours is still inside the band.
  const shown = new Map((await ports.shop.shown(skus)).map((product) => [product.sku, product]))
  const states = new Map((await ports.states(skus)).map((state) => [state.sku, state]))
  const own = await ports.publications.own(
    shop,
    marks.map(({ skuId }) => skuId),
    DECREMENT_WITHIN_MS,
  )
  const now = await ports.now()
  const plans = marks.map((mark): Plan => {
    const product = shown.get(mark.sku)
    const state = states.get(mark.sku)
    const mine = own.get(mark.skuId)
    const band = state && bandOf(state, ports.rules(), shop, mine?.units ?? 0)
    const units = product && band && correction(product.units, band, raise)
    const mustClose = product !== undefined && band !== undefined && !product.closeOut
    const write =
      product && band && (units !== undefined || mustClose)
        ? {
            productId: product.productId,
            sku: mark.sku,
            units: units ?? Math.max(0, product.units),
            closeOut: true,
            revision: (ports.newRevision ?? randomUUID)(),
          }
        : undefined
    const rises = product !== undefined && band !== undefined && product.units < band.leastUnits && units === undefined
    const waitsForOthers = state !== undefined && state.unread.size > 0
    return {
      mark,
      shown: product,
      write,
      version: state?.version ?? 0,
      lookAgainAt: lookAgainAt(ports.rules(), shop, {
        now,
        wroteAt: write === undefined ? mark.writtenAt : now,
        waits: rises || waitsForOthers,
        recentOrderAt: mine?.recentOrderAt,
      }),
    }
  })
  const outcomes = await writeAll(ports.shop, plans)
  await ports.publications.remember(
    shop,
    plans.map((plan) => seenRow(plan, outcomes)),
  )
  for (const plan of plans) {
    const units = shownAfter(plan, outcomes.get(plan.mark.sku))
    if (units !== undefined) ports.onShown(plan.mark.sku, units)
  }
  return plans.map(({ mark, lookAgainAt: again }) => {
    const outcome = outcomes.get(mark.sku)?.outcome
    // An unknown outcome is resolved by reading: the mark stays and the next pass looks (I-27).
    return { mark, lookAgainAt: again, failed: outcome === 'unknown' }
  })
}

/**
 * When a number is worth another look without any news: once the watermark has passed our write (H34), once the shop has had
 * time to subtract an order that we have just read (H40), and while a rise has to wait or another shop is not read yet.
 */
function lookAgainAt(
  rules: Configuration,
  shop: ShopId,
  about: { now: Instant; wroteAt: Instant | undefined; waits: boolean; recentOrderAt: Instant | undefined },
): Instant | undefined {
  const inFlightMs = rules.shops.get(shop)?.orderInFlightMs ?? 0
  const { now, wroteAt } = about
  const recheckAt = wroteAt === undefined ? undefined : after(wroteAt, inFlightMs + RECHECK_MARGIN_MS)
  const times = [
    ...(about.recentOrderAt === undefined ? [] : [after(about.recentOrderAt, DECREMENT_WITHIN_MS + 100)]),
    ...(about.waits ? [after(now, 1_000)] : []),
    // From the write itself, not from the pass that made it: its echo makes another pass at once, and must not end the waiting.
    ...(recheckAt !== undefined && recheckAt > now ? [recheckAt] : []),
  ]
  return times.sort((a, b) => a - b)[0]
}

/** Decreases first, increases last: while the batch is under way no unit is shown twice. */
async function writeAll(shop: PublishPorts['shop'], plans: readonly Plan[]): Promise<ReadonlyMap<Sku, WriteOutcome>> {
  const falls = plans.filter(({ write, shown }) => write && shown && write.units <= shown.units)
  const rises = plans.filter(({ write, shown }) => write && shown && write.units > shown.units)
  const outcomes = new Map<Sku, WriteOutcome>()
  for (const part of [falls, rises]) {
    const rows = part.flatMap(({ write }) => write ?? [])
    if (rows.length === 0) continue
    for (const outcome of await shop.write(rows)) outcomes.set(outcome.sku, outcome)
  }
  return outcomes
}

/** What the shop shows after the pass; after an unknown outcome, the larger of what it showed and what we sent. */
function shownAfter({ shown, write }: Pick<Plan, 'shown' | 'write'>, outcome: WriteOutcome | undefined) {
  if (!shown || !write || outcome?.outcome === 'refused') return shown?.units
  return outcome?.outcome === 'written' ? write.units : Math.max(shown.units, write.units)
}

function seenRow({ mark, shown, write, version }: Plan, outcomes: ReadonlyMap<Sku, WriteOutcome>): SeenRow {
  const outcome = outcomes.get(mark.sku)
  return {
    skuId: mark.skuId,
    productId: shown?.productId ?? null,
    seenUnits: shown?.units ?? null,
    shownUnits: shownAfter({ shown, write }, outcome) ?? null,
    merchantCloseOut: shown?.closeOut ?? null,
    ...(write && outcome?.outcome === 'written'
      ? { written: { units: write.units, version, revision: write.revision } }
      : {}),
    ...(outcome?.outcome === 'refused' ? { quarantined: outcome.reason } : {}),
  }
}
