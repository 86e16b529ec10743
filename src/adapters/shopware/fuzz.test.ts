import fc from 'fast-check'
import { expect, test } from 'vitest'
import { recordedBytes } from '../../../test/fixtures/recorded.ts'
import { readGatewayCall } from './gateway.ts'
import { claimedShopIds } from './handshake.ts'
import { readRegistration } from './registration.ts'
import { checkShopUrl } from './shop-url.ts'
import { signBody, verifySignature } from './signature.ts'
import { reduceWebhook } from './webhook.ts'

const bytes = fc.uint8Array({ maxLength: 300 })

test('no bytes make a reader throw', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        bytes,
        fc.json().map((text) => Buffer.from(text)),
      ),
      (raw) => {
        readGatewayCall(raw, undefined)
        reduceWebhook(raw)
        claimedShopIds(raw)
      },
    ),
  )
})

test('no text makes a shop-url or a registration throw, and a good one is its own normal form', () => {
  const parts = fc.oneof(fc.string({ unit: 'binary' }), fc.webUrl(), fc.constantFrom('http://', '//', '@', '[', ':22'))
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 4 }), (some) => {
      const text = some.join('')
      readRegistration(text, {})
      const checked = checkShopUrl(text, { allowPrivate: true })
      if ('url' in checked) expect(checkShopUrl(checked.url, { allowPrivate: true })).toEqual(checked)
    }),
  )
})

test('a value of any kind in any place of a recorded call is read or refused, never an exception', () => {
  const recorded: unknown = JSON.parse(recordedBytes('checkout-gateway').toString())
  const cart = (recorded as { cart: { lineItems: Record<string, unknown>[] } }).cart
  const odd = fc.jsonValue({ maxDepth: 2 })
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(cart)), odd, (field, value) => {
      const body = JSON.stringify({ ...(recorded as object), cart: { ...cart, [field]: value } })
      const call = readGatewayCall(Buffer.from(body), undefined)
      if (!('unreadable' in call)) for (const line of call.lines) expect(line.units).toBeGreaterThan(0)
    }),
    { numRuns: 60 },
  )
})

test('a signature fits its bytes and its secret alone', () => {
  fc.assert(
    fc.property(bytes, bytes, fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (a, b, secret, other) => {
      const header = signBody(a, secret)
      expect(verifySignature(a, header, [secret])).toBe(true)
      expect(verifySignature(b, header, [secret])).toBe(Buffer.from(a).equals(Buffer.from(b)))
      // HMAC fills a short key up with zero bytes, so secrets that differ only by those are one.
      expect(verifySignature(a, header, [other])).toBe(secret.replace(/\0+$/, '') === other.replace(/\0+$/, ''))
    }),
  )
})
