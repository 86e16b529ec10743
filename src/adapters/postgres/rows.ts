/** How the core's values lie in tables, and back. One place, so that `verify` compares what the lane writes. */
import { randomInt } from 'node:crypto'
import type { Demand, Known, Mark, Phase, Promised, Proof, Supply } from '../../core/demand.ts'
import { dayOf, type Instant, type Sku, shopOf, type WarehouseId, warehouseOf } from '../../core/ids.ts'

import type { Credit, Figure, InboundLine, Receipt, Rise, Shelf, Statement, Surge } from '../../core/stock.ts'

import type { Stamp } from '../../core/word.ts'
import { type CopyValue, copyLine } from './copy-rows.ts'
import type { Counts } from './counts.ts'
import { timestamp } from './database.ts'

export type SkuRow = {
  readonly id: number
  readonly sku: Sku
  readonly version: number
  readonly next_demand: number
  readonly counts: Counts
  /** The batch that wrote the row last. */
  readonly writer: number
}

/** The columns of {@link SkuRow}. */
export const SKU_COLUMNS = 'id, sku, version, next_demand, counts, writer'

/** A name for a batch that nobody else has, nor will have. */
export const newWriter = (): number => randomInt(1, 2 ** 48 - 1)

/** Drops what is absent: `exactOptionalPropertyTypes` tells absent from undefined, and so does the ledger. */
type Present<T> = {
  [Key in keyof T as undefined extends T[Key] ? never : null extends T[Key] ? never : Key]: T[Key]
} & {
  [Key in keyof T as undefined extends T[Key] ? Key : null extends T[Key] ? Key : never]?: NonNullable<T[Key]>
}

/** The object without its null and undefined properties. */
export function present<T extends object>(value: T): Present<T> {
  const kept = Object.entries(value).filter(([, item]) => item !== undefined && item !== null)
  return Object.fromEntries(kept) as Present<T>
}

const timestampOrNull = (moment: Instant | undefined): string | null =>
  moment === undefined ? null : timestamp(moment)

// ── demand ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export type DemandRow = {
  readonly sku_id: number
  readonly no: number
  readonly shop: string
  readonly units: number
  readonly phase: Phase
  readonly supply: Supply['kind']
  readonly warehouse: string | null
  readonly purchase_order: string | null
  readonly line: string | null
  readonly contained: boolean
  readonly proof: Proof | null
  readonly promised_at: Instant
  readonly reservation: string | null
  readonly line_key: string | null
  readonly deadline_kind: 'watermark' | 'moment' | null
  readonly deadline_at: Instant | null
  readonly order_id: string | null
  readonly order_number: string | null
  readonly order_line: string | null
  readonly placed_at: Instant | null
  readonly known_since: Known | null
  readonly mark: Mark | null
  readonly unmark: Stamp | null
  readonly cancel_requested: boolean
  readonly ended: Demand['end'] | null
  readonly promise: Promised | null
}

/** The columns of {@link DemandRow}: named, so that a prepared statement outlives a column that is added beside them. */
export const DEMAND_COLUMNS =
  'sku_id, no, shop, units, phase, supply, warehouse, purchase_order, line, contained, proof, promised_at, reservation, line_key, ' +
  'deadline_kind, deadline_at, order_id, order_number, order_line, placed_at, known_since, mark, unmark, cancel_requested, ended, promise'

/** The types of {@link DEMAND_COLUMNS}, in the same order. */
export const DEMAND_TYPES = (
  'int, int, text, int, text, text, text, text, text, boolean, text, timestamptz, text, text, ' +
  'text, timestamptz, text, text, text, timestamptz, jsonb, jsonb, jsonb, boolean, text, jsonb'
).split(', ')

/** A demand's values by the names of its columns, in the order of {@link DEMAND_COLUMNS}. */
export function rowOfDemand(
  skuId: number,
  demand: Demand,
): Readonly<Record<string, CopyValue | Known | Mark | Promised | Stamp>> {
  const { supply, deadline, orderLine } = demand
  return {
    sku_id: skuId,
    no: demand.no,
    shop: demand.shop,
    units: demand.units,
    phase: demand.phase,
    supply: supply.kind,
    warehouse: 'warehouse' in supply ? supply.warehouse : null,
    purchase_order: supply.kind === 'inbound' ? supply.purchaseOrder : null,
    line: supply.kind === 'inbound' ? supply.line : null,
    contained: demand.contained,
    proof: demand.proof ?? null,
    promised_at: timestamp(demand.promisedAt),
    reservation: demand.reservation ?? null,
    line_key: demand.lineKey ?? null,
    deadline_kind: deadline?.kind ?? null,
    deadline_at: deadline ? timestamp(deadline.kind === 'watermark' ? deadline.calledAt : deadline.at) : null,
    order_id: orderLine?.orderId ?? null,
    order_number: orderLine?.orderNumber ?? null,
    order_line: orderLine?.lineId ?? null,
    placed_at: timestampOrNull(demand.placedAt),
    known_since: demand.knownSince ?? null,
    mark: demand.mark ?? null,
    unmark: demand.unmark ?? null,
    cancel_requested: demand.cancelRequested ?? false,
    ended: demand.end ?? null,
    promise: demand.promise ?? null,
  }
}

/** The same row for COPY. */
export const lineOfDemand = (skuId: number, demand: Demand): string =>
  copyLine(
    Object.values(rowOfDemand(skuId, demand)).map((value) =>
      typeof value === 'object' && value !== null && !(value instanceof Uint8Array) ? JSON.stringify(value) : value,
    ),
  )

/** The demand of a row; its key order is the one that the core writes, so values compare. */
export function demandOfRow(row: DemandRow): Demand {
  const at = row.deadline_at
  return {
    no: row.no,
    shop: shopOf(row.shop),
    units: row.units,
    phase: row.phase,
    supply: supplyOf(row),
    contained: row.contained,
    promisedAt: row.promised_at,
    ...present({ proof: row.proof, reservation: row.reservation, lineKey: row.line_key, placedAt: row.placed_at }),
    ...(row.deadline_kind && at !== null
      ? {
          deadline:
            row.deadline_kind === 'moment'
              ? { kind: 'moment' as const, at }
              : { kind: 'watermark' as const, calledAt: at },
        }
      : {}),
    ...(row.order_id !== null
      ? { orderLine: { orderId: row.order_id, orderNumber: row.order_number ?? '', lineId: row.order_line ?? '' } }
      : {}),
    ...present({
      knownSince: row.known_since,
      mark: row.mark,
      unmark: row.unmark,
      end: row.ended,
      promise: row.promise,
    }),
    ...(row.cancel_requested ? { cancelRequested: true } : {}),
  }
}

function supplyOf(row: DemandRow): Supply {
  const warehouse = warehouseOf(row.warehouse ?? '')
  switch (row.supply) {
    case 'on-hand':
      return { kind: 'on-hand', warehouse }
    case 'inbound':
      return { kind: 'inbound', warehouse, purchaseOrder: row.purchase_order ?? '', line: row.line ?? '' }
    case 'shortage':
    case 'untracked':
      return { kind: row.supply }
  }
}

// ── figure ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export type FigureRow = {
  readonly sku_id: number
  readonly warehouse: string
  readonly units: number
  readonly semantics: 'net' | 'gross'
  readonly on_hand: number | null
  readonly blocked: number | null
  readonly allocated: number | null
  readonly incoming: number | null
  readonly backorder_veto: boolean | null
  readonly epoch: number
  readonly sequence: number | null
  readonly as_of: Instant | null
  readonly received_at: Instant
  readonly message_id: string
  readonly disputed: boolean
  readonly rises: readonly Rise[]
  readonly movements: Shelf['movements']
  readonly steps: Shelf['steps']
  readonly surges: readonly Surge[]
  readonly charged_units: number
}

/** The columns of {@link FigureRow}. */
export const FIGURE_COLUMNS =
  'sku_id, warehouse, units, semantics, on_hand, blocked, allocated, incoming, backorder_veto, epoch, sequence, as_of, received_at, ' +
  'message_id, disputed, rises, movements, steps, surges, charged_units'

export function rowOfShelf(skuId: number, shelf: Shelf, riseDueAt: Instant | undefined): object {
  const { figure } = shelf
  return {
    sku_id: skuId,
    warehouse: shelf.warehouse,
    units: figure.units,
    semantics: figure.semantics,
    on_hand: figure.onHand ?? null,
    blocked: figure.blocked ?? null,
    allocated: figure.allocated ?? null,
    incoming: figure.incoming ?? null,
    backorder_veto: figure.backorderVeto ?? null,
    epoch: figure.stamp.epoch,
    sequence: figure.stamp.sequence ?? null,
    as_of: timestampOrNull(figure.stamp.asOf),
    received_at: timestamp(figure.receivedAt),
    message_id: figure.messageId,
    disputed: shelf.disputed,
    rises: shelf.rises,
    rise_due_at: timestampOrNull(riseDueAt),
    movements: shelf.movements,
    steps: shelf.steps,
    surges: shelf.surges ?? [],
    charged_units: shelf.chargedUnits,
  }
}

export function shelfOfRow(row: FigureRow): Shelf {
  const figure: Figure = {
    units: row.units,
    semantics: row.semantics,
    stamp: { epoch: row.epoch, ...present({ sequence: row.sequence, asOf: row.as_of }) },
    receivedAt: row.received_at,
    messageId: row.message_id,
    ...present({
      onHand: row.on_hand,
      blocked: row.blocked,
      allocated: row.allocated,
      incoming: row.incoming,
      backorderVeto: row.backorder_veto,
    }),
  }
  return {
    warehouse: warehouseOf(row.warehouse),
    figure,
    rises: row.rises,
    disputed: row.disputed,
    chargedUnits: row.charged_units,
    movements: row.movements,
    steps: row.steps,
    ...(row.surges.length > 0 ? { surges: row.surges } : {}),
  }
}

// ── inbound lines ────────────────────────────────────────────────────────────────────────────────────

export type InboundRow = {
  readonly sku_id: number
  readonly purchase_order: string
  readonly line: string
  readonly warehouse: string
  readonly supplier: string | null
  readonly ordered: number
  readonly received: number
  readonly blocked: number | null
  readonly rejected: number | null
  readonly confirmed: boolean
  readonly eta: string | null
  readonly cancelled: boolean
  readonly epoch: number
  readonly sequence: number | null
  readonly as_of: Instant | null
  readonly received_at: Instant
  readonly earlier: readonly Statement[]
  readonly receipts: readonly Receipt[]
  readonly credits: readonly Credit[]
}

/** The columns of {@link InboundRow}. */
export const INBOUND_COLUMNS =
  'sku_id, purchase_order, line, warehouse, supplier, ordered, received, blocked, rejected, confirmed, eta, cancelled, ' +
  'epoch, sequence, as_of, received_at, earlier, receipts, credits'

export const rowOfInbound = (skuId: number, line: InboundLine): object => ({
  sku_id: skuId,
  purchase_order: line.purchaseOrder,
  line: line.line,
  warehouse: line.warehouse,
  supplier: line.supplier ?? null,
  ordered: line.ordered,
  received: line.received,
  blocked: line.blocked ?? null,
  rejected: line.rejected ?? null,
  confirmed: line.confirmed,
  eta: line.eta ?? null,
  cancelled: line.cancelled,
  epoch: line.stamp.epoch,
  sequence: line.stamp.sequence ?? null,
  as_of: timestampOrNull(line.stamp.asOf),
  received_at: timestamp(line.receivedAt),
  earlier: line.earlier ?? [],
  receipts: line.receipts ?? [],
  credits: line.credits ?? [],
})

export function inboundOfRow(row: InboundRow): InboundLine {
  const warehouse: WarehouseId = warehouseOf(row.warehouse)
  return {
    purchaseOrder: row.purchase_order,
    line: row.line,
    warehouse,
    ordered: row.ordered,
    received: row.received,
    confirmed: row.confirmed,
    cancelled: row.cancelled,
    stamp: { epoch: row.epoch, ...present({ sequence: row.sequence, asOf: row.as_of }) },
    receivedAt: row.received_at,
    ...present({ supplier: row.supplier, blocked: row.blocked, rejected: row.rejected }),
    ...(row.earlier.length > 0 ? { earlier: row.earlier } : {}),
    ...(row.receipts.length > 0 ? { receipts: row.receipts } : {}),
    ...(row.credits.length > 0 ? { credits: row.credits } : {}),
    ...(row.eta === null ? {} : { eta: dayOf(row.eta) }),
  }
}
