/** Reads some SKUs in every warehouse: figure and orders of one moment, then what is on its way. */
import type { PulledInbound, PulledProblem, PulledStatement, Reading, Standing } from '../../../app/pulled.ts'
import type { Day } from '../../../core/ids.ts'
import { Failure } from '../../../errors.ts'
import { AT_DOCK, type IncomingLine, readInbound } from './inbound.ts'
import { type Beside, confirmed, figureContext, ordersIn, readOrders, type SaleLine } from './orders.ts'
import type { Place } from './places.ts'
import { type Product, productsOf, WHETHER_ACTIVE_OR_NOT } from './products.ts'
import { readAtOnce } from './reader.ts'
import { dayIn, wholeUnits } from './row.ts'
import type { TrytonSession } from './session.ts'

export type ReadPorts = {
  readonly session: TrytonSession
  readonly places: readonly Place[]
  /** One call is one transaction of Tryton's database: so with PostgreSQL, not with SQLite. */
  readonly isSnapshot: boolean
}

/** The day on Tryton's server, by which it counts what is done. */
export async function trytonToday(session: TrytonSession): Promise<Day> {
  const day = dayIn(await session.call('model.ir.date.today', []))
  if (day) return day
  throw new Failure('WMS_ANSWER_UNREADABLE', 'Tryton does not say which day it is. Check that the module ir answers.', {
    retry: 'later',
  })
}

export async function readSkus(ports: ReadPorts, standing: ReadonlyMap<string, Standing>): Promise<Reading> {
  const { session, places } = ports
  const products = await productsOf(session, [...standing.keys()])
  const bySku = new Map(products.map(({ id, sku }) => [sku, id]))
  const today = await trytonToday(session)
  const statements: PulledStatement[] = []
  const problems: PulledProblem[] = []
  for (const place of places) {
    const figures = await figuresOf(ports, place, { products, standing, today })
    const incoming = await readInbound(session, {
      place,
      products,
      lines: [...standing.values()].flatMap(({ inbound }) => inbound.map(({ line }) => line)),
      today,
    })
    for (const sku of standing.keys()) {
      const product = bySku.get(sku)
      const beside = product === undefined ? NOTHING : figures.get(product)
      // Deleted while it was read: the next pull says so.
      if (!beside) continue
      const made = statementOf(place, sku, beside, incoming.get(product ?? 0) ?? [])
      if ('reason' in made) problems.push(made)
      else statements.push(made)
    }
  }
  // Midnight on the server moves figures without any act: what was read around it is of two days.
  if ((await trytonToday(session)) !== today)
    throw new Failure('WMS_BUSY', "Midnight passed on Tryton's server while it was read.", { retry: 'later' })
  return { statements: withEnded(statements, standing), problems }
}

/** A SKU that no product bears: the warehouse has none of it. */
const NOTHING = { net: 0, lines: [] }

type Figures = ReadonlyMap<number, { readonly net: number; readonly lines: readonly SaleLine[] }>
type Asked = {
  readonly products: readonly Product[]
  readonly standing: ReadonlyMap<string, Standing>
  readonly today: Day
}

/**
 * A product with orders has its figure in their call. One without any is asked for afterwards: what was ordered meanwhile is taken
 * off twice for one pull, and nothing that this list calls allocated can have come back, for it calls nothing so.
 */
async function figuresOf(
  { session, isSnapshot }: ReadPorts,
  place: Place,
  { products, standing, today }: Asked,
): Promise<Figures> {
  if (products.length === 0) return new Map()
  const orders = [...new Set([...standing.values()].flatMap((each) => each.orders))]
  const asked = { products, orders, today }
  const first = await readOrders(session, place, asked)
  const lone = products.filter(({ id }) => !isSnapshot || !first.has(id))
  const rows =
    lone.length === 0
      ? []
      : await readAtOnce(session, 'product.product', {
          domain: [['id', 'in', lone.map(({ id }) => id)], WHETHER_ACTIVE_OR_NOT],
          fields: ['quantity'],
          context: figureContext(place),
        })
  const nets = new Map(rows.map((row) => [row.id, row.number('quantity')]))
  const second = isSnapshot ? first : await readOrders(session, place, asked)
  const lines = (about: Beside | undefined, again: Beside | undefined) =>
    isSnapshot ? (about?.lines ?? []) : confirmed(about, again)
  return new Map(
    products.flatMap(({ id }) => {
      const net = nets.get(id) ?? first.get(id)?.net
      return net === undefined ? [] : [[id, { net, lines: lines(first.get(id), second.get(id)) }] as const]
    }),
  )
}

function statementOf(
  place: Place,
  sku: string,
  beside: { readonly net: number; readonly lines: readonly SaleLine[] },
  lines: readonly IncomingLine[],
): PulledStatement | PulledProblem {
  const { warehouse } = place
  const fraction = (field: string, value: number): PulledProblem => ({
    warehouse,
    sku,
    field,
    value: String(value),
    reason: `is no whole number of units: ${sku} cannot be sold by the piece. Give it a unit without decimals in Tryton`,
  })
  const net = wholeUnits(beside.net)
  if (net === undefined) return fraction('quantity', beside.net)
  const told = ordersIn(beside.lines, place)
  if ('field' in told) return fraction(told.field, told.value)
  const inbound: PulledInbound[] = []
  for (const each of lines) {
    if ('field' in each) return fraction(each.field, each.value)
    inbound.push(each.line)
  }
  // Assigned beyond what lies there: nothing is left to sell, and a figure cannot say less.
  return { warehouse, sku, net: Math.max(0, net), orders: told.orders, inbound }
}

/** Lines that we count and Tryton has no more end: they were deleted with a cancelled purchase, or lie on the shelf. */
function withEnded(
  statements: readonly PulledStatement[],
  standing: ReadonlyMap<string, Standing>,
): readonly PulledStatement[] {
  const keyOf = (sku: string, each: Pick<PulledInbound, 'purchaseOrder' | 'line'>): string =>
    JSON.stringify([sku, each.purchaseOrder, each.line])
  const told = new Set(statements.flatMap(({ sku, inbound }) => inbound.map((each) => keyOf(sku, each))))
  return statements.map((statement) => {
    const counted = standing.get(statement.sku)?.inbound ?? []
    const ended = counted
      .filter((each) => each.warehouse === statement.warehouse && !told.has(keyOf(statement.sku, each)))
      .map(({ purchaseOrder, line }) => ({
        ...{ purchaseOrder, line, ordered: 0, received: 0, confirmed: true },
        // What stood at the dock lies on the shelf now, and is told there.
        cancelled: !line.endsWith(AT_DOCK),
      }))
    return { ...statement, inbound: [...statement.inbound, ...ended] }
  })
}
