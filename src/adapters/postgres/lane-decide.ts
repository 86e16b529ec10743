/** Deciding the commands of a batch one after another, in memory: every one sees what those before it changed. */
import { AlreadyAnswered, type Attempt, type Origin } from '../../app/lane.ts'
import type { Configuration } from '../../core/configuration.ts'
import { type Answer, type Command, decide, draftsOf, skusOf } from '../../core/decide.ts'
import type { Incident } from '../../core/draft.ts'
import type { Instant, Sku, Units } from '../../core/ids.ts'
import { type LedgerEntry, streamOfSku } from '../../core/ledger.ts'
import type { Change, SkuState } from '../../core/stock.ts'
import type { openAnswers } from './answers.ts'
import type { openReceipts } from './receipts.ts'
import { whereaboutsOf } from './whereabouts.ts'

export type Batch = readonly {
  readonly command: Command
  readonly origin: Origin & { readonly attempt?: Attempt<Answer> }
}[]

/** What the commands of a batch are answered, and what they leave behind. */
export type Decisions = {
  /** In the order of the commands. */
  readonly answers: readonly (Answer | AlreadyAnswered)[]
  readonly entries: readonly LedgerEntry[]
  readonly incidents: readonly (Incident & { readonly sku: Sku })[]
  /** Per SKU, in the order decided. SKUs without a change are left out. */
  readonly changes: ReadonlyMap<Sku, readonly Change[]>
  /** Units that were taken as contained by the weakest proof, a declared margin (L1). */
  readonly byMarginUnits: Units
}

/** What was applied and answered before; absent where the batch brings no receipts and no attempts. */
type Before = {
  readonly receipts?: Awaited<ReturnType<typeof openReceipts>>
  readonly kept?: Awaited<ReturnType<typeof openAnswers>>
}

/** Decides all of them on the states at hand, which it changes. @throws what a command throws: then the states are of no more use */
export function decideAll(
  batch: Batch,
  states: ReadonlyMap<Sku, SkuState>,
  { rules, now, receipts, kept }: { rules: Configuration; now: Instant } & Before,
): Decisions {
  const whereabouts = whereaboutsOf(states)
  const answers: (Answer | AlreadyAnswered)[] = []
  const entries: LedgerEntry[] = []
  const incidents: (Incident & { sku: Sku })[] = []
  const changes = new Map<Sku, Change[]>()
  let byMarginUnits = 0
  for (const { command, origin } of batch) {
    if (origin.receipt && receipts?.isApplied(origin.receipt)) {
      answers.push({ verdict: 'repeated' })
      continue
    }
    if (origin.attempt && kept?.has(origin.attempt)) {
      answers.push(new AlreadyAnswered(origin.attempt))
      continue
    }
    const skus = new Set([...skusOf(command), ...whereabouts.of(command)])
    const seen = [...skus].flatMap((sku) => states.get(sku) ?? [])
    for (const state of seen) whereabouts.show(command, state)
    const drafts = draftsOf(seen, rules, now)
    const answer = decide(drafts, command)
    answers.push(answer)
    if (origin.attempt) kept?.keep(origin.attempt, answer)
    if (origin.receipt && 'verdict' in answer) receipts?.tick(origin.receipt, answer.verdict, command)
    for (const [sku, draft] of drafts) {
      for (const incident of draft.incidents) incidents.push({ ...incident, sku })
      if (draft.changes.length === 0) continue
      draft.state.version += 1
      whereabouts.note(sku, draft.changes)
      const told = changes.get(sku)
      if (told) told.push(...draft.changes)
      else changes.set(sku, [...draft.changes])
      for (const change of draft.changes) byMarginUnits += unitsByMargin(change)
      entries.push({
        stream: streamOfSku(sku),
        version: draft.state.version,
        at: new Date(now).toISOString(),
        kind: command.kind,
        actor: origin.actor,
        cause: origin.cause,
        configuration: rules.version,
        body: { changes: draft.changes },
      })
    }
  }
  return { answers, entries, incidents, changes, byMarginUnits }
}

const unitsByMargin = (change: Change): Units =>
  change.set === 'demand' && change.why === 'contained' && change.demand.proof === 'margin' ? change.demand.units : 0

/** The holds of a batch that were granted: each makes an attempt, or renews one. */
export function grantedHolds(batch: Batch, answers: Decisions['answers']) {
  return batch.flatMap(({ command, origin }, index) => {
    const answer = answers[index]
    const granted = command.kind === 'hold' && answer && 'granted' in answer && answer.granted
    return granted ? [{ ...command, ...(origin.basket ? { basket: origin.basket } : {}) }] : []
  })
}
