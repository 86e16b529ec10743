import { describe, expect, test } from 'vitest'
import { reduceWebhook } from './webhook.ts'

const LIVE = '0fa91ce3e96a4bc2be4bd9ce752c3425'
const ID = '5036c50575b84c4bb982223f4de9908d'

const hook = (event: unknown, payload: unknown, over: object = {}) =>
  reduceWebhook(
    Buffer.from(
      JSON.stringify({
        data: { payload, event },
        source: { url: 'https://nord.example', eventId: 'e1', shopId: 'shop-1', appVersion: '1.0.0' },
        timestamp: 1795423755,
        ...over,
      }),
    ),
  )

const row = (over: object = {}) => ({ entity: 'order', operation: 'update', primaryKey: ID, versionId: LIVE, ...over })

describe('a webhook', () => {
  test('of a draft is ignored with the reason', () => {
    const draft = hook('order.written', [row({ versionId: '00000000000000000000000000000001' })])
    expect(draft).toMatchObject({ kind: 'ignored', orderIds: [], ignoredBecause: expect.any(String) })
  })

  test('that nobody knows, or in another case, is ignored', () => {
    expect(hook('tax.written', [])).toMatchObject({ kind: 'ignored' })
    expect(hook('Order.Written', [row()])).toMatchObject({ kind: 'ignored' })
  })

  test('names each product once with all its fields', () => {
    const product = { entity: 'product', primaryKey: ID, versionId: LIVE }
    const rows = [
      { ...product, updatedFields: ['stock'] },
      { ...product, updatedFields: ['stock', 'customFields'] },
    ]
    expect(hook('product.written', rows)).toMatchObject({
      kind: 'product',
      products: [{ productId: ID, updatedFields: ['stock', 'customFields'] }],
    })
  })

  test('of ten thousand entities is read whole', () => {
    const rows = Array.from({ length: 10_000 }, (_, n) => row({ primaryKey: n.toString(16).padStart(32, '0') }))
    expect(hook('order.written', rows)).toMatchObject({ kind: 'order', orderIds: { length: 10_000 } })
  })

  test.each([[[]], [null], ['x'], [{}], [[null, 7, 'x', {}]], [[row({ primaryKey: '../x' })]]])(
    'with the payload %j is ignored, not an error',
    (payload) => {
      expect(hook('order.written', payload)).toMatchObject({ kind: 'ignored' })
      expect(hook('state_enter.order.state.open', payload)).toMatchObject({ kind: 'ignored' })
    },
  )

  test.each([
    ['missing', { timestamp: undefined }],
    ['no number', { timestamp: '1e9' }],
    ['negative', { timestamp: -1 }],
    ['in milliseconds', { timestamp: 1795423755000 }],
  ])('row 28: with a timestamp that is %s is unreadable', (_name, over) => {
    expect(hook('order.written', [row()], over)).toHaveProperty('unreadable')
  })

  test.each([[['a']], [{ a: 1 }], [7], [''], [null], ['a'.repeat(10_000)]])(
    'row 27: of the shop id %j is unreadable',
    (shopId) => {
      const source = { url: 'https://nord.example', eventId: 'e1', shopId }
      expect(hook('order.written', [row()], { source })).toHaveProperty('unreadable')
    },
  )

  test.each([['{'], [''], ['null'], ['[]'], ['"x"'], ['1'], ['[[]]'], ['{"__proto__":{"source":1}}']])(
    'row 41: the authentic junk %s is unreadable, so that nothing is deleted on doubt',
    (raw) => {
      expect(reduceWebhook(Buffer.from(raw))).toHaveProperty('unreadable')
    },
  )

  test('that is no UTF-8 is unreadable', () => {
    expect(reduceWebhook(Buffer.from([0x7b, 0xff, 0x7d]))).toHaveProperty('unreadable')
  })
})
