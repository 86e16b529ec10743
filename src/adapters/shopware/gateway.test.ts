import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { checkoutText, languageOf, MAX_MESSAGE_CHARACTERS } from '../../messages.ts'
import { gatewayAnswer, readGatewayCall, refuseCart } from './gateway.ts'
import { verifySignature } from './signature.ts'

const PRODUCT = '5036c50575b84c4bb982223f4de9908d'
const ORDER = '01a207b15e9670d4b4e8d7a5f1e47990'

const line = (over: object = {}): object => ({
  id: 'line-1',
  type: 'product',
  referencedId: PRODUCT,
  quantity: 2,
  label: 'Lamp',
  states: ['is-physical'],
  children: [],
  payload: { productNumber: 'SKU-9', customFields: [] },
  ...over,
})

const call = (cart: object, context: object = {}) =>
  readGatewayCall(
    Buffer.from(
      JSON.stringify({
        source: { url: 'https://nord.example', shopId: 'shop-1', appVersion: '1.0.0' },
        salesChannelContext: { context: { states: [], source: { type: 'sales-channel' }, ...context } },
        cart: { token: 'token', lineItems: [], errors: [], extensions: [], ...cart },
      }),
    ),
    'de-DE',
  )

const lines = (items: unknown) => {
  const read = call({ lineItems: items })
  if ('unreadable' in read) throw new Error(read.unreadable)
  return read
}

describe('a gateway call', () => {
  test('takes an empty list for an empty map and a map for a list, as PHP does', () => {
    expect(call({ extensions: [] })).toMatchObject({ isEditOrder: false, cartBlocked: false })
    expect(call({ lineItems: { 3: line() } })).toMatchObject({ lines: [{ sku: 'SKU-9' }] })
    expect(call({ errors: { a: { blockOrder: true, persistent: true } } })).toMatchObject({ cartBlocked: true })
    expect(call({}, { states: ['checkout-order-route'] })).toMatchObject({ isOrderCall: true })
    expect(call({}, { states: { 'checkout-order-route': 'checkout-order-route' } })).toMatchObject({
      isOrderCall: true,
    })
  })

  test.each([
    [{ blockOrder: true, persistent: false }, false],
    [{ blockOrder: false, persistent: true }, false],
    [{ blockOrder: true, persistent: true }, true],
    // As Shopware's own errors come: with `block` alone, and what is kept for the next calculation is not told.
    [{ messageKey: 'product-stock-reached', level: 10, block: true, blockResubmit: true }, true],
    [{ messageKey: 'product-stock-reached', level: 20, block: true, blockResubmit: true }, false],
    [{ messageKey: 'product-out-of-stock', level: 20, block: true, blockResubmit: true }, true],
    [{ messageKey: 'min-order-quantity', level: 10, block: true, blockResubmit: true }, true],
    [{ messageKey: 'purchase-steps-quantity', level: 10, block: true, blockResubmit: true }, true],
    [{ messageKey: 'product-out-of-stock', level: 20, block: false, blockResubmit: false }, false],
    [{ messageKey: 'shipping-method-blocked', level: 20, block: true, blockResubmit: true }, false],
    [{ messageKey: 'product-out-of-stock', level: 20, block: true, persistent: false }, false],
  ])('with the error %j is blocked for good: %s', (error, blocked) => {
    expect(call({ errors: [error] })).toMatchObject({ cartBlocked: blocked })
  })

  test('is of a confirm page where somebody is logged in and orders nothing yet, in the storefront or headless', () => {
    const recorded = (name: string) => {
      const file = new URL(`../../../test/fixtures/shopware-6.6.7.1/${name}.json`, import.meta.url)
      const { body }: { body: string } = JSON.parse(readFileSync(file, 'utf8'))
      return readGatewayCall(Buffer.from(body), 'de-DE')
    }
    expect(recorded('checkout-gateway-confirm-page')).toMatchObject({ isConfirmPage: true, isOrderCall: false })
    expect(recorded('checkout-gateway-anonymous-cart')).toMatchObject({ isConfirmPage: false, isOrderCall: false })
    expect(recorded('checkout-gateway')).toMatchObject({
      isConfirmPage: false,
      isOrderCall: true,
      buyer: { mail: expect.stringContaining('@'), address: expect.any(String) },
    })
    expect(recorded('checkout-gateway-edit-order')).toMatchObject({ isEditOrder: true })
    expect(recorded('checkout-gateway-admin-order')).toMatchObject({ isAdminOrder: true, isOrderCall: true })
  })

  test('of the edit-order page names its order', () => {
    const extensions = { originalId: { extensions: [], id: ORDER } }
    expect(call({ extensions })).toMatchObject({ isEditOrder: true, editsOrderId: ORDER })
  })

  test('brings nested lines to one level', () => {
    const container = line({ id: 'box', type: 'container', children: [line({ id: 'inner', quantity: 4 })] })
    expect(lines([container]).lines).toMatchObject([{ lineId: 'inner', units: 4 }])
  })

  test('leaves out what has no stock: promotions, credits, downloads', () => {
    const items = [
      line({ type: 'promotion' }),
      line({ type: 'credit' }),
      line({ type: 'custom' }),
      line({ states: ['is-download'] }),
    ]
    expect(lines(items)).toMatchObject({ lines: [], unreadableLines: [] })
  })

  test('tells lines that it cannot read instead of dropping them silently', () => {
    const items = [
      line({ id: 'a', payload: [] }),
      line({ id: 'b', quantity: 0 }),
      line({ id: 'c', quantity: 1.5 }),
      line({ id: 'd', quantity: '2' }),
      line({ id: 'e', referencedId: 'no id' }),
      line({ id: 'f', payload: { productNumber: 'a\u200bb' } }),
      line({ id: 'g', quantity: 2 ** 31 }),
    ]
    expect(lines(items)).toMatchObject({ lines: [], unreadableLines: ['a', 'b', 'c', 'd', 'e', 'f', 'g'] })
  })

  test('takes the stamp of a line only where it looks like one of ours', () => {
    const stamped = (holdfastKey: unknown) =>
      lines([line({ payload: { productNumber: 'SKU-9', holdfastKey } })]).lines[0]?.lineKey
    expect(stamped('122284756-1658350391-860f9fb52cef44827c86a54fa4a86b6d')).toBe(
      '122284756-1658350391-860f9fb52cef44827c86a54fa4a86b6d',
    )
    for (const odd of [7, '', 'short', 'a b c d e f g h', 'a'.repeat(129), null, {}, "'; drop table"]) {
      expect(stamped(odd)).toBeUndefined()
    }
  })

  test('writes ids in lower case and SKUs in their canonical form', () => {
    const items = [line({ referencedId: PRODUCT.toUpperCase(), payload: { productNumber: ' MU\u0308TZE ' } })]
    expect(lines(items).lines).toMatchObject([{ productId: PRODUCT, sku: 'MÜTZE' }])
  })

  test.each([
    ['no JSON', Buffer.from('{')],
    ['no UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
    ['null', Buffer.from('null')],
    ['a list', Buffer.from('[]')],
    ['a text', Buffer.from('"cart"')],
    ['without a cart', Buffer.from('{"source":{"url":"https://x.example","shopId":"a"}}')],
    ['without lines', Buffer.from('{"source":{"url":"https://x.example","shopId":"a"},"cart":{"token":"t"}}')],
    [
      'a shop id that is a list',
      Buffer.from('{"source":{"url":"u","shopId":["a"]},"cart":{"token":"t","lineItems":[]}}'),
    ],
  ])('row 27 and others: %s is unreadable, never an exception', (_name, raw) => {
    expect(readGatewayCall(raw, undefined)).toHaveProperty('unreadable')
  })

  test('of ten thousand levels of nesting ends', () => {
    const deep = `${'{"children":['.repeat(10_000)}${']}'.repeat(10_000)}`
    const body = `{"source":{"url":"u","shopId":"a"},"cart":{"token":"t","lineItems":[${deep}]}}`
    expect(readGatewayCall(Buffer.from(body), undefined)).toMatchObject({ lines: [] })
  })
})

describe('an answer', () => {
  const commands = refuseCart('de', [{ key: 'NOT_ENOUGH', leftUnits: 0, label: 'Lampe' }])

  test('is a bare JSON list whose payloads have exactly three keys', () => {
    const parsed: unknown = JSON.parse(gatewayAnswer(commands, 'secret').body)
    expect(parsed).toEqual([
      {
        command: 'add-cart-error',
        payload: { message: '„Lampe“ ist leider gerade ausverkauft.', blocking: true, level: 20 },
      },
    ])
  })

  test('without an objection is an empty list', () => {
    expect(gatewayAnswer([], 'secret').body).toBe('[]')
  })

  test('is signed over its exact bytes', () => {
    const { body, headers } = gatewayAnswer(commands, 'secret')
    expect(verifySignature(body, headers['shopware-app-signature'], ['secret'])).toBe(true)
    expect(verifySignature(`${body} `, headers['shopware-app-signature'], ['secret'])).toBe(false)
  })
})

describe('what a buyer reads', () => {
  test('says the numbers', () => {
    const message = { key: 'NOT_ENOUGH', leftUnits: 3, label: 'Lamp' } as const
    expect(checkoutText('en', message)).toBe('Only 3 of “Lamp” left. Please adjust the quantity.')
    expect(checkoutText('de', message)).toBe('„Lamp“ ist nur noch 3 Mal verfügbar. Bitte passen Sie die Menge an.')
    expect(checkoutText('en', { key: 'NOT_ENOUGH', leftUnits: 0 })).toBe('This item has just sold out, sorry.')
    expect(checkoutText('en', { key: 'PREVIOUS_ATTEMPT_OPEN', seconds: 4.2 })).toContain('5 seconds')
    expect(checkoutText('de', { key: 'PREVIOUS_ATTEMPT_OPEN', seconds: 0.3 })).toContain('in einer Sekunde')
  })

  test('is short whatever the product is called', () => {
    for (const language of ['de', 'en'] as const) {
      for (const label of ['x'.repeat(255), '😀'.repeat(120), 'a\r\nb\0c', '\u202eabc']) {
        const text = checkoutText(language, { key: 'NOT_ENOUGH', leftUnits: 2_147_483_647, label })
        expect([...text].length).toBeLessThanOrEqual(MAX_MESSAGE_CHARACTERS)
        expect(text).not.toMatch(/\p{C}/u)
      }
    }
  })

  test('exists in both languages for every key', () => {
    for (const key of ['ORDER_BEING_PLACED', 'UNDECIDED'] as const) {
      expect(checkoutText('de', { key })).not.toBe(checkoutText('en', { key }))
    }
  })

  test.each([
    ['de-DE', 'de'],
    ['de', 'de'],
    ['de-AT', 'de'],
    ['DE_de', 'de'],
    ['en-GB', 'en'],
    ['del-US', 'en'],
    ['fr-FR', 'en'],
    [undefined, 'en'],
  ] as const)('follows %s to %s', (header, language) => {
    expect(languageOf(header)).toBe(language)
  })
})
