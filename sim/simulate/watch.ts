/** Looks over Holdfast's shoulder, only to count which rare states it came through. Judges nothing. */
import type { Decided } from '../../src/adapters/memory/decision.ts'
import { demandAt, type MemoryStore } from '../../src/adapters/memory/store.ts'
import type { Command } from '../../src/core/decide.ts'
import type { Demand } from '../../src/core/demand.ts'
import type { ShopId } from '../../src/core/ids.ts'
import type { LedgerEntry } from '../../src/core/ledger.ts'
import type { Change } from '../../src/core/stock.ts'
import type { RareState, Sightings } from './rare.ts'

/** Changes whose reason alone names a state. */
const BY_REASON: Readonly<Record<string, RareState>> = {
  placed: 'order took its hold',
  'placed-unheld': 'order without a hold recorded as a fact',
  'served-shortage': 'shortage served when goods came',
  'lost-supply': 'peg lost to a lower figure',
  'moved-warehouse': 'peg moved to another warehouse',
  'no-longer-contained': 'contained units no longer contained',
  'rise-charged': 'rise charged',
  'rise-explained': 'rise charged, then explained',
  'rise-waits': 'figure of an unordered source waits',
  short: 'units short at picking',
  deallocated: 'allocation taken back',
  'trusted-again': 'operator trusted a restarted source',
  'held-after-yes': 'yes by policy became an attempt',
  'cancel-requested': 'cancelled after the warehouse had allocated',
}

const BY_PROOF: Readonly<Record<string, RareState>> = {
  sequence: 'units contained by sequence',
  clock: 'units contained by clock',
  'open-orders': 'units contained by open orders',
  margin: 'units contained by margin',
}

/** @param isDecrementing whether the shop has committed the order and not lowered its stock yet */
export function watcher(
  store: MemoryStore,
  rare: Sightings,
  isDecrementing: (shop: ShopId, orderId: string) => boolean,
): (command: Command, decided: Decided) => void {
  const silent = new Map<ShopId, boolean>()

  return (command, decided) => {
    for (const { body } of decided.entries) {
      for (const change of changesOf(body)) seeChange(rare, change, command)
    }
    seeAnswer(store, rare, command, decided)
    if (command.kind === 'order') {
      if (isDecrementing(command.shop, command.order.orderId)) rare.saw('order read before its decrement')
      if (command.order.state === 'deleted') rare.saw('open order found gone by reading it again')
      const late = command.order.lines.some(({ lineKey }) =>
        (store.byLineKey.get(lineKey ?? '') ?? []).some((place) => demandAt(place).end === 'expired'),
      )
      if (late && 'unheldUnits' in decided.answer && decided.answer.unheldUnits > 0)
        rare.saw('hold expired and its order came after')
    }
    for (const { code } of decided.incidents) if (code === 'SHORTAGE') rare.saw('shortage raised by a fact')
    for (const [shop, { silentFrom }] of store.shops) {
      const is = silentFrom !== undefined
      if (silent.get(shop) === true && !is) rare.saw('silence ended')
      if (silent.get(shop) !== true && is && command.kind === 'order')
        rare.saw('silence begun by an order without a hold')
      silent.set(shop, is)
    }
  }
}

const changesOf = (body: LedgerEntry['body']): readonly Change[] =>
  typeof body === 'object' && body !== null && 'changes' in body && Array.isArray(body.changes) ? body.changes : []

function seeChange(rare: Sightings, change: Change, command: Command): void {
  const named = BY_REASON[change.why]
  if (named) rare.saw(named)
  if (change.set === 'shelf' && change.why === 'figure' && command.kind === 'settle')
    rare.saw('waiting rise came into force')
  if (change.set === 'demand') seeDemand(rare, change.demand, change.why)
}

function seeDemand(rare: Sightings, demand: Demand, why: string): void {
  const proved = why === 'contained' && demand.proof !== undefined ? BY_PROOF[demand.proof] : undefined
  if (proved) rare.saw(proved)
  if (demand.end === 'shipped-and-included') rare.saw('shipped and included')
  if (why === 'expired')
    rare.saw(
      demand.deadline?.kind === 'moment' ? 'channel hold ended by its own moment' : 'hold expired by the watermark',
    )
  if (why === 'lost-supply' && demand.phase === 'held') rare.saw('hold lost its units before its order came')
}

const VERDICTS: Readonly<Record<string, RareState>> = {
  'in-force': 'figure in force',
  late: 'figure late',
  waiting: 'figure of an unordered source waits',
  disputed: 'restart disputed',
  'unknown-order': 'word before its order was read',
}

function seeAnswer(store: MemoryStore, rare: Sightings, command: Command, { answer }: Decided): void {
  if ('verdict' in answer) {
    const named = VERDICTS[answer.verdict]
    if (named) rare.saw(named)
    if (command.kind !== 'word') return
    if (answer.verdict === 'repeated') rare.saw(command.word.kind === 'figure' ? 'figure repeated' : 'word repeated')
    if (command.word.kind === 'figure') seeFigure(store, rare, command)
  }
  if (command.kind === 'hold' && 'granted' in answer) {
    if (answer.granted) {
      rare.saw('hold granted')
      const isUnread = [...store.shops].some(
        ([shop, row]) => shop !== command.shop && row.silentFrom !== undefined && !row.readSinceReturn,
      )
      if (isUnread) rare.saw('other shops counted as sold while unread')
      if (new Set(command.lines.map(({ sku }) => sku)).size > 1) rare.saw('basket of two SKUs granted whole')
    } else {
      const { kind } = answer.refusal
      if (kind === 'NOT_ENOUGH') rare.saw('hold refused: sold out')
      if (kind === 'ORDER_BEING_PLACED') rare.saw('hold refused: order being placed')
      if (kind === 'PREVIOUS_ATTEMPT_OPEN') rare.saw('hold refused: own previous attempt open')
      if (new Set(command.lines.map(({ sku }) => sku)).size > 1) rare.saw('basket of two SKUs refused whole')
    }
  }
  if ('fromHoldsUnits' in answer && answer.fromHoldsUnits > 0 && answer.unheldUnits > 0)
    rare.saw('order found part of its hold')
}

function seeFigure(store: MemoryStore, rare: Sightings, { sku }: { readonly sku: string }): void {
  for (const table of store.skusById) {
    if (table.sku !== sku) continue
    for (const [warehouse, { figure }] of table.shelves)
      if (figure.units < (table.shelfCounts.get(warehouse)?.pegged ?? 0))
        rare.saw('figure below its pegs, nothing moved')
  }
}
