import { describe, expect, test } from 'vitest'
import { recorded } from '../../../test/fixtures/recorded.ts'
import { instantOf, skuOf } from '../../core/ids.ts'
import { Failure } from '../../errors.ts'
import { memoryTokenStore } from './access-token.ts'
import { type AdminApi, adminApi } from './admin-api.ts'
import { shopCare } from './care.ts'

const URL = 'http://shop.example'

/** The care of a shop that answers with these, one after another; and what it was asked. */
function careOf(...answers: readonly { readonly status: number; readonly body?: unknown }[]) {
  const asked: { method: string; path: string; body: unknown }[] = []
  const left = [...answers]
  const api: AdminApi = adminApi({
    url: URL,
    apiKey: 'key',
    secretKey: 'secret',
    tokens: memoryTokenStore(),
    call: async (request) => {
      const path = request.url.slice(URL.length)
      const text = (value: unknown) => Buffer.from(value === undefined ? '' : JSON.stringify(value))
      if (path === '/api/oauth/token')
        return { status: 200, headers: {}, body: text({ access_token: 't', expires_in: 600, token_type: 'Bearer' }) }
      asked.push({ method: request.method, path, body: JSON.parse(String(request.body ?? 'null')) })
      const answer = left.shift() ?? { status: 500 }
      return { status: answer.status, headers: {}, body: text(answer.body) }
    },
  })
  const care = shopCare({ api, url: URL, pause: async () => undefined, inTurn: (work) => work() })
  return { care, asked }
}

describe('webhooks', () => {
  test('only those that lead to us are looked at', async () => {
    const row = {
      id: 'a',
      name: 'orderWritten',
      url: 'https://h.example/shopware/webhooks',
      active: false,
      errorCount: 4,
    }
    const { care } = careOf({
      status: 200,
      body: { data: [row, { ...row, id: 'b', url: 'https://erp.example/hooks' }] },
    })
    expect(await care.webhooks()).toEqual([{ id: 'a', name: 'orderWritten', isActive: false, failures: 4 }])
  })

  test('one is switched on, and a refusal is a failure', async () => {
    const { care, asked } = careOf({ status: 204 }, { status: 403 })
    await care.switchOn('abc')
    expect(asked).toEqual([{ method: 'PATCH', path: '/api/webhook/abc', body: { active: true } }])
    await expect(care.switchOn('abc')).rejects.toMatchObject({ code: 'SHOP_RIGHT_MISSING' })
  })

  test('lost deliveries are read back as hints, in whatever form the log keeps them', async () => {
    const product = recorded('product-written').body
    const order = recorded('order-written').body
    const rows = [
      { requestContent: { method: 'POST', body: product } },
      { requestContent: JSON.stringify({ body: order }) },
      { requestContent: { body: 'not JSON' } },
      { requestContent: null },
    ]
    const { care, asked } = careOf({ status: 200, body: { data: rows } })
    const news = await care.lostSince(instantOf(Date.UTC(2026, 10, 24, 6)))
    expect(news).toMatchObject({ deliveries: 4, orders: 1 })
    expect(news.productIds.length).toBeGreaterThan(0)
    expect(JSON.stringify(asked[0]?.body)).toContain('2026-11-24 06:00:00.000')
  })
})

describe('given back', () => {
  const row = (productId: string, closeOut: boolean | null) => ({ productId, sku: skuOf(productId), closeOut })

  test('is the merchant’s own setting, inherited ones too, and our mark goes', async () => {
    const { care, asked } = careOf({ status: 200, body: {} })
    expect(await care.giveBack([row('p1', null), row('p2', false)])).toMatchObject([
      { sku: 'p1', outcome: 'written' },
      { sku: 'p2', outcome: 'written' },
    ])
    expect(asked[0]?.body).toMatchObject({
      stock: {
        payload: [
          { id: 'p1', isCloseout: null, customFields: { holdfast_revision: null } },
          { id: 'p2', isCloseout: false, customFields: { holdfast_revision: null } },
        ],
      },
    })
  })

  test('a product that was deleted meanwhile is refused alone', async () => {
    const blank = { status: '400', code: 'x', detail: 'blank', source: { pointer: '/stock/0/taxId' } }
    const { care } = careOf({ status: 400, body: { errors: [blank] } }, { status: 200, body: {} })
    expect(await care.giveBack([row('gone', true), row('p2', true)])).toMatchObject([
      { sku: 'gone', outcome: 'refused' },
      { sku: 'p2', outcome: 'written' },
    ])
  })
})

test.each([
  [{ status: 204 }, undefined],
  [{ status: 404 }, undefined],
  [
    { status: 200, body: { oldUrl: 'http://a', newUrl: 'http://b' } },
    { was: 'http://a', is: 'http://b' },
  ],
])('whether the shop moved: %j', async (answer, told) => {
  expect(await careOf(answer).care.movedUrl()).toEqual(told)
})

test('the page cache is cleared, and a missing right is told', async () => {
  const { care, asked } = careOf({ status: 204 }, { status: 403 })
  await care.clearCache()
  expect(asked[0]).toMatchObject({ method: 'DELETE', path: '/api/_action/cache' })
  await expect(care.clearCache()).rejects.toBeInstanceOf(Failure)
})
