/** What people do in a Tryton: make goods, count them, order and receive them, sell, assign, ship and cancel. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { decimal, type Row, type Tryton, trytonDay } from './real-tryton.ts'

/** A shipment to a customer, and the sale that it serves. */
export type Sold = { readonly sale: number; readonly line: number }

export type Clerk = Awaited<ReturnType<typeof clerkOf>>

/** Knows the house: its zones, its company, one customer and one supplier. */
export async function clerkOf(tryton: Tryton) {
  const { find, create, write, press, call } = tryton
  const company = await one(find('company.company', [], ['currency', 'party']))
  const currency = Number(company.currency)
  const party = async (name: string): Promise<{ readonly id: number; readonly address: number }> => {
    const [known] = await find('party.party', [['name', '=', name]], ['addresses'])
    const id = known?.id ?? (await create('party.party', { name, addresses: [['create', [{ street: 'Dock 1' }]]] }))
    const found = await one(find('party.address', [['party', '=', id]], []))
    return { id, address: found.id }
  }
  const customer = await party('Shop customers')
  const supplier = await party('Weaver Ltd')
  const unit = await one(find('product.uom', [['symbol', '=', 'u']], []))
  const house = await one(
    find('stock.location', [['code', '=', 'WH']], ['input_location', 'storage_location', 'output_location']),
  )

  const productOf = async (sku: string): Promise<number> =>
    (await one(find('product.product', [['code', '=', sku]], []))).id

  const shipmentsOf = async ({ sale }: Sold): Promise<readonly Row[]> => {
    const { shipments } = await one(find('sale.sale', [['id', '=', sale]], ['shipments']))
    assert(Array.isArray(shipments))
    return await find('stock.shipment.out', [['id', 'in', shipments]], ['state'])
  }
  const openMoves = (line: number): Promise<readonly Row[]> =>
    find(
      'stock.move',
      [
        ['origin', '=', `purchase.line,${line}`],
        ['state', 'in', ['draft', 'assigned']],
      ],
      ['quantity', 'planned_date', 'shipment'],
    )

  return {
    tryton,
    house,
    productOf,

    /** A user of its own for whoever only reads, as docs/tryton.md has it made. */
    async makeReader(): Promise<{ readonly user: string; readonly password: string }> {
      const user = `holdfast-${randomUUID().slice(0, 8)}`
      const password = 'Reads-2x9Qp!'
      const groups = await find('res.group', [['name', 'in', ['Stock', 'Purchase', 'Sales']]], [])
      assert.equal(groups.length, 3, 'The groups Stock, Purchase and Sales')
      await create('res.user', {
        ...{ name: user, login: user, password, company: company.id },
        groups: [['add', groups.map(({ id }) => id)]],
        companies: [['add', [company.id]]],
      })
      return { user, password }
    },

    async makeProduct(sku: string): Promise<number> {
      await create('product.template', {
        name: sku,
        default_uom: unit.id,
        type: 'goods',
        list_price: decimal('10.00'),
        purchasable: true,
        purchase_uom: unit.id,
        salable: true,
        sale_uom: unit.id,
        products: [['create', [{ suffix_code: sku }]]],
      })
      return await productOf(sku)
    },

    /** Counts the storage zone: so many lie there. */
    async count(sku: string, units: number): Promise<void> {
      const product = await productOf(sku)
      const inventory = await create('stock.inventory', {
        location: house.storage_location,
        company: company.id,
        lines: [['create', [{ product, quantity: units }]]],
      })
      await press('stock.inventory', 'confirm', [inventory])
    },

    /** A confirmed purchase; without a day nobody knows when it comes. Returns the id of its line. */
    async buy(sku: string, units: number, day?: string): Promise<number> {
      const purchase = await create('purchase.purchase', {
        party: supplier.id,
        invoice_address: supplier.address,
        company: company.id,
        currency,
        warehouse: house.id,
        invoice_method: 'manual',
        ...(day === undefined ? {} : { delivery_date: trytonDay(day) }),
        lines: [
          [
            'create',
            [
              {
                product: await productOf(sku),
                quantity: units,
                unit: unit.id,
                unit_price: decimal('5.0000'),
                description: sku,
              },
            ],
          ],
        ],
      })
      await press('purchase.purchase', 'quote', [purchase])
      await press('purchase.purchase', 'confirm', [purchase])
      await press('purchase.purchase', 'process', [purchase])
      return (await one(find('purchase.line', [['purchase', '=', purchase]], []))).id
    },

    /** Says when the rest of a purchase line is expected; `undefined`: nobody knows. */
    async expect(line: number, day: string | undefined): Promise<void> {
      for (const move of await openMoves(line))
        await write('stock.move', move.id, { planned_date: day === undefined ? null : trytonDay(day) })
    },

    /** A delivery of so many units of a purchase line arrives; it is stored only by {@link store}. Returns the shipment. */
    async receive(line: number, units: number): Promise<number> {
      const move = await one(openMoves(line))
      const shipment = await create('stock.shipment.in', {
        supplier: supplier.id,
        company: company.id,
        warehouse: house.id,
        incoming_moves: [['add', [move.id]]],
      })
      await write('stock.move', move.id, { quantity: units })
      await press('stock.shipment.in', 'receive', [shipment])
      return shipment
    },

    /** What arrived is put on the shelf. */
    async store(shipment: number): Promise<void> {
      await press('stock.shipment.in', 'done', [shipment])
    },

    /** The connector hands an order over: a confirmed sale with a shipment that waits. */
    async sell(order: string, sku: string, units: number): Promise<Sold> {
      const sale = await create('sale.sale', {
        party: customer.id,
        invoice_address: customer.address,
        shipment_party: customer.id,
        shipment_address: customer.address,
        company: company.id,
        currency,
        warehouse: house.id,
        reference: order,
        invoice_method: 'manual',
        shipment_method: 'order',
        lines: [
          [
            'create',
            [
              {
                product: await productOf(sku),
                quantity: units,
                unit: unit.id,
                unit_price: decimal('10.0000'),
                description: sku,
              },
            ],
          ],
        ],
      })
      await press('sale.sale', 'quote', [sale])
      await press('sale.sale', 'confirm', [sale])
      await press('sale.sale', 'process', [sale])
      return { sale, line: (await one(find('sale.line', [['sale', '=', sale]], []))).id }
    },

    shipmentsOf,

    /** The warehouse binds units; returns whether all of them could be bound. A lock of a neighbour is tried again. */
    async assign(sold: Sold): Promise<boolean> {
      const waiting = (await shipmentsOf(sold)).filter(({ state }) => state === 'waiting').map(({ id }) => id)
      for (let attempt = 1; ; attempt += 1) {
        try {
          return (await press('stock.shipment.out', 'assign_try', waiting)) === true
        } catch (cause) {
          if (attempt >= 10 || !/could not (obtain lock|serialize)/.test(String(cause))) throw cause
        }
      }
    },

    async unassign(sold: Sold): Promise<void> {
      const ids = (await shipmentsOf(sold)).map(({ id }) => id)
      await press('stock.shipment.out', 'wait', ids)
    },

    async pick(sold: Sold): Promise<void> {
      const ids = (await shipmentsOf(sold)).filter(({ state }) => state === 'assigned').map(({ id }) => id)
      await press('stock.shipment.out', 'pick', ids)
    },

    /** Packed and gone. */
    async ship(sold: Sold): Promise<void> {
      const ids = (await shipmentsOf(sold)).filter(({ state }) => state === 'picked').map(({ id }) => id)
      await press('stock.shipment.out', 'pack', ids)
      await press('stock.shipment.out', 'done', ids)
    },

    /** The shipment is cancelled, and a person decides that the customer gets nothing. */
    async cancel(sold: Sold): Promise<void> {
      const ids = (await shipmentsOf(sold)).map(({ id }) => id)
      await press('stock.shipment.out', 'cancel', ids)
      await decide('sale.handle.shipment.exception', 'sale.sale', sold.sale)
    },
  }

  /** Answers the question of a wizard: nothing is made again. */
  async function decide(wizard: string, model: string, id: number): Promise<void> {
    const made = await call(`wizard.${wizard}.create`, [])
    assert(Array.isArray(made))
    const [session, start] = made
    const about = { active_model: model, active_id: id, active_ids: [id] }
    const shown = await call(`wizard.${wizard}.execute`, [session, {}, start], about)
    assert(typeof shown === 'object' && shown !== null && 'view' in shown)
    const { view } = shown
    assert(typeof view === 'object' && view !== null && 'defaults' in view && 'state' in view)
    const { defaults } = view
    assert(typeof defaults === 'object' && defaults !== null && 'domain_moves' in defaults)
    await call(
      `wizard.${wizard}.execute`,
      [session, { ask: { recreate_moves: [], domain_moves: defaults.domain_moves } }, 'handle'],
      about,
    )
    await call(`wizard.${wizard}.delete`, [session])
  }
}

async function one(rows: Promise<readonly Row[]>): Promise<Row> {
  const [row] = await rows
  assert(row, 'Tryton found nothing')
  return row
}
