import { describe, expect, test } from 'vitest'
import { recorded, recordedBytes, SHOP_SECRET } from '../../../test/fixtures/recorded.ts'
import {
  isFresh,
  REPLAY_WINDOW_MS,
  secondsToMs,
  signBody,
  signerOf,
  verifyQuery,
  verifySignature,
} from './signature.ts'

const body = recordedBytes('order-written')
const signature = recorded('order-written').headers['shopware-shop-signature'] ?? ''
const accepts = (raw: string | Uint8Array, header: string | string[] | undefined, secrets: (string | undefined)[]) =>
  verifySignature(raw, header, secrets)

describe('a signature over raw bytes', () => {
  test('is HMAC-SHA256 as published in RFC 4231, test case 2', () => {
    expect(signBody('what do ya want for nothing?', 'Jefe')).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    )
  })

  test.each([
    ['missing', undefined],
    ['empty', ''],
    ['63 digits', signature.slice(1)],
    ['65 digits', `${signature}0`],
    ['no hex', `g${signature.slice(1)}`],
    ['upper case', signature.toUpperCase()],
    ['with a space', `${signature} `],
  ])('row 21: %s is refused', (_name, header) => {
    expect(accepts(body, header, [SHOP_SECRET])).toBe(false)
  })

  test('row 22: one changed byte and one byte more are refused', () => {
    const changed = Buffer.from(body)
    changed[100] = (changed[100] ?? 0) ^ 1
    expect(accepts(body, signature, [SHOP_SECRET])).toBe(true)
    expect(accepts(changed, signature, [SHOP_SECRET])).toBe(false)
    expect(accepts(Buffer.concat([body, Buffer.from('\n')]), signature, [SHOP_SECRET])).toBe(false)
  })

  test('row 23: the same JSON written anew by a proxy is refused', () => {
    expect(accepts(JSON.stringify(JSON.parse(body.toString())), signature, [SHOP_SECRET])).toBe(false)
  })

  test('row 24: the secret of another shop is refused', () => {
    expect(accepts(body, signBody(body, 'the secret of shop B'), [SHOP_SECRET])).toBe(false)
  })

  test('row 25: a signature with the app secret or with an empty one is refused, even where a shop has no secret', () => {
    expect(accepts(body, signBody(body, 'app-setup-secret'), [SHOP_SECRET])).toBe(false)
    expect(accepts(body, signBody(body, ''), [SHOP_SECRET])).toBe(false)
    expect(accepts(body, signBody(body, ''), [''])).toBe(false)
    expect(accepts(body, signBody(body, ''), [undefined])).toBe(false)
  })

  test('row 26: two signatures, as a list or joined by a comma, are refused', () => {
    expect(accepts(body, ['0'.repeat(64), signature], [SHOP_SECRET])).toBe(false)
    expect(accepts(body, `${signature}, ${signature}`, [SHOP_SECRET])).toBe(false)
    expect(accepts(body, [signature], [SHOP_SECRET])).toBe(false)
  })

  test('row 27: for a shop that nobody knows every signature is refused', () => {
    expect(accepts(body, signature, [])).toBe(false)
    expect(accepts(body, signBody(body, 'a secret that no shop has'), [])).toBe(false)
    expect(accepts(body, '0'.repeat(64), [])).toBe(false)
  })

  test('says which of two secrets made it while one is exchanged', () => {
    expect(signerOf(body, signature, ['new', SHOP_SECRET])).toBe(1)
    expect(signerOf(body, signature, [SHOP_SECRET, 'old'])).toBe(0)
    expect(signerOf(body, signature, [undefined, 'old'])).toBeUndefined()
  })
})

describe('a query that carries its own signature', () => {
  const signed = 'shop-id=a&shop-url=http://x%2Fy&timestamp=1795423752&new-one=%25'
  const query = `${signed}&shopware-shop-signature=${signBody(signed, SHOP_SECRET)}`

  test('is verified over the raw text, with parameters that we do not know', () => {
    expect(verifyQuery(query, [SHOP_SECRET])).toBe(true)
  })

  test('is refused when a parameter was added, left out, reordered or encoded anew', () => {
    expect(verifyQuery(`${query}&more=1`, [SHOP_SECRET])).toBe(false)
    expect(verifyQuery(query.replace('&new-one=%25', ''), [SHOP_SECRET])).toBe(false)
    expect(
      verifyQuery(query.replace('shop-id=a&shop-url=http://x%2Fy', 'shop-url=http://x%2Fy&shop-id=a'), [SHOP_SECRET]),
    ).toBe(false)
    expect(verifyQuery(query.replace('%2F', '/'), [SHOP_SECRET])).toBe(false)
  })

  test('is refused without a signature or with two', () => {
    expect(verifyQuery(signed, [SHOP_SECRET])).toBe(false)
    expect(verifyQuery(`${query}&shopware-shop-signature=${'0'.repeat(64)}`, [SHOP_SECRET])).toBe(false)
  })
})

describe('row 28: the moment inside a message', () => {
  const now = 1_795_423_755_000

  test('counts within five minutes either way, to the millisecond', () => {
    expect(isFresh(now - REPLAY_WINDOW_MS, now)).toBe(true)
    expect(isFresh(now + REPLAY_WINDOW_MS, now)).toBe(true)
    expect(isFresh(now - REPLAY_WINDOW_MS - 1, now)).toBe(false)
    expect(isFresh(now + REPLAY_WINDOW_MS + 1, now)).toBe(false)
    expect(isFresh(undefined, now)).toBe(false)
  })

  test.each([[1795423755], ['1795423755']])('%j is whole seconds', (seconds) => {
    expect(secondsToMs(seconds)).toBe(now)
  })

  test.each([
    ['1e9'],
    [-1795423755],
    [1795423755000],
    ['1795423755000'],
    [''],
    [null],
    [undefined],
    [1795423755.5],
    [{}],
  ])('%j is none', (seconds) => {
    expect(secondsToMs(seconds)).toBeUndefined()
  })
})
