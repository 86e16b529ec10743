/**
 * What is true outside: what lies on the shelves, what the warehouse has allocated and shipped, which orders customers hold,
 * and which messages are still under way. It knows nothing of how Holdfast counts; it only asks how much may be sold.
 *
 * Every act of the warehouse takes the next number of its one counter. What it says about it goes into a bag, from which a test
 * takes messages in any order, late, twice, or never.
 */
import { instantOf, type ShopId, type WarehouseId } from '../../src/core/ids.ts'
import type { OrderLineWord, Stamp, Word } from '../../src/core/word.ts'
import { type House, openHouse } from './house.ts'
import { holdCommand, LAMP, orderCommand, type RuleOptions, rulesWith, wordCommand } from './rules.ts'

export type TruthOptions = {
  readonly semantics: 'net' | 'gross'
  readonly ordered: 'sequence' | 'clock'
  readonly warehouses: RuleOptions['warehouses'] & object
  readonly shops: RuleOptions['shops'] & object
  readonly allocatesOnAcknowledge?: boolean
  /** Words about one order line do not overtake each other; everything else may. */
  readonly keepsLinesInOrder?: boolean
  /** The warehouse acknowledges whatever it takes in hand, and that word is neither late nor lost. */
  readonly acknowledgesAll?: boolean
  /** An order that passed the checkout by is read before the warehouse takes it in hand. */
  readonly readsAtOnce?: boolean
}

type Warehouse = WarehouseId
type Shop = ShopId

/** Units of one order line that the figure of a warehouse is without from a moment on (or, negative, has again). */
type Effect = { readonly warehouse: Warehouse; readonly sequence: number; readonly units: number }

type Line = {
  readonly shop: Shop
  readonly order: string
  readonly lineId: string
  readonly lineKey: string | undefined
  /** What the customer wants now; 0 once cancelled. */
  wanted: number
  /** What Holdfast has been told that he wants, by a granted hold or an order that was read. */
  told: number
  readonly allocated: Map<Warehouse, number>
  readonly shipped: Map<Warehouse, number>
  readonly effects: Effect[]
  /** The warehouse that knew of it first, and has what no other has allocated on its list. */
  home: Warehouse | undefined
}

type Message = {
  readonly id: string
  readonly words: readonly Word[]
  readonly concerns?: Line
  readonly isKept?: boolean
}

export type Truth = ReturnType<typeof openTruth>

export function openTruth(options: TruthOptions, initialUnits = 10) {
  const { semantics, warehouses, shops } = options
  const house: House = openHouse(
    rulesWith({
      source: { semantics, allocatesOnAcknowledge: options.allocatesOnAcknowledge ?? false },
      warehouses,
      shops,
    }),
  )
  const physical = new Map<Warehouse, number>(warehouses.map((warehouse) => [warehouse, initialUnits]))
  const foreign = new Map<Warehouse, number>()
  const lines: Line[] = []
  const abandoned: { readonly shop: Shop; readonly units: number }[] = []
  const bag: Message[] = []
  const applied = new Set<string>()
  /** The newest figure of each warehouse that arrived: its number and its units. */
  const figures = new Map<Warehouse, { readonly sequence: number; readonly units: number }>()
  let sequence = 0
  let messages = 0

  const stamp = (): Stamp => {
    sequence += 1
    return options.ordered === 'sequence' ? { epoch: 0, sequence } : { epoch: 0, asOf: instantOf(sequence) }
  }
  const numberOf = (made: Stamp): number => made.sequence ?? made.asOf ?? 0
  const sum = (map: ReadonlyMap<unknown, number>): number => [...map.values()].reduce((all, units) => all + units, 0)
  const add = (map: Map<Warehouse, number>, warehouse: Warehouse, units: number): void => {
    map.set(warehouse, (map.get(warehouse) ?? 0) + units)
  }
  const allocatedAt = (warehouse: Warehouse): number =>
    lines.reduce((all, line) => all + (line.allocated.get(warehouse) ?? 0), foreign.get(warehouse) ?? 0)
  const freeAt = (warehouse: Warehouse): number => (physical.get(warehouse) ?? 0) - allocatedAt(warehouse)
  const unallocated = (line: Line): number => line.wanted - sum(line.allocated) - sum(line.shipped)

  const post = (words: readonly Word[], about: Partial<Message> = {}): void => {
    bag.push({ id: `m-${++messages}`, words, ...about })
  }
  const tell = (
    line: Line,
    says: OrderLineWord['says'],
    units: number,
    warehouse: Warehouse,
    made: Stamp,
    isKept = false,
  ): void => {
    const word = {
      kind: 'order-line' as const,
      says,
      shop: line.shop,
      order: line.order,
      line: line.lineId,
      sku: LAMP,
      units,
      warehouse,
      stamp: made,
    }
    if (options.acknowledgesAll && line.home === undefined && says !== 'acknowledged') {
      readOrder(line.order)
      post([{ ...word, says: 'acknowledged', units: line.wanted, stamp: { ...made } }], { isKept: true })
      deliverLast()
    }
    line.home ??= warehouse
    post([word], { concerns: line, isKept: isKept || (options.acknowledgesAll === true && says === 'acknowledged') })
  }
  const affect = (line: Line, warehouse: Warehouse, made: Stamp, units: number): void => {
    line.effects.push({ warehouse, sequence: numberOf(made), units })
  }

  const figureWord = (warehouse: Warehouse, made: Stamp): Word => ({
    kind: 'figure',
    sku: LAMP,
    warehouse,
    stamp: made,
    ...(semantics === 'net'
      ? { net: freeAt(warehouse) }
      : { onHand: physical.get(warehouse) ?? 0, allocated: foreign.get(warehouse) ?? 0 }),
  })

  const openOrders = (warehouse: Warehouse, made: Stamp): Word => ({
    kind: 'open-orders',
    warehouse,
    skus: [LAMP],
    stamp: made,
    orders: lines.flatMap((line) => {
      const allocated = line.allocated.get(warehouse) ?? 0
      const units = allocated + (line.home === warehouse ? Math.max(0, unallocated(line)) : 0)
      return units === 0 ? [] : [{ shop: line.shop, order: line.order, line: line.lineId, sku: LAMP, units, allocated }]
    }),
  })

  function readOrder(order: string): void {
    const mine = lines.filter((line) => line.order === order)
    const [first] = mine
    if (!first) return
    const present = mine.filter(({ wanted }) => wanted > 0)
    house.pass(1)
    house.decide(
      orderCommand(
        order,
        (present.length > 0 ? present : mine).map(({ lineId, lineKey, wanted }) => ({
          lineId,
          units: wanted,
          ...(lineKey === undefined ? {} : { lineKey }),
        })),
        { shop: first.shop, state: present.length > 0 ? 'open' : 'cancelled' },
      ),
    )
    for (const line of mine) line.told = line.wanted
  }

  /** Hands a message over; a word about an order that was not read yet stays in the bag, as the inbox keeps it. */
  function hand(picked: Message): void {
    const { concerns } = picked
    const oldest = options.keepsLinesInOrder && concerns && bag.find((each) => each.concerns === concerns)
    const message = oldest || picked
    house.pass(1)
    const fresh = message.words.filter((_, index) => !applied.has(`${message.id}/${index}`))
    if (fresh.length === 0) return
    message.words.forEach((word, index) => {
      const { answer } = house.run(wordCommand(word, { messageId: message.id, receivedAt: house.now() }))
      if (answer.verdict === 'unknown-order') return
      applied.add(`${message.id}/${index}`)
      if (word.kind !== 'figure') return
      const known = figures.get(word.warehouse)
      const number = numberOf(word.stamp)
      const gross = (word.onHand ?? 0) - (word.allocated ?? 0)
      if (!known || number > known.sequence)
        figures.set(word.warehouse, { sequence: number, units: semantics === 'net' ? (word.net ?? 0) : gross })
    })
    if (message.words.every((_, index) => applied.has(`${message.id}/${index}`))) {
      const place = bag.indexOf(message)
      if (place >= 0) bag.splice(place, 1)
    }
  }

  function deliverLast(): void {
    const last = bag.at(-1)
    if (last) hand(last)
  }

  /** Units of a line that the figures in force are truly without. */
  const outOfFigures = (line: Line): number =>
    line.effects
      .filter((effect) => effect.sequence <= (figures.get(effect.warehouse)?.sequence ?? 0))
      .reduce((all, { units }) => all + units, 0)

  return {
    house,
    lines,
    bag,
    unallocated,

    // ── customers ──
    /** Holds at checkout and, when granted, writes the order. Answers whether it was granted. */
    buy(shop: Shop, units: number): boolean {
      house.pass(1)
      const order = `${shop}-${lines.length + 1}`
      const lineKey = `key-${order}`
      const answer = house.decide(holdCommand(`call-${order}`, [{ units, lineKey }], { shop }))
      if (!answer.granted) return false
      lines.push(lineOf(shop, order, lineKey, units, units))
      return true
    },
    /** Holds at checkout and never orders. */
    abandon(shop: Shop, units: number): void {
      house.pass(1)
      const key = `abandoned-${shop}-${abandoned.length + 1}-${house.now()}`
      const answer = house.decide(holdCommand(key, [{ units, lineKey: key }], { shop }))
      if (answer.granted) abandoned.push({ shop, units })
    },
    /** An order that passes the checkout by. Holdfast learns of it when it is read. */
    orderUnheld(shop: Shop, units: number): void {
      const order = `${shop}-${lines.length + 1}`
      lines.push(lineOf(shop, order, undefined, units, 0))
      if (options.readsAtOnce) readOrder(order)
    },
    /** The merchant edits an order; what the warehouse has already allocated or shipped is left alone. */
    edit(line: Line, units: number): void {
      if (line.wanted === 0) return
      const before = line.wanted
      line.wanted = Math.max(units, sum(line.allocated) + sum(line.shipped))
      if (options.acknowledgesAll && line.home && line.wanted > before) {
        tell(line, 'acknowledged', line.wanted - before, line.home, stamp(), true)
      }
    },
    /** The customer cancels; what has shipped stays bought. */
    cancel(line: Line): void {
      line.wanted = sum(line.shipped)
    },
    read: (line: Line): void => readOrder(line.order),
    /** Reads every order, and with that the watermark passes all calls so far. */
    readAllAndExpire(): void {
      for (const line of lines) readOrder(line.order)
      const watermark = house.pass(1)
      for (const shop of shops) house.decide({ kind: 'expire', shop, sku: LAMP, watermark })
      abandoned.splice(0)
    },

    // ── the warehouse ──
    receive(warehouse: Warehouse, units: number, isTold: boolean): void {
      const made = stamp()
      add(physical, warehouse, units)
      if (isTold) post([{ kind: 'movement', why: 'receipt', change: units, sku: LAMP, warehouse, stamp: made }])
    },
    /** Units for orders that are not ours: the phone, a branch. */
    allocateElsewhere(warehouse: Warehouse, units: number): void {
      stamp()
      add(foreign, warehouse, Math.max(0, Math.min(units, freeAt(warehouse))))
    },
    acknowledge(line: Line, warehouse: Warehouse): void {
      if (line.wanted > 0) tell(line, 'acknowledged', line.wanted, warehouse, stamp())
    },
    allocate(line: Line, warehouse: Warehouse, units: number): void {
      const taken = Math.min(units, unallocated(line), freeAt(warehouse))
      if (taken <= 0) return
      const made = stamp()
      add(line.allocated, warehouse, taken)
      if (semantics === 'net') affect(line, warehouse, made, taken)
      tell(line, 'allocated', taken, warehouse, made)
    },
    /** Takes an allocation back; returns whether there was one. */
    deallocate(line: Line, warehouse: Warehouse, units: number): boolean {
      const given = Math.min(units, line.allocated.get(warehouse) ?? 0)
      if (given <= 0) return false
      const made = stamp()
      add(line.allocated, warehouse, -given)
      if (semantics === 'net') affect(line, warehouse, made, -given)
      tell(line, 'deallocated', given, warehouse, made)
      return true
    },
    /** Allocated units leave; `isHurried`: others too, straight from the shelf. */
    ship(line: Line, warehouse: Warehouse, units: number, isHurried: boolean): void {
      const owed = Math.max(0, Math.min(units, line.wanted - sum(line.shipped)))
      const fromAllocated = Math.min(owed, line.allocated.get(warehouse) ?? 0)
      const straight = isHurried ? Math.max(0, Math.min(owed - fromAllocated, unallocated(line), freeAt(warehouse))) : 0
      if (fromAllocated + straight === 0) return
      const made = stamp()
      add(line.allocated, warehouse, -fromAllocated)
      add(line.shipped, warehouse, fromAllocated + straight)
      add(physical, warehouse, -fromAllocated - straight)
      const out = semantics === 'net' ? straight : fromAllocated + straight
      if (out > 0) affect(line, warehouse, made, out)
      tell(line, 'shipped', fromAllocated + straight, warehouse, made)
    },
    /** A cancelled order is given up: what was allocated goes back to the shelf. */
    giveUp(line: Line, warehouse: Warehouse): boolean {
      const given = line.allocated.get(warehouse) ?? 0
      if (given <= 0 || line.wanted > sum(line.shipped)) return false
      const made = stamp()
      add(line.allocated, warehouse, -given)
      if (semantics === 'net') affect(line, warehouse, made, -given)
      tell(line, 'cancelled', given, warehouse, made)
      return true
    },
    sayFigure(warehouse: Warehouse): void {
      post([figureWord(warehouse, stamp())])
    },
    saySnapshot(warehouse: Warehouse): void {
      const made = stamp()
      post([figureWord(warehouse, made), openOrders(warehouse, made)])
    },

    // ── the road ──
    deliver(pick: number): void {
      const message = bag[pick % Math.max(1, bag.length)]
      if (message) hand(message)
    },
    /** The same message again, however often it came: a door keeps the identities of what was applied. */
    deliverTwice(pick: number): void {
      const message = bag[pick % Math.max(1, bag.length)]
      if (!message) return
      hand(message)
      hand(message)
    },
    lose(pick: number): void {
      const losable = bag.filter(({ isKept }) => !isKept)
      const lost = losable[pick % Math.max(1, losable.length)]
      if (lost) bag.splice(bag.indexOf(lost), 1)
    },
    deliverAll(): void {
      for (let round = 0; round < 3; round += 1) for (const message of [...bag]) hand(message)
    },
    // ── what is right ──
    /**
     * What may truly be promised, by the figures that have arrived: their units, less everything that customers hold by our word,
     * still want, and that those figures are not without. Negative when more is promised than there is.
     */
    trulyFreeUnits(): number {
      const units = [...figures.values()].reduce((all, figure) => all + figure.units, 0)
      const held = abandoned.reduce((all, hold) => all + hold.units, 0)
      return lines.reduce(
        (left, line) => left - Math.max(0, Math.min(line.told, line.wanted) - outOfFigures(line)),
        units - held,
      )
    },
  }

  function lineOf(shop: Shop, order: string, lineKey: string | undefined, wanted: number, told: number): Line {
    return {
      shop,
      order,
      lineId: `${order}-1`,
      lineKey,
      wanted,
      told,
      allocated: new Map(),
      shipped: new Map(),
      effects: [],
      home: undefined,
    }
  }
}
