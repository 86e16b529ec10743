import { describe, expect, test } from 'vitest'
import { trytonLook } from './look.ts'
import type { TrytonSession } from './session.ts'

type Move = { readonly id: number; readonly product: number; readonly state: string; readonly planned?: number }

const at = (second: number) => ({
  ...{ __class__: 'datetime', year: 2026, month: 11, day: 25, hour: 8, minute: 0 },
  ...{ second, microsecond: 500_000 },
})

/** A Tryton with a few rows. Products are called P1, P2, …; only what was written in a domain's time is found by it. */
function tryton() {
  const now = {
    day: 25,
    moves: [] as readonly Move[],
    changed: [] as readonly { readonly id: number; readonly product: number; readonly second: number }[],
    sale: { id: 7, second: 1 } as { readonly id: number; readonly second: number } | undefined,
    fails: undefined as string | undefined,
  }
  const asked: string[] = []
  const product = (id: number) => ({ id, code: `P${id}` })
  const session: TrytonSession = {
    async call(method, params) {
      const [domain, , limit] = params
      const text = JSON.stringify(domain)
      asked.push(`${method} ${text}`)
      if (method === 'model.ir.date.today') return { __class__: 'date', year: 2026, month: 11, day: now.day }
      if (now.fails !== undefined && method.includes(now.fails)) throw new Error('away')
      switch (method) {
        case 'model.sale.sale.search_read':
          return now.sale ? [{ id: now.sale.id, write_date: at(now.sale.second) }] : []
        case 'model.purchase.purchase.search_read':
          return []
        case 'model.product.product.search_read': {
          if (text.includes('"in",[true,false]') && !text.includes('["id","in"'))
            return text.includes('"OR"') ? [] : [1, 2, 3].map(product)
          const wanted = /\["id","in",\[([\d,]*)\]\]/.exec(text)?.[1]?.split(',').filter(Boolean).map(Number)
          return wanted ? wanted.map(product) : []
        }
        case 'model.stock.move.search_read': {
          if (limit === 1) return text === '[]' ? [{ id: 1, create_date: at(1) }] : []
          if (text.includes('["draft","assigned"]'))
            return now.moves.map(({ planned = null, ...move }) => ({
              ...move,
              ...{ internal_quantity: 1, planned_date: planned, shipment: null, write_date: null },
            }))
          return now.changed.map(({ id, product: of, second }) => ({
            ...{ id, product: of, create_date: at(second), write_date: null },
          }))
        }
        default:
          return []
      }
    },
  }
  return { now, asked, look: trytonLook(session) }
}

describe('a look', () => {
  test('finds every product at first, and then only what may have changed', async () => {
    const { look } = tryton()
    const first = await look(undefined)
    expect(first.skus).toEqual(['P1', 'P2', 'P3'])
    expect((await look(first.cursor)).skus).toEqual([])
  })

  test('finds what an open move became, and what of it was deleted, by comparing', async () => {
    const { now, look } = tryton()
    now.moves = [
      { id: 1, product: 1, state: 'draft' },
      { id: 2, product: 2, state: 'draft' },
    ]
    const first = await look(undefined)
    now.moves = [{ id: 1, product: 1, state: 'assigned' }]
    const second = await look(first.cursor)
    expect(second.skus).toEqual(['P1', 'P2'])
    expect((await look(second.cursor)).skus).toEqual([])
  })

  test('that was not used up is found again', async () => {
    const { now, look } = tryton()
    const first = await look(undefined)
    now.moves = [{ id: 1, product: 1, state: 'draft' }]
    await look(first.cursor)
    expect((await look(first.cursor)).skus).toEqual(['P1'])
  })

  test('that failed half-way is found again', async () => {
    const { now, look } = tryton()
    const first = await look(undefined)
    now.moves = [{ id: 1, product: 1, state: 'draft' }]
    now.fails = 'sale.line'
    await expect(look(first.cursor)).rejects.toThrow('away')
    now.fails = undefined
    expect((await look(first.cursor)).skus).toEqual(['P1'])
  })

  test('reads again from ten minutes before the newest change: what commits late bears an early time', async () => {
    const { now, asked, look } = tryton()
    now.changed = [{ id: 9, product: 3, second: 30 }]
    const first = await look(undefined)
    const second = await look(first.cursor)
    expect(second.skus).toEqual(['P3'])
    await look(second.cursor)
    const since = asked.filter(
      (each) => each.startsWith('model.stock.move.search_read') && each.includes('create_date",">="'),
    )
    expect(since.at(-1)).toContain('"hour":7,"minute":50,"second":30')
  })

  test('finds everything on another day of the server: moves that were dated ahead begin to count', async () => {
    const { now, look } = tryton()
    const first = await look(undefined)
    now.day = 26
    expect((await look(first.cursor)).skus).toEqual(['P1', 'P2', 'P3'])
  })

  test.each([
    ['is gone', undefined],
    ['is older than it was', { id: 7, second: 0 }],
  ])('notices that a sale which nothing can delete %s', async (what, sale) => {
    const { now, look } = tryton()
    const first = await look(undefined)
    now.sale = sale
    expect((await look(first.cursor)).restored).toContain(`sale.sale 7`)
    expect((await look(first.cursor)).restored).toContain(what)
  })

  test('takes a sale that was written since for no restore', async () => {
    const { now, look } = tryton()
    const first = await look(undefined)
    now.sale = { id: 7, second: 40 }
    expect((await look(first.cursor)).restored).toBeUndefined()
  })

  test('begins anew with a cursor that is none', async () => {
    const { look } = tryton()
    for (const cursor of [null, 'x', { changedAt: 'yesterday' }, { look: 1, changedAt: 1 }])
      expect((await look(cursor)).skus).toHaveLength(3)
  })
})
