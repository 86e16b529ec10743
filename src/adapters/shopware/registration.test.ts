import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { APP_SECRET, recorded, recordedBytes } from '../../../test/fixtures/recorded.ts'
import { type Instant, instantOf, after as later, shopOf } from '../../core/ids.ts'
import { decideConfirmation, shopIdOf } from './confirmation.ts'
import type { HandshakeDecision } from './handshake-decision.ts'
import {
  decideRegistration,
  newShopSecret,
  PENDING_MS,
  type RegistrationWorld,
  readRegistration,
} from './registration.ts'
import {
  acceptedSecrets,
  FORMER_SECRET_MS,
  REOPENED_MS,
  type RegistrationRecord,
  reopen,
  replaced,
  uninstalled,
} from './registration-record.ts'
import { signBody } from './signature.ts'

const NOW = instantOf(1_795_423_752_000)
const URL_NORD = 'https://nord.example'

type Said = {
  shopId?: string
  shopUrl?: string
  at?: Instant
  appSecret?: string
  provenBy?: string | undefined
  extra?: string
  version?: string
}

const request = (said: Said = {}) => {
  const { shopId = 'shop-1', shopUrl = URL_NORD, at = NOW, appSecret = APP_SECRET, provenBy, extra = '' } = said
  const rawQuery = `shop-id=${shopId}&shop-url=${shopUrl}&timestamp=${Math.floor(at / 1_000)}${extra}`
  const read = readRegistration(rawQuery, {
    'shopware-app-signature': signBody(rawQuery, appSecret),
    ...(said.version === undefined ? {} : { 'sw-version': said.version }),
    ...(provenBy === undefined ? {} : { 'shopware-shop-signature': signBody(rawQuery, provenBy) }),
  })
  if ('problem' in read) throw new Error(read.problem)
  return read
}

const world = (record?: RegistrationRecord, over: Partial<RegistrationWorld> = {}): RegistrationWorld => ({
  appSecret: APP_SECRET,
  confirmationUrl: 'https://holdfast.example/shopware/confirmation',
  policy: { allowPrivate: false },
  shopWithUrl: (url) => (url === URL_NORD ? shopOf('nord') : undefined),
  record,
  liveOfShop: () => (record?.live === undefined ? undefined : record),
  now: NOW,
  ...over,
})

const accepted = (decision: HandshakeDecision): RegistrationRecord => {
  if (decision.verdict !== 'accepted') throw new Error(JSON.stringify(decision))
  return decision.next
}

const KEYS = { apiKey: 'SWIAKEY', secretKey: 'c2VjcmV0' }

const confirm = (
  record: RegistrationRecord | undefined,
  signedBy: string | undefined,
  over: { previous?: string; body?: Record<string, unknown>; now?: Instant } = {},
) => {
  const raw = Buffer.from(
    JSON.stringify({ ...KEYS, timestamp: '1795423752', shopUrl: URL_NORD, shopId: 'shop-1', ...over.body }),
  )
  return decideConfirmation(
    raw,
    {
      ...(signedBy === undefined ? {} : { 'shopware-shop-signature': signBody(raw, signedBy) }),
      ...(over.previous === undefined ? {} : { 'shopware-shop-signature-previous': signBody(raw, over.previous) }),
    },
    record,
    over.now ?? NOW,
  )
}

/** A shop whose registration is confirmed. */
const confirmed = (): RegistrationRecord & { live: NonNullable<RegistrationRecord['live']> } => {
  const pending = accepted(decideRegistration(request(), world()))
  const next = accepted(confirm(pending, pending.pending?.secret))
  if (next.live === undefined) throw new Error('nothing in force')
  return { ...next, live: next.live }
}

describe('a first registration', () => {
  test('the recorded one is answered with the proof that Shopware computes', () => {
    const { path, headers } = recorded('app-registration')
    const read = readRegistration(path.split('?')[1] ?? '', headers)
    if ('problem' in read) throw new Error(read.problem)
    const decision = decideRegistration(
      read,
      world(undefined, { policy: { allowPrivate: true }, shopWithUrl: () => shopOf('nord') }),
    )
    expect(decision).toMatchObject({
      verdict: 'accepted',
      answer: {
        status: 200,
        body: {
          proof: createHmac('sha256', APP_SECRET).update('dSdIBFaoTY0Q4At2http://127.0.0.1:8800Holdfast').digest('hex'),
          confirmation_url: 'https://holdfast.example/shopware/confirmation',
        },
      },
    })
  })

  test('puts nothing in force before it is confirmed', () => {
    const pending = accepted(decideRegistration(request(), world()))
    expect(pending.live).toBeUndefined()
    expect(acceptedSecrets(pending, NOW)).toEqual([])
  })

  test('is in force with its credentials once it is confirmed', () => {
    const record = confirmed()
    expect(record.live).toMatchObject({ url: URL_NORD, credentials: KEYS })
    expect(record.pending).toBeUndefined()
    expect(acceptedSecrets(record, NOW)).toEqual([record.live.secret])
  })

  test('makes secrets of 96 hex digits that never repeat', () => {
    const secrets = Array.from({ length: 1_000 }, newShopSecret)
    expect(new Set(secrets).size).toBe(1_000)
    for (const secret of secrets) expect(secret).toMatch(/^[0-9a-f]{96}$/)
  })

  test('is refused where its signature or its moment is wrong, or no shop has its URL', () => {
    const kinds = [
      decideRegistration(request({ appSecret: 'other' }), world()),
      decideRegistration(request({ at: later(NOW, -301_000) }), world()),
      decideRegistration(request({ shopUrl: 'https://ost.example' }), world()),
      decideRegistration(request({ shopUrl: 'http://127.0.0.1' }), world()),
    ].map((decision) => decision.verdict === 'refused' && [decision.kind, decision.answer.status])
    expect(kinds).toEqual([
      ['UNAUTHENTIC', 401],
      ['STALE', 401],
      ['URL_UNKNOWN', 403],
      ['URL_REFUSED', 400],
    ])
  })

  test.each([
    ['6.6.7.0', 'accepted'],
    ['6.6.7.1', 'accepted'],
    ['6.6.10.2', 'accepted'],
    ['6.7.0.0-RC1', 'accepted'],
    ['7.0.0.0', 'accepted'],
    ['trunk', 'accepted'],
    [undefined, 'accepted'],
    ['6.6.6.9', 'refused'],
    ['6.5.8.12', 'refused'],
    ['5.9.9.9', 'refused'],
  ])('of the version %s is %s, for the order call must be marked', (version, verdict) => {
    expect(decideRegistration(request(version === undefined ? {} : { version }), world())).toMatchObject({ verdict })
  })

  test('row 37: a name in punycode is a shop only if it is configured', () => {
    const shopUrl = 'https://xn--mller-kva.example'
    expect(decideRegistration(request({ shopUrl }), world())).toMatchObject({ kind: 'URL_UNKNOWN' })
    const known = world(undefined, { shopWithUrl: (url) => (url === shopUrl ? shopOf('nord') : undefined) })
    expect(decideRegistration(request({ shopUrl }), known).verdict).toBe('accepted')
  })

  test('a parameter that we do not know is part of what is signed', () => {
    expect(decideRegistration(request({ extra: '&new-one=1' }), world()).verdict).toBe('accepted')
  })

  test.each([
    ['no shop-id', 'shop-url=https://nord.example&timestamp=1'],
    ['shop-id twice', 'shop-id=a&shop-id=b&shop-url=https://nord.example'],
    ['shop-id as a path', 'shop-id=../x&shop-url=https://nord.example'],
    ['no shop-url', 'shop-id=a'],
    ['10 MB of shop-id', `shop-id=${'a'.repeat(10_000_000)}&shop-url=https://nord.example`],
  ])('row 27: %s is no registration', (_name, query) => {
    expect(readRegistration(query, {})).toHaveProperty('problem')
  })
})

describe('row 39: the URL as received and as kept', () => {
  test('the proof is made over the received text, the normal form is kept', () => {
    const shopUrl = 'https://nord.example//'
    const decision = decideRegistration(request({ shopUrl }), world())
    const pending = accepted(decision)
    expect(decision.answer.body.proof).toBe(
      createHmac('sha256', APP_SECRET).update(`shop-1${shopUrl}Holdfast`).digest('hex'),
    )
    const next = accepted(confirm(pending, pending.pending?.secret, { body: { shopUrl } }))
    expect(next.live?.url).toBe(URL_NORD)
  })
})

describe('a confirmed shop that registers again', () => {
  test('row 32: with the app signature alone is refused and stays as it is', () => {
    const decision = decideRegistration(request(), world(confirmed()))
    expect(decision).toMatchObject({ verdict: 'refused', kind: 'PROOF_MISSING', answer: { status: 401 } })
    expect(decision).not.toHaveProperty('next')
  })

  test('row 33: with a wrong proof, or one of another shop, is refused', () => {
    for (const provenBy of ['wrong', APP_SECRET, confirmed().live.secret]) {
      expect(decideRegistration(request({ provenBy }), world(confirmed()))).toMatchObject({ kind: 'PROOF_MISSING' })
    }
  })

  test('row 33: a wrong proof is refused even where an operator has opened the shop', () => {
    const opened = reopen(confirmed(), NOW)
    expect(decideRegistration(request({ provenBy: 'wrong' }), world(opened))).toMatchObject({ kind: 'PROOF_MISSING' })
  })

  test('with proof of its secret gets a new one, which is in force only after both are proved', () => {
    const before = confirmed()
    const pending = accepted(decideRegistration(request({ provenBy: before.live.secret }), world(before)))
    const secret = pending.pending?.secret
    expect(secret).not.toBe(before.live.secret)
    expect(acceptedSecrets(pending, NOW)).toEqual([before.live.secret])
    expect(confirm(pending, secret)).toMatchObject({
      verdict: 'refused',
      kind: 'PROOF_MISSING',
      answer: { status: 401 },
    })
    expect(confirm(pending, secret, { previous: 'wrong' })).toMatchObject({ kind: 'PROOF_MISSING' })
    const next = accepted(confirm(pending, secret, { previous: before.live.secret }))
    expect(next.live?.secret).toBe(secret)
  })

  test('row 31: the former secret is accepted for 60 s after the exchange and not a millisecond longer', () => {
    const before = confirmed()
    const pending = accepted(decideRegistration(request({ provenBy: before.live.secret }), world(before)))
    const next = accepted(confirm(pending, pending.pending?.secret, { previous: before.live.secret }))
    expect(acceptedSecrets(next, later(NOW, 30_000))).toContain(before.live.secret)
    expect(acceptedSecrets(next, later(NOW, FORMER_SECRET_MS))).toEqual([next.live?.secret])
    expect(acceptedSecrets(next, later(NOW, 3_600_000))).toEqual([next.live?.secret])
  })

  test('a shop that lost our answer proves itself with the secret that was pending', () => {
    const before = confirmed()
    const lost = accepted(decideRegistration(request({ provenBy: before.live.secret }), world(before)))
    const again = accepted(decideRegistration(request({ provenBy: lost.pending?.secret }), world(lost)))
    expect(accepted(confirm(again, again.pending?.secret, { previous: lost.pending?.secret ?? '' })).live?.secret).toBe(
      again.pending?.secret,
    )
  })

  test('a pending secret that was given without proof proves nothing once the hour is over', () => {
    const opened = reopen(confirmed(), NOW)
    const pending = accepted(decideRegistration(request(), world(opened)))
    const late = later(NOW, REOPENED_MS)
    const again = request({ provenBy: pending.pending?.secret, at: late })
    expect(decideRegistration(again, world(pending, { now: late }))).toMatchObject({ kind: 'PROOF_MISSING' })
  })

  test('under another Shopware shop id is refused while the first one is in force', () => {
    const first = confirmed()
    const decision = decideRegistration(request({ shopId: 'shop-2' }), world(undefined, { liveOfShop: () => first }))
    expect(decision).toMatchObject({ kind: 'SHOP_TAKEN', answer: { status: 409 } })
    const opened = world(undefined, { liveOfShop: () => reopen(first, NOW) })
    expect(decideRegistration(request({ shopId: 'shop-2' }), opened).verdict).toBe('accepted')
    expect(acceptedSecrets(replaced(first), NOW)).toEqual([])
  })

  test("without proof is let in by an operator's word, once and for an hour", () => {
    const opened = reopen(confirmed(), NOW)
    const pending = accepted(decideRegistration(request(), world(opened)))
    const next = accepted(confirm(pending, pending.pending?.secret))
    expect(decideRegistration(request(), world(next))).toMatchObject({ kind: 'PROOF_MISSING' })
    const late = later(NOW, REOPENED_MS)
    expect(decideRegistration(request({ at: late }), world(opened, { now: late }))).toMatchObject({
      kind: 'PROOF_MISSING',
    })
  })
})

describe('a confirmation', () => {
  test('row 34: signed with the former secret is refused', () => {
    const before = confirmed()
    const pending = accepted(decideRegistration(request({ provenBy: before.live.secret }), world(before)))
    const decision = confirm(pending, before.live.secret, { body: { apiKey: 'OTHER' } })
    expect(decision).toMatchObject({ verdict: 'refused', answer: { status: 401 } })
  })

  test('row 34: twice changes nothing the second time', () => {
    const record = confirmed()
    expect(confirm(record, record.live.secret)).toEqual({
      verdict: 'repeated',
      answer: { status: 200, body: { state: 'confirmed' } },
    })
    expect(confirm(record, record.live.secret, { body: { apiKey: 'OTHER' } })).toMatchObject({ kind: 'UNAUTHENTIC' })
  })

  test('row 34: before any registration is refused', () => {
    expect(confirm(undefined, 'guess')).toMatchObject({ verdict: 'refused', answer: { status: 401 } })
    expect(confirm(undefined, undefined)).toMatchObject({ verdict: 'refused', answer: { status: 401 } })
  })

  test('row 35: with a wrong signature is refused and the shop stays', () => {
    const record = confirmed()
    const decision = confirm(record, 'wrong')
    expect(decision).toMatchObject({ verdict: 'refused', answer: { status: 401 } })
    expect(decision).not.toHaveProperty('next')
  })

  test('row 36: of two registrations at once only the newer is confirmed, and the secret in force goes on', () => {
    const before = confirmed()
    const proven = request({ provenBy: before.live.secret })
    const first = accepted(decideRegistration(proven, world(before)))
    const second = accepted(decideRegistration(proven, world(first)))
    expect(confirm(second, first.pending?.secret, { previous: before.live.secret })).toMatchObject({
      kind: 'UNAUTHENTIC',
    })
    expect(acceptedSecrets(second, NOW)).toEqual([before.live.secret])
    expect(confirm(second, second.pending?.secret, { previous: before.live.secret }).verdict).toBe('accepted')
  })

  test.each([
    ['empty', ''],
    ['1 MB', 'k'.repeat(1_000_000)],
    ['with a line end', 'key\nmore'],
    ['with NUL', 'key\0'],
    ['no text', 7],
    ['missing', undefined],
  ])('row 40: an apiKey or secretKey that is %s is refused and nothing is kept', (_name, value) => {
    const pending = accepted(decideRegistration(request(), world()))
    for (const body of [{ apiKey: value }, { secretKey: value }]) {
      const decision = confirm(pending, pending.pending?.secret, { body })
      expect(decision).toMatchObject({ verdict: 'refused', kind: 'MALFORMED', answer: { status: 400 } })
    }
  })

  test('row 24: that names another shop is refused', () => {
    const pending = accepted(decideRegistration(request(), world()))
    expect(confirm(pending, pending.pending?.secret, { body: { shopId: 'shop-2' } })).toMatchObject({
      kind: 'UNAUTHENTIC',
    })
  })

  test('that names another URL than its registration is refused', () => {
    const pending = accepted(decideRegistration(request(), world()))
    const decision = confirm(pending, pending.pending?.secret, { body: { shopUrl: 'https://evil.example' } })
    expect(decision).toMatchObject({ kind: 'MALFORMED' })
  })

  test('that comes too late finds nothing to confirm', () => {
    const pending = accepted(decideRegistration(request(), world()))
    expect(confirm(pending, pending.pending?.secret, { now: later(NOW, PENDING_MS) })).toMatchObject({
      kind: 'UNAUTHENTIC',
    })
  })

  test('names the shop to look for, and only a plain one', () => {
    expect(shopIdOf(recordedBytes('app-confirmation'))).toBe('dSdIBFaoTY0Q4At2')
    for (const shopId of [['a'], { a: 1 }, 7, '../x', 'a'.repeat(1_000), '', null]) {
      expect(shopIdOf(Buffer.from(JSON.stringify({ shopId })))).toBeUndefined()
    }
    expect(shopIdOf(Buffer.from('no json'))).toBeUndefined()
    expect(shopIdOf(Buffer.from([0xff, 0xfe]))).toBeUndefined()
  })
})

describe('row 41: an app that was uninstalled', () => {
  const appDeleted = (over: object = {}, event = 'app.deleted') =>
    Buffer.from(
      JSON.stringify({
        data: { payload: [], event },
        source: { url: `${URL_NORD}/`, eventId: 'e1', shopId: 'shop-1', ...over },
        timestamp: 1795423752,
      }),
    )
  const raw = appDeleted()

  test('loses its credentials and may register again without proof', () => {
    const record = confirmed()
    const gone = uninstalled(record, raw, signBody(raw, record.live.secret), NOW)
    expect(gone?.live).toBeUndefined()
    expect(JSON.stringify(gone)).not.toContain(KEYS.secretKey)
    expect(decideRegistration(request(), world(gone)).verdict).toBe('accepted')
    // Shopware 6.6 signs the first webhooks of the next installation with the old secret.
    expect(acceptedSecrets(gone, later(NOW, 59_999))).toEqual([record.live.secret])
  })

  test.each([
    ['broken JSON', Buffer.from('{"data":{"event":"app.deleted"')],
    ['another event', appDeleted({}, 'app.deactivated')],
    ['a copy of the shop under another URL', appDeleted({ url: 'https://staging.example' })],
    ['another shop', appDeleted({ shopId: 'shop-2' })],
  ])('stays what it is after %s, however well signed', (_name, doubtful) => {
    const record = confirmed()
    expect(uninstalled(record, doubtful, signBody(doubtful, record.live.secret), NOW)).toBeUndefined()
  })

  test('is not believed without the secret in force', () => {
    const before = confirmed()
    const pending = accepted(decideRegistration(request({ provenBy: before.live.secret }), world(before)))
    const next = accepted(confirm(pending, pending.pending?.secret, { previous: before.live.secret }))
    expect(uninstalled(next, raw, signBody(raw, before.live.secret), NOW)).toBeUndefined()
    expect(uninstalled(next, raw, undefined, NOW)).toBeUndefined()
  })
})
