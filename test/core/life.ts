/** Random lives of a small shop: what customers, merchant, warehouse and the road between them do, in any order. */
import fc from 'fast-check'
import type { ShopId, WarehouseId } from '../../src/core/ids.ts'
import { EAST, MAIN, NORD, SUED } from './rules.ts'
import { openTruth, type Truth, type TruthOptions } from './truth.ts'

/** One thing that happens. Numbers are taken modulo whatever there is, so that every life can be lived. */
export type Happening = { readonly what: What; readonly pick: number; readonly units: number }

const CUSTOMERS = ['buy', 'buy', 'abandon', 'order-unheld', 'edit', 'cancel', 'read', 'read-all'] as const
const WAREHOUSE = [
  'receive',
  'acknowledge',
  'allocate',
  'allocate',
  'ship',
  'ship',
  'hurry',
  'give-up',
  'figure',
  'figure',
] as const
const ROAD = ['deliver', 'deliver', 'deliver', 'deliver-twice', 'deliver-all'] as const
type What = (typeof CUSTOMERS | typeof WAREHOUSE | typeof ROAD)[number] | Extra

/** Happenings of which not every law wants to know. */
export type Extra = 'deallocate' | 'allocate-elsewhere' | 'receive-untold' | 'snapshot' | 'lose'

export type LifeOptions = {
  readonly length?: number
  readonly maxUnits?: number
  readonly without?: readonly What[]
}

/** Lives of up to `length` happenings, those named in `extras` among them. */
export const lives = (
  extras: readonly Extra[],
  { length = 40, maxUnits = 4, without = [] }: LifeOptions = {},
): fc.Arbitrary<readonly Happening[]> =>
  fc.array(
    fc.record({
      what: fc.constantFrom(
        ...[...CUSTOMERS, ...WAREHOUSE, ...ROAD, ...extras, ...extras].filter((what) => !without.includes(what)),
      ),
      pick: fc.nat(97),
      units: fc.integer({ min: 1, max: maxUnits }),
    }),
    { maxLength: length, size: 'max' },
  )

export const truths = (more: Partial<TruthOptions> = {}): fc.Arbitrary<TruthOptions> =>
  fc.record({
    semantics: fc.constantFrom('net' as const, 'gross' as const),
    ordered: fc.constantFrom('sequence' as const, 'clock' as const),
    warehouses: fc.constantFrom<TruthOptions['warehouses']>([MAIN], [MAIN, EAST]),
    shops: fc.constantFrom<TruthOptions['shops']>([NORD], [NORD, SUED]),
    ...Object.fromEntries(Object.entries(more).map(([name, value]) => [name, fc.constant(value)])),
  })

/** Lets one thing happen. What is about an order line happens to nobody while there is none. */
export function happen(truth: Truth, options: TruthOptions, { what, pick, units }: Happening): void {
  const { warehouses, shops } = options
  const warehouse = warehouses[pick % warehouses.length] ?? MAIN
  const shop = shops[pick % shops.length] ?? NORD
  const line = truth.lines[pick % Math.max(1, truth.lines.length)]
  ANYWHERE[what]?.({ truth, warehouse, shop, pick, units })
  if (line) TO_A_LINE[what]?.({ truth, line, warehouse, units })
}

type Where = { readonly truth: Truth; readonly warehouse: WarehouseId; readonly units: number }
type Anywhere = Where & { readonly shop: ShopId; readonly pick: number }
type ToALine = Where & { readonly line: Truth['lines'][number] }

const ANYWHERE: { readonly [Name in What]?: (about: Anywhere) => void } = {
  buy: ({ truth, shop, units }) => truth.buy(shop, units),
  abandon: ({ truth, shop, units }) => truth.abandon(shop, units),
  'order-unheld': ({ truth, shop, units }) => truth.orderUnheld(shop, units),
  'read-all': ({ truth }) => truth.readAllAndExpire(),
  receive: ({ truth, warehouse, units }) => truth.receive(warehouse, units, true),
  'receive-untold': ({ truth, warehouse, units }) => truth.receive(warehouse, units, false),
  'allocate-elsewhere': ({ truth, warehouse, units }) => truth.allocateElsewhere(warehouse, units),
  figure: ({ truth, warehouse }) => truth.sayFigure(warehouse),
  snapshot: ({ truth, warehouse }) => truth.saySnapshot(warehouse),
  deliver: ({ truth, pick }) => truth.deliver(pick),
  'deliver-twice': ({ truth, pick }) => truth.deliverTwice(pick),
  'deliver-all': ({ truth }) => truth.deliverAll(),
  lose: ({ truth, pick }) => truth.lose(pick),
}

const TO_A_LINE: { readonly [Name in What]?: (about: ToALine) => void } = {
  // What is asked back while words about it are under way is a race that the shop's own word decides (L5), and the warehouse
  // answers: so edits and cancellations wait for the words.
  edit: ({ truth, line, units }) => {
    truth.read(line)
    truth.deliverAll()
    truth.edit(line, units)
    truth.read(line)
  },
  cancel: ({ truth, line }) => {
    truth.read(line)
    truth.deliverAll()
    truth.cancel(line)
  },
  read: ({ truth, line }) => truth.read(line),
  acknowledge: ({ truth, line, warehouse }) => truth.acknowledge(line, warehouse),
  allocate: ({ truth, line, warehouse, units }) => truth.allocate(line, warehouse, units),
  deallocate: ({ truth, line, warehouse, units }) => truth.deallocate(line, warehouse, units),
  ship: ({ truth, line, warehouse, units }) => truth.ship(line, warehouse, units, false),
  hurry: ({ truth, line, warehouse, units }) => truth.ship(line, warehouse, units, true),
  'give-up': ({ truth, line, warehouse }) => truth.giveUp(line, warehouse),
}

/** The end of every life: whatever is under way arrives, and every warehouse says once more what it has. */
export function settle(truth: Truth, options: TruthOptions): void {
  for (const line of truth.lines) for (const warehouse of options.warehouses) truth.giveUp(line, warehouse)
  truth.readAllAndExpire()
  truth.deliverAll()
  for (const warehouse of options.warehouses) truth.sayFigure(warehouse)
  truth.deliverAll()
  truth.readAllAndExpire()
}

/** A longer end: every order that is still wanted leaves the warehouse, so that nothing stays unexplained for ever. */
export function shipEverything(truth: Truth, options: TruthOptions): void {
  settle(truth, options)
  for (const line of truth.lines) {
    for (const warehouse of options.warehouses) truth.ship(line, warehouse, line.wanted, false)
    truth.receive(MAIN, truth.unallocated(line), true)
    truth.ship(line, MAIN, line.wanted, true)
  }
  settle(truth, options)
}

/**
 * An end after words were lost: everything leaves, and the warehouses tell what they hold open. That list is the proof (H27).
 */
export function settleByLists(truth: Truth, options: TruthOptions): void {
  shipEverything(truth, options)
  for (const warehouse of options.warehouses) truth.saySnapshot(warehouse)
  truth.deliverAll()
  truth.readAllAndExpire()
}

/** Opens a world, with the first figures of its warehouses on their way to us or there already. */
export function begin(options: TruthOptions, initialUnits = 10): Truth {
  const truth = openTruth(options, initialUnits)
  for (const warehouse of options.warehouses) truth.sayFigure(warehouse)
  truth.deliverAll()
  return truth
}
