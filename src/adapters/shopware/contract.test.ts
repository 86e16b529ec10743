import { describe, expect, test } from 'vitest'
import { APP_SECRET, recorded, recordedBytes, recordedNames, SHOP_SECRET } from '../../../test/fixtures/recorded.ts'
import { type GatewayCall, readGatewayCall } from './gateway.ts'
import { verifySignature } from './signature.ts'
import { reduceWebhook, type Webhook } from './webhook.ts'

const gateway = (name: string): GatewayCall => {
  const call = readGatewayCall(recordedBytes(name), recorded(name).headers['sw-user-language'])
  if ('unreadable' in call) throw new Error(call.unreadable)
  return call
}

const webhook = (name: string): Webhook => {
  const reduced = reduceWebhook(recordedBytes(name))
  if ('unreadable' in reduced) throw new Error(reduced.unreadable)
  return reduced
}

describe('the 27 recorded messages of a real Shopware 6.6.7.1', () => {
  test('are all there', () => expect(recordedNames).toHaveLength(27))

  test.each(recordedNames)('%s carries a signature that we verify over its raw bytes', (name) => {
    const { path, headers } = recorded(name)
    if (name === 'app-registration') {
      const rawQuery = path.split('?')[1] ?? ''
      expect(verifySignature(rawQuery, headers['shopware-app-signature'], [APP_SECRET])).toBe(true)
    } else {
      expect(verifySignature(recordedBytes(name), headers['shopware-shop-signature'], [SHOP_SECRET])).toBe(true)
    }
  })
})

describe('the recorded calls of the checkout gateway', () => {
  test('an order call carries its marker, its stamp and its line', () => {
    expect(gateway('checkout-gateway')).toEqual({
      shopwareShopId: 'dSdIBFaoTY0Q4At2',
      sourceUrl: 'http://127.0.0.1:8800',
      isOrderCall: true,
      isEditOrder: false,
      isAdminOrder: false,
      isConfirmPage: false,
      buyer: {
        address: 'x/12345/y/01a20796186c70c2aaff3a6ec9468235',
        mail: '8d0de56cd6b84a309b04cdd0205b66f2@ex.org',
      },
      cartBlocked: false,
      cartToken: '9ZrPdU84L6L8UYis7saj6QdZcVmSyqyL',
      language: 'en',
      lines: [
        {
          lineId: '01a207985e3d720a86027ec13f0a974b',
          lineKey: '1-01a207985e3d720a86027ec13f0a974b',
          productId: '5036c50575b84c4bb982223f4de9908d',
          sku: 'SKU-9',
          units: 2,
          label: expect.any(String),
        },
      ],
      unreadableLines: [],
    })
  })

  test('two lines of one product stay two lines, in a cart that a script has already stopped', () => {
    const call = gateway('checkout-gateway-two-lines')
    expect(call.lines.map(({ sku, units }) => ({ sku, units }))).toEqual([
      { sku: 'SKU-A', units: 1 },
      { sku: 'SKU-A', units: 3 },
    ])
    expect(call).toMatchObject({ isOrderCall: true, cartBlocked: true })
  })

  test.each([
    ['checkout-gateway-anonymous-cart', { isOrderCall: false, cartBlocked: false }, 1],
    ['checkout-gateway-confirm-page', { isOrderCall: false, cartBlocked: true }, 1],
    ['checkout-gateway-empty-cart', { isOrderCall: true, cartBlocked: false }, 0],
    ['checkout-gateway-admin-order', { isOrderCall: true, isAdminOrder: true }, 1],
    [
      'checkout-gateway-edit-order',
      { isOrderCall: false, isEditOrder: true, editsOrderId: '01a207b15e9670d4b4e8d7a5f1e47990' },
      1,
    ],
  ])('%s is known for what it is', (name, facts, lines) => {
    expect(gateway(name)).toMatchObject(facts)
    expect(gateway(name).lines).toHaveLength(lines)
  })

  test('only the edit-order page edits an order, and only the administration is the administration', () => {
    const names = recordedNames.filter((name) => name.startsWith('checkout-gateway'))
    expect(names.filter((name) => gateway(name).isEditOrder)).toEqual(['checkout-gateway-edit-order'])
    expect(names.filter((name) => gateway(name).isAdminOrder)).toEqual(['checkout-gateway-admin-order'])
  })
})

describe('the recorded webhooks', () => {
  test.each([
    ['checkout-order-placed', 'order', 1, 0],
    ['order-written', 'order', 1, 0],
    ['order-deleted', 'order', 1, 0],
    ['payment-method-changed', 'order', 1, 0],
    ['state-delivery-shipped', 'order', 1, 0],
    ['state-order-cancelled', 'order', 1, 0],
    ['state-order-open', 'order', 1, 0],
    ['state-transaction-cancelled', 'order', 1, 0],
    ['state-transaction-failed', 'order', 1, 0],
    ['state-transaction-open', 'order', 1, 0],
    ['state-transaction-paid', 'order', 1, 0],
    ['product-written', 'product', 0, 1],
    ['app-installed', 'lifecycle', 0, 0],
    ['app-updated', 'lifecycle', 0, 0],
    ['app-deactivated', 'lifecycle', 0, 0],
    ['app-deleted', 'lifecycle', 0, 0],
  ])('%s is a hint of kind %s', (name, kind, orders, products) => {
    const reduced = webhook(name)
    expect(reduced.kind).toBe(kind)
    expect(reduced.orderIds).toHaveLength(orders)
    expect(reduced.products).toHaveLength(products)
  })

  test('the order that was placed and the one that was written are one', () => {
    expect(webhook('checkout-order-placed').orderIds).toEqual(webhook('order-written').orderIds)
  })

  test('a written product says which fields were touched', () => {
    expect(webhook('product-written').products[0]?.updatedFields).toContain('stock')
  })

  test('nothing personal is kept of an order that carries its whole buyer', () => {
    const email = 'buyer@example.com'
    const raw = recorded('checkout-order-placed').body.replace(/"email":"[^"]*"/g, `"email":"${email}"`)
    expect(raw).toContain(email)
    const kept = JSON.stringify(reduceWebhook(Buffer.from(raw)))
    expect(kept).not.toContain(email)
    expect(kept.length).toBeLessThan(500)
  })

  test('what is no webhook of ours is unreadable, not an error', () => {
    for (const name of ['action-button', 'flow-action', 'checkout-gateway', 'app-confirmation']) {
      expect(reduceWebhook(recordedBytes(name))).toHaveProperty('unreadable')
    }
  })
})
