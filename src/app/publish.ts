/**
 * Brings one shop's numbers into their bands (L6). Harmless to repeat: reads present truth and what the shop shows, sets absolute
 * values, and only where they differ. Decreases go first and increases last.
 */
import { randomUUID } from 'node:crypto'
import type { Configuration } from '../core/configuration.ts'
import type { Instant, ShopId, Sku } from '../core/ids.ts'
import { packOf, productsOf } from '../core/pack.ts'
import { DECREMENT_WITHIN_MS } from '../core/publication.ts'
import type { SkuState } from '../core/stock.ts'
import type { Shop, WriteOutcome } from './ports.ts'
import {
  guardRow,
  incidentKey,
  lookAgainAt,
  type Pass,
  type Plan,
  planOf,
  type RaiseRule,
  seenRow,
  settingsOf,
  shownAfter,
  tidingsOf,
} from './publish-plan.ts'
import type { DirtyMark, MarkOutcome, PublicationBook, ShopIncident } from './shop-ports.ts'

export type PublishPorts = {
  readonly shop: Pick<Shop, 'shown' | 'write'>
  readonly publications: Pick<
    PublicationBook,
    'claim' | 'settle' | 'own' | 'remember' | 'keepGuards' | 'keepSettings' | 'announce' | 'markProductsOf' | 'idsOf'
  >
  readonly states: (skus: readonly Sku[]) => Promise<readonly SkuState[]>
  readonly rules: () => Configuration
  readonly now: () => Promise<Instant>
  /** Up to when every order of the shop is known. */
  readonly watermark: () => Instant | undefined
  /** Told what the shop shows after the pass. */
  readonly onShown: (sku: Sku, units: number) => void
  readonly onIncident: (incident: ShopIncident) => Promise<unknown>
  readonly onSettled: (code: ShopIncident['code'], key: string) => Promise<unknown>
  /** Names a write, so that its echo is known as ours; a random UUID if absent. */
  readonly newRevision?: () => string
}

/** SKUs of one pass: one read and at most two writes of what Shopware takes best. */
export const SKUS_AT_ONCE = 250

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

async function publish(
  ports: PublishPorts,
  shop: ShopId,
  marks: readonly DirtyMark[],
  raise: RaiseRule,
): Promise<readonly MarkOutcome[]> {
  const skus = marks.map(({ sku }) => sku)
  // The shop is read first: an order that it takes in between lowers its number, and then ours is still inside the band.
  const shown = new Map((await ports.shop.shown(skus)).map((product) => [product.sku, product]))
  const rules = ports.rules()
  // A product that is made of another SKU moves with its units: looked at after it, by a mark of its own.
  const made = skus.flatMap((sku) => productsOf(rules, shop, sku))
  if (made.length > 0) await ports.publications.markProductsOf(shop, made)
  const behind = new Map(marks.map(({ sku }) => [sku, packOf(rules, shop, sku).sku]))
  const states = new Map((await ports.states([...new Set(behind.values())])).map((state) => [state.sku, state]))
  const skuIds = await idsOf(ports, marks, behind)
  const own = await ports.publications.own(shop, [...new Set(skuIds.values())], DECREMENT_WITHIN_MS)
  const pass: Pass = {
    shop,
    rules,
    now: await ports.now(),
    raise,
    watermark: ports.watermark(),
    newRevision: ports.newRevision ?? randomUUID,
  }
  const plans = marks.map((mark) =>
    planOf(pass, {
      mark,
      product: shown.get(mark.sku),
      state: states.get(behind.get(mark.sku) ?? mark.sku),
      own: own.get(skuIds.get(mark.sku) ?? mark.skuId),
    }),
  )
  // Before the write: who dies in between has recorded what he saw, and not taken his own setting for the merchant's.
  await ports.publications.keepGuards(
    shop,
    plans.flatMap((plan) => guardRow(pass, plan)),
  )
  await ports.publications.keepSettings(shop, plans.flatMap(settingsOf))
  // Who dies between the write and its memory must not leave a shop behind that shows more than anybody knows of.
  await ports.publications.announce(
    shop,
    plans.flatMap((plan) => (plan.write && isRise(plan) ? [{ skuId: plan.mark.skuId, units: plan.write.units }] : [])),
  )
  const outcomes = await writeAll(ports.shop, plans)
  await ports.publications.remember(
    shop,
    plans.map((plan) => seenRow(plan, outcomes.get(plan.mark.sku))),
  )
  for (const plan of plans) {
    const { sku } = plan.mark
    const units = shownAfter(plan, outcomes.get(sku))
    if (units !== undefined) ports.onShown(sku, units)
    const { opened, settled } = tidingsOf(pass, plan, outcomes.get(sku))
    for (const incident of opened) await ports.onIncident(incident)
    for (const code of settled) await ports.onSettled(code, incidentKey(shop, sku))
  }
  return plans.map((plan) => {
    const outcome = outcomes.get(plan.mark.sku)
    // An unknown outcome is resolved by reading: the mark stays and the next pass looks (I-27).
    return { mark: plan.mark, lookAgainAt: lookAgainAt(pass, plan, outcome), failed: outcome?.outcome === 'unknown' }
  })
}

const isRise = ({ write, product }: Plan): boolean =>
  write !== undefined && product !== undefined && write.units > product.units

/** The SKU whose units each marked product is, by its id: mostly the mark's own. */
async function idsOf(
  { publications }: PublishPorts,
  marks: readonly DirtyMark[],
  behind: ReadonlyMap<Sku, Sku>,
): Promise<ReadonlyMap<Sku, number>> {
  const others = [...behind].flatMap(([product, sku]) => (product === sku ? [] : [sku]))
  const known = others.length === 0 ? new Map<Sku, number>() : await publications.idsOf(others)
  return new Map(
    marks.map(({ sku, skuId }) => {
      const is = behind.get(sku) ?? sku
      return [sku, is === sku ? skuId : (known.get(is) ?? skuId)]
    }),
  )
}

/** Decreases first, increases last: while the batch is under way no unit is shown twice. */
async function writeAll(shop: PublishPorts['shop'], plans: readonly Plan[]): Promise<ReadonlyMap<Sku, WriteOutcome>> {
  const falls = plans.filter((plan) => plan.write && plan.product && !isRise(plan))
  const rises = plans.filter(isRise)
  const outcomes = new Map<Sku, WriteOutcome>()
  for (const part of [falls, rises]) {
    const rows = part.flatMap(({ write }) => write ?? [])
    if (rows.length === 0) continue
    for (const outcome of await shop.write(rows)) outcomes.set(outcome.sku, outcome)
  }
  return outcomes
}
