import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { checkConfiguration } from '../../app/configuration-file.ts'
import { instantOf } from '../../core/ids.ts'
import { authenticate, isFresh, mayBeAuthentic } from './authenticate.ts'
import { NOW, OLD_SECRET, SECRET, sha256, signed } from './door-fixture.ts'
import type { SourceAuth } from './source-config.ts'
import { sourceConfigOf } from './source-config.ts'

const standard: SourceAuth = { kind: 'standard-webhooks', secrets: [SECRET] }
const body = Buffer.from('{"sku":"A","available_stock":1}')
const proof = (headers: Record<string, string | undefined>, raw = body, auth: SourceAuth = standard) =>
  authenticate(auth, headers, raw)

describe('Standard Webhooks', () => {
  test('are signed as published', () => {
    // The example of the specification: id, timestamp, body and secret are theirs, the signature is computed by their rule.
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
    const text = '{"test": 2432232314}'
    const headers = {
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    }
    expect(authenticate({ kind: 'standard-webhooks', secrets: [secret] }, headers, Buffer.from(text))).toBe(true)
  })

  test('row 21: without a signature, with an empty one, one digit short or long, or in another form are refused', () => {
    const good = signed(body)
    const signature = good['webhook-signature'] ?? ''
    for (const wrong of [
      undefined,
      '',
      'v1,',
      `${signature}A`,
      signature.slice(0, -1),
      signature.slice(3),
      'v1,*'.padEnd(47, 'A'),
      signature.replace('v1', 'V1'),
    ]) {
      expect(proof({ ...good, 'webhook-signature': wrong })).toEqual(expect.any(String))
    }
  })

  test('row 22: one changed byte and one byte more are refused', () => {
    expect(proof(signed(body))).toBe(true)
    expect(proof(signed(body), Buffer.from(body.toString().replace('1', '9')))).toEqual(expect.any(String))
    expect(proof(signed(body), Buffer.from(`${body}\n`))).toEqual(expect.any(String))
  })

  test('row 23: the same JSON written anew by a proxy is refused', () =>
    expect(proof(signed(body), Buffer.from('{"available_stock":1,"sku":"A"}'))).toEqual(expect.any(String)))

  test('rows 24 and 25: the secret of another source, and an empty one, are refused', () => {
    expect(proof(signed(body, { secret: OLD_SECRET }))).toEqual(expect.any(String))
    expect(proof(signed(body, { secret: 'whsec_' }))).toEqual(expect.any(String))
  })

  test('row 26: a list with a comma is refused; the list of the standard is separated by blanks, up to eight', () => {
    const good = signed(body)['webhook-signature'] ?? ''
    const other = signed(body, { secret: OLD_SECRET })['webhook-signature'] ?? ''
    const given = (list: string) => proof({ ...signed(body), 'webhook-signature': list })
    expect(given(`${other},${good}`)).toEqual(expect.any(String))
    expect(given(`${other} ${good}`)).toBe(true)
    expect(given(`v1a,ed25519 ${good}`)).toBe(true)
    expect(given(`${`${other} `.repeat(8)}${good}`)).toEqual(expect.any(String))
  })

  test('row 26: the id and the moment are signed too', () => {
    expect(proof({ ...signed(body), 'webhook-id': 'msg-2' })).toEqual(expect.any(String))
    expect(proof({ ...signed(body), 'webhook-timestamp': String(NOW / 1000 + 1) })).toEqual(expect.any(String))
    expect(proof({ ...signed(body), 'webhook-id': undefined })).toEqual(expect.any(String))
    expect(proof(signed(body, { id: 'x'.repeat(256) }))).toEqual(expect.any(String))
  })

  test('row 28: count within five minutes either way, to the second', () => {
    const fresh = (seconds: number) => isFresh(standard, signed(body, { seconds: String(seconds) }), NOW)
    expect(fresh(NOW / 1000 - 300)).toBe(true)
    expect(fresh(NOW / 1000 + 300)).toBe(true)
    expect(fresh(NOW / 1000 - 301)).toEqual(expect.any(String))
    expect(fresh(NOW / 1000 + 301)).toEqual(expect.any(String))
  })

  test.each([undefined, '', '1e9', '-1795420800', '1795420800000', '1795420800.5', ' 1795420800', '0x6b03f0c0'])(
    'row 28: the moment %j is none, although it is signed',
    (seconds) => {
      const headers = signed(body, { seconds: seconds ?? '' })
      expect(proof({ ...headers, 'webhook-timestamp': seconds })).toEqual(expect.any(String))
    },
  )

  test('row 31: while a secret is exchanged the old one and the new one count, and afterwards the old one does not', () => {
    const both: SourceAuth = { kind: 'standard-webhooks', secrets: [SECRET, OLD_SECRET] }
    expect(proof(signed(body, { secret: OLD_SECRET }), body, both)).toBe(true)
    expect(proof(signed(body), body, both)).toBe(true)
    expect(proof(signed(body, { secret: OLD_SECRET }))).toEqual(expect.any(String))
  })
})

describe('an HMAC header', () => {
  const auth = (encoding: 'hex' | 'base64'): SourceAuth => ({
    kind: 'hmac',
    header: 'X-Wms-Hmac-Sha256',
    encoding,
    secrets: ['a-secret-of-sixteen', 'the-former-secret'],
  })
  const headers = (encoding: 'hex' | 'base64', secret = 'a-secret-of-sixteen') => ({
    'x-wms-hmac-sha256': createHmac('sha256', secret).update(body).digest(encoding),
  })

  test.each(['hex', 'base64'] as const)(
    'in %s proves the raw body, by the present and the former secret',
    (encoding) => {
      expect(authenticate(auth(encoding), headers(encoding), body)).toBe(true)
      expect(authenticate(auth(encoding), headers(encoding, 'the-former-secret'), body)).toBe(true)
      expect(authenticate(auth(encoding), headers(encoding, 'a-third-secret-xx'), body)).toEqual(expect.any(String))
      expect(authenticate(auth(encoding), headers(encoding), Buffer.from(`${body} `))).toEqual(expect.any(String))
      expect(isFresh(auth(encoding), headers(encoding), instantOf(0))).toBe(true)
    },
  )

  test('row 21: 63 or 65 digits, no digits, and digits in upper case are refused', () => {
    const { 'x-wms-hmac-sha256': good = '' } = headers('hex')
    for (const wrong of ['', good.slice(1), `${good}0`, good.toUpperCase(), 'g'.repeat(64)]) {
      expect(authenticate(auth('hex'), { 'x-wms-hmac-sha256': wrong }, body)).toEqual(expect.any(String))
    }
    expect(authenticate(auth('hex'), {}, body)).toEqual(expect.any(String))
  })
})

describe('a bearer token', () => {
  const auth: SourceAuth = { kind: 'bearer', tokenHashes: [sha256('the-token-of-the-wms')] }

  test('is compared as its hash', () => {
    expect(proof({ authorization: 'Bearer the-token-of-the-wms' }, body, auth)).toBe(true)
    expect(proof({ authorization: 'Bearer the-token-of-the-wmt' }, body, auth)).toEqual(expect.any(String))
  })

  test.each([
    undefined,
    '',
    'bearer the-token-of-the-wms',
    'Bearer the-token-of-the-wms ',
    'Bearer  the-token-of-the-wms',
    'Basic the-token-of-the-wms',
    `Bearer ${'x'.repeat(100_000)}`,
  ])('row 43: %j is none', (authorization) => expect(proof({ authorization }, body, auth)).toEqual(expect.any(String)))
})

describe('the headers alone', () => {
  test('row 27: rule out what cannot be authentic before a body is read', () => {
    expect(mayBeAuthentic(standard, signed(body))).toBe(true)
    expect(mayBeAuthentic(standard, { ...signed(body), 'webhook-signature': undefined })).toBe(false)
    expect(mayBeAuthentic(standard, { ...signed(body), 'webhook-timestamp': 'now' })).toBe(false)
    expect(
      mayBeAuthentic(
        { kind: 'bearer', tokenHashes: [sha256('the-token-of-the-wms')] },
        { authorization: 'Bearer another-token-16' },
      ),
    ).toBe(false)
    expect(
      mayBeAuthentic(
        { kind: 'hmac', header: 'X-Sig', encoding: 'hex', secrets: ['s'.repeat(16)] },
        { 'x-sig': 'a'.repeat(64) },
      ),
    ).toBe(true)
  })
})

describe('the secret of a source', () => {
  const checked = checkConfiguration({
    sources: {
      wms: {
        semantics: 'net',
        auth: { kind: 'standard-webhooks', secretFrom: { env: 'WMS' } },
        defaultWarehouse: 'main',
      },
    },
    warehouses: { main: { source: 'wms', zone: 'Europe/Berlin' } },
    shops: {},
  })
  if (!('document' in checked)) throw new Error('wrong')
  const withSecret = (secret: string | undefined) => sourceConfigOf('wms', checked.document, () => secret)

  test('may be several, separated by blanks', () =>
    expect(withSecret(`${SECRET} ${OLD_SECRET}`)).toMatchObject({
      source: { auth: { secrets: [SECRET, OLD_SECRET] } },
    }))

  test.each([undefined, '', '  '])('row 25: %j opens no door', (secret) =>
    expect(withSecret(secret)).toEqual({ missing: expect.stringContaining('WMS') }),
  )

  test.each(['whsec_', 'whsec_AAAA', '!!!!', `${SECRET} whsec_`])(
    'row 25: %j decodes to a key that can be guessed, and opens no door',
    (secret) => expect(withSecret(secret)).toEqual({ missing: expect.stringMatching(/WMS .*16 bytes/) }),
  )
})
