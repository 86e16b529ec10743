/** One door to all decisions: which SKUs a command is about, what it needs to see of them, and who decides it. */
import type { Configuration } from './configuration.ts'
import { type Draft, draftOf } from './draft.ts'
import { type FigureVerdict, settleRises, takeFigure, trustShelf } from './figure.ts'
import { decideHold, expireHolds, type HoldAnswer, type HoldCommand, releaseHolds } from './hold.ts'
import type { Instant, ShopId, Sku, SourceId, Units, WarehouseId } from './ids.ts'
import { takeInboundWord, takeReceipt } from './inbound.ts'
import { takeOpenOrders } from './open-orders.ts'
import { type OrderAnswer, type OrderCommand, recordOrder } from './order.ts'
import { takeOrderLineWord, type WordVerdict } from './order-line.ts'
import { serveShortages } from './peg.ts'
import { reviewPromises } from './repromise.ts'
import { boundCharge, takeMovement } from './rise.ts'
import { type Figure, inboundUnits, type SkuState, shortageUnits } from './stock.ts'
import type { FigureWord, MovementWord, Word } from './word.ts'

export type ReleaseCommand = { readonly kind: 'release'; readonly shop: ShopId; readonly reservation: string }

/** One word of a warehouse. A list of open orders comes once for each SKU that it speaks for. */
export type WordCommand = {
  readonly kind: 'word'
  readonly source: SourceId
  readonly sku: Sku
  readonly word: Word
  readonly messageId: string
  /** When the message reached us, on the database's clock. */
  readonly receivedAt: Instant
  /** The word answers our own pull, so it is no old message on a slow way. */
  readonly answersOurPull: boolean
}

/** L2: ends what the shop's watermark, or its own moment, has passed. */
export type ExpireCommand = {
  readonly kind: 'expire'
  readonly shop: ShopId
  readonly sku: Sku
  readonly watermark?: Instant
}

/** Brings waiting rises of unordered sources into force once they have stood. */
export type SettleCommand = { readonly kind: 'settle'; readonly sku: Sku }

/** An operator's word that a restarted source may be believed again. */
export type TrustCommand = { readonly kind: 'trust'; readonly sku: Sku; readonly warehouse: WarehouseId }

export type Command =
  | HoldCommand
  | ReleaseCommand
  | OrderCommand
  | WordCommand
  | ExpireCommand
  | SettleCommand
  | TrustCommand

/** What each command is answered with. */
export type AnswerOf<C extends Command> = C extends HoldCommand
  ? HoldAnswer
  : C extends ReleaseCommand
    ? { readonly releasedUnits: Units }
    : C extends OrderCommand
      ? OrderAnswer
      : C extends WordCommand
        ? { readonly verdict: FigureVerdict | WordVerdict }
        : C extends ExpireCommand
          ? { readonly expiredUnits: Units }
          : { readonly done: true }

export type Answer = AnswerOf<Command>

/** The SKUs that a command names. Those that its reservation or order touched before are added by whoever loads. */
export function skusOf(command: Command): readonly Sku[] {
  switch (command.kind) {
    case 'hold':
      return [...new Set(command.lines.map(({ sku }) => sku))]
    case 'order':
      return [...new Set(command.order.lines.map(({ sku }) => sku))]
    case 'release':
      return []
    case 'word':
    case 'expire':
    case 'settle':
    case 'trust':
      return [command.sku]
  }
}

/** Whether a decision has to see every live demand of its SKUs, or only those of its own reservation, order and line keys. */
export const needsAllDemands = ({ kind }: Command): boolean =>
  kind === 'word' || kind === 'expire' || kind === 'settle' || kind === 'trust'

/** A call of the checkout only takes: nobody who waits can be served by it. */
export const canFreeUnits = (command: Command): boolean => command.kind !== 'hold' || command.via !== 'gateway'

/**
 * Whether a decision has to see every live demand of a SKU whose counters are known: what becomes free serves its shortages, and
 * those who wait for inbound lines.
 */
export const needsAllOf = (state: SkuState, command: Command): boolean =>
  shortageUnits(state) > 0 || (canFreeUnits(command) && inboundUnits(state) > 0)

/** The states that a command needs, as drafts of its own: what it changes can be told apart from its neighbours. */
export const draftsOf = (states: readonly SkuState[], rules: Configuration, now: Instant): ReadonlyMap<Sku, Draft> =>
  new Map(states.map((state) => [state.sku, draftOf(state, rules, now)]))

/** Decides one command. The drafts hold what it changed; a refusal holds nothing. */
export function decide<C extends Command>(drafts: ReadonlyMap<Sku, Draft>, command: C): AnswerOf<C>
export function decide(drafts: ReadonlyMap<Sku, Draft>, command: Command): Answer {
  const answer = decideByKind(drafts, command)
  for (const draft of drafts.values()) {
    const bounded = [...draft.state.shelves.keys()].filter((warehouse) => boundCharge(draft, warehouse))
    if (bounded.length > 0) serveShortages(draft)
    if (canFreeUnits(command)) reviewPromises(draft)
  }
  return answer
}

function decideByKind(drafts: ReadonlyMap<Sku, Draft>, command: Command): Answer {
  switch (command.kind) {
    case 'hold':
      return decideHold(drafts, command)
    case 'release':
      return { releasedUnits: releaseHolds(drafts, command) }
    case 'order':
      return recordOrder(drafts, command)
    case 'word':
      return { verdict: takeWord(only(drafts, command.sku), command) }
    case 'expire':
      return { expiredUnits: expireHolds(only(drafts, command.sku), command.shop, command.watermark) }
    case 'settle':
      settleRises(only(drafts, command.sku))
      return { done: true }
    case 'trust':
      trustShelf(only(drafts, command.sku), command.warehouse)
      return { done: true }
  }
}

function only(drafts: ReadonlyMap<Sku, Draft>, sku: Sku): Draft {
  const draft = drafts.get(sku)
  if (!draft) throw new Error(`The state of ${sku} was not loaded`)
  return draft
}

function takeWord(draft: Draft, command: WordCommand): FigureVerdict | WordVerdict {
  const { word } = command
  switch (word.kind) {
    case 'figure':
      return takeFigure(draft, word.warehouse, figureOf(draft, command, word), command.answersOurPull)
    case 'order-line':
      return takeOrderLineWord(draft, word)
    case 'open-orders':
      takeOpenOrders(draft, word, command.messageId)
      return 'applied'
    case 'movement':
      takeGoods(draft, command, word)
      return 'applied'
    case 'inbound':
      return takeInboundWord(draft, word, command.receivedAt)
  }
}

/**
 * One statement, computed by the semantics that the source declared. A part that the message leaves out keeps its old value
 * only where it does not move the sum: announcements and vetoes.
 */
function figureOf(draft: Draft, command: WordCommand, word: FigureWord): Figure {
  const source = draft.rules.sources.get(command.source)
  const semantics = source?.semantics ?? 'net'
  const before = draft.state.shelves.get(word.warehouse)?.figure
  const { onHand, blocked, allocated } = word
  const gross = (onHand ?? 0) - (blocked ?? 0) - (allocated ?? 0)
  const incoming = word.incoming ?? before?.incoming
  const veto = word.backorderAllowed === undefined ? before?.backorderVeto : !word.backorderAllowed
  return {
    units: semantics === 'net' ? (word.net ?? gross) : gross,
    semantics,
    stamp: word.stamp,
    receivedAt: command.receivedAt,
    messageId: command.messageId,
    ...(onHand === undefined ? {} : { onHand }),
    ...(blocked === undefined ? {} : { blocked }),
    ...(allocated === undefined ? {} : { allocated }),
    ...(incoming === undefined ? {} : { incoming }),
    ...(veto === undefined ? {} : { backorderVeto: veto }),
  }
}

/** Goods that came of which nobody can say for which line count on hand, and some line has become less. */
function takeGoods(draft: Draft, { receivedAt }: WordCommand, word: MovementWord): void {
  const isReceipt = word.why === 'receipt' || word.why === 'transfer-in'
  const units = isReceipt ? takeReceipt(draft, word, receivedAt) : word.change
  takeMovement(draft, { ...word, change: units ?? word.change }, units === undefined)
}
