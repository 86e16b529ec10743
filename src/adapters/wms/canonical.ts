/** Holdfast's own message: every word that a warehouse can say, one `type` each. Told field by field in `docs/canonical-message.md`. */
import { MAX_UNITS, type ShopId, shopOf, skuOf } from '../../core/ids.ts'
import type { FigureWord, MovementWord, OpenOrder, OrderLineWord, Stamp, Word } from '../../core/word.ts'
import { FieldProblem, Fields, type Problem, type Reading } from './fields.ts'
import { isObject, type Json, jsonText } from './json.ts'
import type { SourceConfig } from './source-config.ts'

/** `raw`: the part of the message that cannot be used, as a message of its own that can be mended and sent again. */
export type PartProblem = Problem & { readonly raw?: string; readonly part?: string }
export type ReadWords = { readonly words: readonly Word[]; readonly problems: readonly PartProblem[] }

const ORDER_WORDS = ['acknowledged', 'allocated', 'deallocated', 'picked', 'shipped', 'short', 'cancelled'] as const
const EACH = ['each', 'piece']

/** Reads one canonical message. Throws a `FieldProblem`; rows of a snapshot fail one by one and leave their neighbours. */
export function readCanonical(value: Json, source: SourceConfig, reading: Reading): ReadWords {
  const fields = new Fields(value, reading)
  const type = fields.text('type')
  const said = ORDER_WORDS.find((word) => type === `order.${word}`)
  if (said) return clean(orderWords(fields, source, said))
  switch (type) {
    case 'stock.level.reported':
      return clean([figureOf(fields, source, fields.stamp(), warehouseOf(fields, source))])
    case 'stock.snapshot':
      return snapshot(fields, source, reading)
    case 'purchase_order.line':
      return clean([inboundOf(fields, source)])
    case 'goods_receipt.posted':
      return clean([movement(fields, source, 'receipt', fields.units('units'))])
    case 'return.received':
      return clean([movement(fields, source, 'return', fields.units('units'))])
    case 'stock.transfer.departed':
      return clean(departure(fields, source))
    case 'stock.transfer.arrived':
      return clean([movement(fields, source, 'transfer-in', fields.units('units'))])
    case 'stock.count.completed':
      return clean([movement(fields, source, 'count', fields.units('counted') - fields.units('expected'))])
    case 'stock.adjusted':
      return clean([movement(fields, source, 'adjustment', fields.change('change'))])
    default:
      return fields.fail('type', 'is unknown')
  }
}

const clean = (words: readonly Word[]): ReadWords => ({ words, problems: [] })

const warehouseOf = (fields: Fields, source: SourceConfig) =>
  fields.warehouse(source.warehouses, source.defaultWarehouse)

/** Net sources give `net`, or parts that make it; gross ones give `onHand`. A check value that does not fit is refused. */
function figureOf(fields: Fields, source: SourceConfig, stamp: Stamp, warehouse: FigureWord['warehouse']): FigureWord {
  refuseOtherUnits(fields)
  const net = fields.optionalUnits('net')
  const onHand = fields.optionalUnits('onHand')
  const blocked = fields.optionalUnits('blocked')
  const allocated = fields.optionalUnits('allocated')
  const incoming = fields.optionalUnits('incoming')
  const backorderAllowed = fields.optionalFlag('backorderAllowed')
  const fromParts = onHand === undefined ? undefined : onHand - (blocked ?? 0) - (allocated ?? 0)
  if (source.semantics === 'gross' && onHand === undefined) fields.fail('onHand', 'is missing: this source is gross')
  if (source.semantics === 'net' && net === undefined && (onHand === undefined || allocated === undefined))
    fields.fail('net', 'is missing: this source is net. Send net, or onHand with allocated')
  if (fromParts !== undefined && fromParts < 0)
    fields.fail('onHand', 'is less than what is blocked and allocated of it')
  if (
    source.semantics === 'net' &&
    net !== undefined &&
    fromParts !== undefined &&
    allocated !== undefined &&
    net !== fromParts
  ) {
    fields.fail('net', `does not fit: onHand − blocked − allocated is ${fromParts}`)
  }
  return {
    kind: 'figure',
    sku: fields.sku(),
    warehouse,
    stamp,
    ...(net === undefined ? {} : { net }),
    ...(onHand === undefined ? {} : { onHand }),
    ...(blocked === undefined ? {} : { blocked }),
    ...(allocated === undefined ? {} : { allocated }),
    ...(incoming === undefined ? {} : { incoming }),
    ...(backorderAllowed === undefined ? {} : { backorderAllowed }),
  }
}

function refuseOtherUnits(fields: Fields): void {
  if (fields.has('unit') && !EACH.includes(fields.text('unit'))) fields.fail('unit', `must be ${EACH.join(' or ')}`)
}

function orderWords(fields: Fields, source: SourceConfig, says: OrderLineWord['says']): readonly OrderLineWord[] {
  const stamp = fields.stamp()
  const order = fields.text('order')
  const shop = shopIn(fields)
  const warehouse = warehouseOf(fields, source)
  const words = new Map<string, OrderLineWord>()
  for (const row of fields.rows('lines')) {
    const line = row.optionalText('line')
    const units = row.units('units')
    if (units === 0) row.fail('units', 'must be 1 or more')
    const sku = row.sku()
    // Rows about the same units are one act: told apart, the second would be taken for the first one told again.
    const key = JSON.stringify([sku, line])
    const told = words.get(key)?.units ?? 0
    if (told + units > MAX_UNITS) row.fail('units', 'adds up to more units than there can be')
    words.set(key, {
      kind: 'order-line',
      says,
      order,
      sku,
      units: told + units,
      warehouse,
      stamp,
      ...shop,
      ...(line === undefined ? {} : { line }),
    })
  }
  return [...words.values()]
}

function shopIn(fields: Fields): { readonly shop?: ShopId } {
  const shop = fields.optionalText('shop')
  return shop === undefined ? {} : { shop: shopOf(shop) }
}

function movement(fields: Fields, source: SourceConfig, why: MovementWord['why'], change: number): MovementWord {
  refuseOtherUnits(fields)
  const purchaseOrder = fields.optionalText('purchaseOrder') ?? fields.optionalText('transfer')
  const line = fields.optionalText('line') ?? (fields.has('transfer') ? TRANSFER_LINE : undefined)
  return {
    kind: 'movement',
    why,
    sku: fields.sku(),
    warehouse: warehouseOf(fields, source),
    change,
    stamp: fields.stamp(),
    ...(purchaseOrder === undefined ? {} : { purchaseOrder }),
    ...(line === undefined ? {} : { line }),
  }
}

/** A transfer that names where it goes to is an inbound line there until it arrives. */
function departure(fields: Fields, source: SourceConfig): readonly Word[] {
  const units = fields.units('units')
  const out = movement(fields, source, 'transfer-out', 0 - units)
  if (!fields.has('to')) return [out]
  const to = fields.warehouse(source.warehouses, source.defaultWarehouse, 'to')
  if (to === out.warehouse) fields.fail('to', 'is the warehouse that the goods left')
  const underWay: Word = {
    kind: 'inbound',
    purchaseOrder: fields.text('transfer'),
    line: TRANSFER_LINE,
    sku: out.sku,
    warehouse: to,
    ordered: units,
    received: 0,
    confirmed: true,
    cancelled: false,
    stamp: out.stamp,
    ...(fields.has('eta') ? { eta: fields.day('eta') } : {}),
  }
  return [out, underWay]
}

/** A transfer of one SKU is one line. */
const TRANSFER_LINE = 'transfer'

function inboundOf(fields: Fields, source: SourceConfig): Word {
  const supplier = fields.optionalText('supplier')
  const blocked = fields.optionalUnits('blocked')
  const rejected = fields.optionalUnits('rejected')
  return {
    kind: 'inbound',
    purchaseOrder: fields.text('purchaseOrder'),
    line: fields.text('line'),
    sku: fields.sku(),
    warehouse: warehouseOf(fields, source),
    ordered: fields.units('ordered'),
    received: fields.has('received') ? fields.units('received') : 0,
    confirmed: fields.flag('confirmed', false),
    cancelled: fields.flag('cancelled', false),
    stamp: fields.stamp(),
    ...(supplier === undefined ? {} : { supplier }),
    ...(blocked === undefined ? {} : { blocked }),
    ...(rejected === undefined ? {} : { rejected }),
    ...(fields.has('eta') ? { eta: fields.day('eta') } : {}),
  }
}

/**
 * Figures of one warehouse at one moment, and with them the orders that it holds open: proof 2 of L1. A row that cannot be used
 * leaves its neighbours; a list of orders that cannot be read whole proves nothing, so it is left out whole.
 */
function snapshot(fields: Fields, source: SourceConfig, reading: Reading): ReadWords {
  const warehouse = warehouseOf(fields, source)
  const stamp = fields.stamp()
  const about = fields.without('figures', 'openOrders', 'id', 'type')
  const figures = new Map<string, { readonly figure: FigureWord; readonly value: Json; readonly path: string }>()
  const conflicting = new Set<string>()
  const problems: PartProblem[] = []
  const refuse = (problem: Problem, value: Json, path: string) =>
    problems.push({ ...problem, part: path, raw: jsonText(rowAlone(about, value)) })
  for (const { value, path } of fields.rawRows('figures')) {
    try {
      const figure = figureOf(new Fields(value, reading, path), source, stamp, warehouse)
      const before = figures.get(figure.sku)
      if (before && JSON.stringify(before.figure) !== JSON.stringify(figure)) conflicting.add(figure.sku)
      if (before && conflicting.has(figure.sku)) refuse(twice(path, figure), value, path)
      else figures.set(figure.sku, { figure, value, path })
    } catch (cause) {
      if (!(cause instanceof FieldProblem)) throw cause
      refuse(cause.problem, value, path)
    }
  }
  for (const sku of conflicting) {
    const first = figures.get(sku)
    if (first) refuse(twice(first.path, first.figure), first.value, first.path)
    figures.delete(sku)
  }
  const words: Word[] = [...figures.values()].map(({ figure }) => figure)
  if (fields.has('openOrders')) {
    try {
      const orders: readonly OpenOrder[] = fields.rows('openOrders').map(openOrder)
      const skus = [...figures.keys()].map(skuOf)
      const tellsShipped = fields.flag('tellsShipped', false) ? { tellsShipped: true } : {}
      if (skus.length > 0 || orders.length > 0)
        words.push({ kind: 'open-orders', warehouse, orders, stamp, skus, ...tellsShipped })
    } catch (cause) {
      if (!(cause instanceof FieldProblem)) throw cause
      const list = { ...about, type: 'stock.snapshot', figures: [], openOrders: fields.raw('openOrders') ?? null }
      problems.push({ ...cause.problem, part: 'openOrders', raw: jsonText(list) })
    }
  }
  return { words, problems }
}

const twice = (path: string, { sku }: FigureWord): Problem => ({
  field: `${path}.sku`,
  value: sku,
  reason: 'appears twice with different figures',
})

/** A row with what its snapshot says for all rows: a message that means the same. */
const rowAlone = (about: { readonly [key: string]: Json }, row: Json): Json =>
  isObject(row) ? { ...about, ...row, type: 'stock.level.reported' } : row

function openOrder(row: Fields): OpenOrder {
  const line = row.optionalText('line')
  return {
    order: row.text('order'),
    sku: row.sku(),
    units: row.units('units'),
    allocated: row.has('allocated') ? row.units('allocated') : 0,
    ...(row.has('shipped') ? { shipped: row.units('shipped') } : {}),
    ...shopIn(row),
    ...(line === undefined ? {} : { line }),
  }
}
