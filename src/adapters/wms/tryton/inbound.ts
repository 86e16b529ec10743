/**
 * What is on its way: purchase lines, deliveries that no purchase names, and transfers from another warehouse. Read after the figure:
 * what comes in between the two is counted by nobody for one pull, and never twice.
 *
 * The day is that of the open moves, and of nothing else: a date that is written into a purchase after it was confirmed changes
 * neither its line nor its moves. What stands at the dock has come, and is in no figure yet: it is a line of its own until somebody
 * has carried it to the shelf.
 */
import type { PulledInbound } from '../../../app/pulled.ts'
import type { Day } from '../../../core/ids.ts'
import { INVENTORY, inventoryMovesOf, isDone, isToCome, unitsOf } from './moves.ts'
import type { Place } from './places.ts'
import type { Product } from './products.ts'
import { readAtOnce } from './reader.ts'
import { type Row, wholeUnits } from './row.ts'
import type { TrytonSession } from './session.ts'

/** A line of a product, or what of it is no whole number. */
export type IncomingLine = { readonly line: PulledInbound } | { readonly field: string; readonly value: number }
/** Lines by the id of their product. */
export type Incoming = ReadonlyMap<number, readonly IncomingLine[]>

export type AskedInbound = {
  readonly place: Place
  readonly products: readonly Product[]
  /** Lines that we still count, by our name of them: they are told whatever became of them. */
  readonly lines: readonly string[]
  /** The day on Tryton's server. */
  readonly today: Day
}

export async function readInbound(session: TrytonSession, asked: AskedInbound): Promise<Incoming> {
  const found = new Map<number, IncomingLine[]>()
  const groups = [
    ...(await purchases(session, asked)),
    ...(await deliveries(session, asked)),
    ...(await transfers(session, asked)),
  ]
  for (const { product, ...group } of groups)
    found.set(product, [...(found.get(product) ?? []), ...linesOf(group, asked)])
  return found
}

const MOVE = ['state', 'internal_quantity', 'planned_date', 'effective_date', 'to_location', 'shipment.planned_date']

/** Moves that serve one line. */
type Group = {
  readonly purchaseOrder: string
  readonly line: string
  readonly supplier?: string
  /** Its moves lead to the dock, and others carry on what has come. */
  readonly isCarried: boolean
  readonly moves: readonly Row[]
}
type GroupOfProduct = Group & { readonly product: number }

async function purchases(
  session: TrytonSession,
  { place, products, lines }: AskedInbound,
): Promise<readonly GroupOfProduct[]> {
  const asked = lines.flatMap((line) => /^purchase\.line,(\d+)/.exec(line)?.[1] ?? []).map(Number)
  const rows = await readAtOnce(session, 'purchase.line', {
    domain: [
      ['type', '=', 'line'],
      ['product', 'in', products.map(({ id }) => id)],
      ['quantity', '>', 0],
      ['OR', ['purchase.state', 'in', ['confirmed', 'processing']], ['id', 'in', asked]],
    ],
    fields: [
      'product',
      'purchase.number',
      'purchase.warehouse',
      'purchase.party.rec_name',
      ...[...MOVE, 'to_location.warehouse', ...INVENTORY].map((field) => `moves.${field}`),
    ],
  })
  return rows.flatMap((row) => {
    const purchase = row.child('purchase')
    const moves = row.children('moves')
    const open = moves.find((move) => move.text('state') === 'draft') ?? moves.at(-1)
    const warehouse = open?.child('to_location').optionalNumber('warehouse') ?? purchase.number('warehouse')
    if (warehouse !== place.location) return []
    return {
      product: row.number('product'),
      purchaseOrder: purchase.optionalText('number') ?? `purchase,${purchase.id}`,
      line: `purchase.line,${row.id}`,
      supplier: purchase.child('party').text('rec_name'),
      isCarried: true,
      moves,
    }
  })
}

/** Deliveries without a purchase, until they are on the shelf. */
async function deliveries(
  session: TrytonSession,
  { place, products, lines }: AskedInbound,
): Promise<readonly GroupOfProduct[]> {
  const rows = await readAtOnce(session, 'stock.move', {
    domain: [
      ['product', 'in', products.map(({ id }) => id)],
      [
        'OR',
        ['shipment.state', 'in', ['draft', 'received'], 'stock.shipment.in'],
        ['shipment', 'in', named(lines, 'stock.shipment.in')],
      ],
      ['from_location.type', '=', 'supplier'],
      ['to_location', 'child_of', [place.location], 'parent'],
      ['origin', '=', null],
    ],
    fields: ['product', 'shipment', 'shipment.number', 'shipment.reference', ...MOVE, ...INVENTORY],
  })
  return byShipment(rows, true)
}

/** What left another warehouse for this one. Before it leaves it lies there, in that one's figure. */
async function transfers(
  session: TrytonSession,
  { place, products, lines }: AskedInbound,
): Promise<readonly GroupOfProduct[]> {
  const rows = await readAtOnce(session, 'stock.move', {
    domain: [
      ['product', 'in', products.map(({ id }) => id)],
      [
        'OR',
        ['shipment.state', '=', 'shipped', 'stock.shipment.internal'],
        ['shipment', 'in', named(lines, 'stock.shipment.internal')],
      ],
      ['to_location', 'child_of', [place.location], 'parent'],
    ],
    fields: ['product', 'shipment', 'shipment.number', 'shipment.reference', ...MOVE],
  })
  return byShipment(rows, false)
}

/** The shipments of a kind that our names of lines name. */
const named = (lines: readonly string[], model: string): readonly string[] =>
  lines.flatMap((line) => new RegExp(`^${model},\\d+`).exec(line)?.[0] ?? [])

function byShipment(rows: readonly Row[], isCarried: boolean): readonly GroupOfProduct[] {
  const groups = Map.groupBy(rows, (row) => `${row.number('product')} ${row.text('shipment')}`)
  return [...groups.values()].flatMap((moves) => {
    const [first] = moves
    const shipment = first?.optionalChild('shipment')
    if (!first || !shipment) return []
    const line = first.text('shipment')
    return {
      product: first.number('product'),
      purchaseOrder: shipment.optionalText('reference') ?? shipment.optionalText('number') ?? line,
      line,
      isCarried,
      moves,
    }
  })
}

/** The name of what a line has at the dock. */
const atDock = (line: string): string => `${line}${AT_DOCK}`
export const AT_DOCK = ' at the dock'

/**
 * A line is what its moves are. Its own quantity may say more: one that was written larger, or of which a move was cancelled, waits
 * for a person, and until then nothing more is on its way.
 */
function linesOf(group: Group, { place, today }: AskedInbound): readonly IncomingLine[] {
  const { purchaseOrder, line, supplier, moves } = group
  const about = { purchaseOrder, confirmed: true, ...(supplier === undefined ? {} : { supplier }) }
  const toCome = moves.filter((move) => isToCome(move, today))
  const come = moves.filter((move) => isDone(move, today))
  const underWay = wholeUnits(unitsOf(toCome))
  const carried = come.filter((move) => group.isCarried && move.number('to_location') !== place.storage)
  const onward = carried.flatMap(inventoryMovesOf)
  const direct = come.filter((move) => !carried.includes(move))
  const received = wholeUnits(unitsOf([...direct, ...onward.filter((move) => isDone(move, today))]))
  const waiting = wholeUnits(unitsOf(onward.filter((move) => isToCome(move, today))))
  if (received === undefined || underWay === undefined || waiting === undefined)
    return [{ field: line, value: unitsOf(moves) }]
  const ordered = received + underWay
  const main: PulledInbound = {
    ...about,
    ...{ line, ordered, received, cancelled: ordered + waiting === 0 },
    ...etaOf(toCome),
  }
  if (waiting === 0) return [{ line: main }]
  const dock = { ordered: waiting, received: 0, cancelled: false, eta: today }
  return [{ line: main }, { line: { ...about, line: atDock(line), ...dock } }]
}

/** The latest day of all that is to come, for a line has one day; unknown where any part of it is. */
function etaOf(toCome: readonly Row[]): { readonly eta?: Day } {
  const days = toCome.map(
    (move) =>
      move.day('effective_date') ?? move.day('planned_date') ?? move.optionalChild('shipment')?.day('planned_date'),
  )
  const latest = days
    .flatMap((day) => day ?? [])
    .toSorted()
    .at(-1)
  return latest === undefined || days.includes(undefined) ? {} : { eta: latest }
}
