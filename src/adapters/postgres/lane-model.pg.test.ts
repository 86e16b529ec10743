import fc from 'fast-check'
import { expect, test } from 'vitest'
import { freshDatabase } from '../../../test/postgres.ts'
import { apiHold, figure, order, origin, rules, sealAll, till } from '../../../test/postgres-world.ts'
import { type Connections, openDatabase } from './database.ts'
import { createLane, type PostgresLane } from './lane.ts'
import { verify } from './verify.ts'

const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)
/** Commands of one run at most; each is one transaction with fsync, so they take a few seconds. */
const COMMANDS = 200
/** Tries to find a smaller failing history: each is a run of its own. */
const SHRINKS_WITHIN_MS = 20_000
const SKUS = ['A', 'B', 'C'] as const
const KEYS = ['k0', 'k1', 'k2', 'k3', 'k4'] as const
const ORDERS = ['o0', 'o1', 'o2', 'o3'] as const

/**
 * The model: one warehouse, one channel, units that are held under a key or ordered. It knows nothing of how we do it.
 * A figure is what the warehouse has; what is held and ordered comes off it, and never goes below nothing by a hold.
 */
class Model {
  readonly figures = new Map<string, { units: number; sequence: number }>()
  readonly held = new Map<string, Map<string, number>>()
  readonly ordered = new Map<string, Map<string, number>>()

  #sum(owners: ReadonlyMap<string, ReadonlyMap<string, number>>, sku: string): number {
    return [...owners.values()].reduce((sum, lines) => sum + (lines.get(sku) ?? 0), 0)
  }

  open(sku: string): number {
    return this.#sum(this.held, sku) + this.#sum(this.ordered, sku)
  }

  sellable(sku: string): number {
    return Math.max(0, (this.figures.get(sku)?.units ?? 0) - this.open(sku))
  }

  say(sku: string, units: number, sequence: number): void {
    if (sequence > (this.figures.get(sku)?.sequence ?? -1)) this.figures.set(sku, { units, sequence })
  }

  hold(key: string, lines: ReadonlyMap<string, number>, mode: 'all' | 'partial'): Record<string, number> | 'refused' {
    const mine = this.held.get(key)
    const ceiling = (sku: string) => (mine?.get(sku) ?? 0) + this.sellable(sku)
    if (mode === 'all' && [...lines].some(([sku, units]) => units > ceiling(sku))) return 'refused'
    const granted = new Map([...lines].map(([sku, units]) => [sku, Math.min(units, ceiling(sku))]))
    this.held.set(key, granted)
    return Object.fromEntries(granted)
  }

  release(key: string): number {
    const units = [...(this.held.get(key)?.values() ?? [])].reduce((sum, each) => sum + each, 0)
    this.held.delete(key)
    return units
  }

  order(id: string, key: string | undefined, lines: ReadonlyMap<string, number>): { held: number; unheld: number } {
    const before = this.ordered.get(id) ?? new Map()
    const hold = key === undefined ? undefined : this.held.get(key)
    let held = 0
    let unheld = 0
    for (const [sku, units] of lines) {
      const more = Math.max(0, units - (before.get(sku) ?? 0))
      const fromHold = Math.min(more, hold?.get(sku) ?? 0)
      held += fromHold
      unheld += more - fromHold
    }
    this.ordered.set(id, new Map(lines))
    if (key !== undefined) this.held.delete(key)
    return { held, unheld }
  }
}

type World = { readonly lanes: readonly PostgresLane[]; readonly database: Connections }
type Step = fc.AsyncCommand<Model, World>
type Lines = ReadonlyMap<string, number>
const linesOf = (lines: Lines) => [...lines].map(([sku, units]) => [sku, units] as const)
const laneFor = ({ lanes }: World, key: string): PostgresLane => {
  const lane = lanes[key.charCodeAt(1) % lanes.length]
  if (!lane) throw new Error('There is no lane')
  return lane
}

class Say implements Step {
  readonly sku: string
  readonly units: number
  readonly sequence: number
  constructor(sku: string, units: number, sequence: number) {
    this.sku = sku
    this.units = units
    this.sequence = sequence
  }
  /** A figure below what is promised takes promises away, youngest first: another test's business. */
  check(model: Readonly<Model>): boolean {
    return this.units >= model.open(this.sku) || this.sequence <= (model.figures.get(this.sku)?.sequence ?? -1)
  }
  async run(model: Model, world: World): Promise<void> {
    await laneFor(world, 'k0').submit(figure(this.sku, this.units, this.sequence), origin)
    model.say(this.sku, this.units, this.sequence)
  }
  toString = () => `say ${this.sku}=${this.units} #${this.sequence}`
}

class Hold implements Step {
  readonly key: string
  readonly lines: Lines
  readonly mode: 'all' | 'partial'
  constructor(key: string, lines: Lines, mode: 'all' | 'partial') {
    this.key = key
    this.lines = lines
    this.mode = mode
  }
  /** Of a SKU without a figure anything is granted, untracked. */
  check = (model: Readonly<Model>) => [...this.lines.keys()].every((sku) => model.figures.has(sku))
  async run(model: Model, world: World): Promise<void> {
    const answer = await laneFor(world, this.key).submit(apiHold(this.key, linesOf(this.lines), this.mode), origin)
    const told = answer.granted
      ? Object.fromEntries(answer.lines.map(({ sku, grantedUnits }) => [sku, grantedUnits]))
      : 'refused'
    if (!answer.granted && answer.refusal.kind === 'NOT_ENOUGH') {
      for (const { sku, sellableUnits } of answer.refusal.lines) {
        expect(sellableUnits).toBe((model.held.get(this.key)?.get(sku) ?? 0) + model.sellable(sku))
      }
    }
    expect(told).toEqual(model.hold(this.key, this.lines, this.mode))
  }
  toString = () => `hold ${this.key} ${JSON.stringify([...this.lines])} ${this.mode}`
}

class Release implements Step {
  readonly key: string
  constructor(key: string) {
    this.key = key
  }
  check = () => true
  async run(model: Model, world: World): Promise<void> {
    const answer = await laneFor(world, 'k1').submit({ kind: 'release', shop: till, reservation: this.key }, origin)
    expect(answer).toEqual({ releasedUnits: model.release(this.key) })
  }
  toString = () => `release ${this.key}`
}

class Order implements Step {
  readonly id: string
  readonly key: string | undefined
  readonly lines: Lines
  constructor(id: string, key: string | undefined, lines: Lines) {
    this.id = id
    this.key = key
    this.lines = lines
  }
  /** An order beyond what there is becomes a shortage, and goods that come serve it first: another test's business. */
  check(model: Readonly<Model>): boolean {
    const mine = model.ordered.get(this.id)
    const hold = this.key === undefined ? undefined : model.held.get(this.key)
    return [...this.lines].every(
      ([sku, units]) =>
        model.figures.has(sku) && units <= (mine?.get(sku) ?? 0) + (hold?.get(sku) ?? 0) + model.sellable(sku),
    )
  }
  async run(model: Model, world: World): Promise<void> {
    const reservation = this.key === undefined ? {} : { reservation: this.key }
    const told = order(this.id, [], { shop: till, ...reservation })
    const lines = order(
      this.id,
      [...this.lines].map(([sku, units]) => ({ sku, units })),
    ).order.lines
    // A line is known by its id, so that an edit is an edit: here it is the SKU.
    const command = { ...told, order: { ...told.order, lines: lines.map((line) => ({ ...line, lineId: line.sku })) } }
    // Which of the unheld units were wanted before and given back, the model does not tell apart.
    const { againUnits: _, ...answer } = await laneFor(world, this.id).submit(command, origin)
    const { held, unheld } = model.order(this.id, this.key, this.lines)
    expect(answer).toEqual({ fromHoldsUnits: held, unheldUnits: unheld, shortageUnits: 0 })
  }
  toString = () => `order ${this.id} ${this.key ?? ''} ${JSON.stringify([...this.lines])}`
}

/** After everything: the counters in the tables are the sums of the model. */
class Balance implements Step {
  check = () => true
  async run(model: Model, world: World): Promise<void> {
    const { rows } = await world.database.pool.query<{ sku: string; units: number; pegged: number; open: number }>(
      `select sku, units,
              coalesce((counts #>> array['shelves', warehouse, '0'])::int, 0) as pegged,
              (select coalesce(sum((open -> 0)::int), 0)::int from jsonb_each(counts -> 'shops') as shop (name, open)) as open
       from figure
       join sku on sku.id = figure.sku_id
       order by sku`,
    )
    const expected = [...model.figures].map(([sku, { units }]) => {
      const open = model.open(sku)
      return { sku, units, pegged: open, open }
    })
    expect(rows).toEqual(expected.toSorted((a, b) => (a.sku < b.sku ? -1 : 1)))
  }
  toString = () => 'balance'
}

const units = (most: number) => fc.integer({ min: 1, max: most })
const lines = (most: number) =>
  fc
    .uniqueArray(fc.tuple(fc.constantFrom(...SKUS), units(most)), {
      minLength: 1,
      maxLength: 3,
      selector: ([sku]) => sku,
    })
    .map((each): Lines => new Map(each))

let messages = 10
const steps = [
  fc.tuple(fc.constantFrom(...SKUS), fc.integer({ min: 0, max: 40 }), fc.boolean()).map(([sku, net, late]) => {
    messages += 1
    // Even numbers in order, odd ones late: none comes twice, because the same number with other content proves a restart.
    return new Say(sku, net, 2 * messages - (late ? 5 : 0))
  }),
  fc
    .tuple(fc.constantFrom(...KEYS), lines(12), fc.constantFrom('all' as const, 'partial' as const))
    .map((args) => new Hold(...args)),
  fc.tuple(fc.constantFrom(...KEYS), lines(4), fc.constant('all' as const)).map((args) => new Hold(...args)),
  fc.constantFrom(...KEYS).map((key) => new Release(key)),
  fc
    .tuple(fc.constantFrom(...ORDERS), fc.option(fc.constantFrom(...KEYS), { nil: undefined }), lines(8))
    .map((args) => new Order(...args)),
  fc.constant(new Balance()),
]

test(`the lane on PostgreSQL gives the answers and balances of a model of pools, holds and orders (SEED=${SEED})`, async () => {
  await fc.assert(
    fc.asyncProperty(fc.commands(steps, { size: 'max', maxCommands: COMMANDS }), async (commands) => {
      const fresh = await freshDatabase()
      const second = openDatabase({ url: fresh.url, schema: 'holdfast' })
      const lanes = [fresh.database, second].map((database) => createLane({ database, configuration: () => rules }))
      try {
        await fc.asyncModelRun(
          () => ({ model: new Model(), real: { lanes, database: fresh.database } }),
          [...commands, new Balance()],
        )
        await sealAll(fresh.database)
        expect((await verify(fresh.database)).problems).toEqual([])
      } finally {
        await Promise.all(lanes.map((lane) => lane.stop()))
        await second.close()
        await fresh.drop()
      }
    }),
    { seed: SEED, numRuns: 2, interruptAfterTimeLimit: SHRINKS_WITHIN_MS },
  )
})
