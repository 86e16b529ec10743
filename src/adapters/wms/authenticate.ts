/**
 * Whether a delivery comes from its source: Standard Webhooks, an HMAC header or a bearer token, over the raw body, compared in
 * constant time, with several secrets at once while they are rotated. Ours rather than a package's: it is forty lines, and the
 * package at hand neither takes several secrets nor says why it refused.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { Instant } from '../../core/ids.ts'
import type { SourceAuth } from './source-config.ts'

export type Headers = Readonly<Record<string, string | undefined>>

/** How far the sender's clock may be off. Standard Webhooks advises a tolerance against replay; its own libraries take five minutes. */
export const TIMESTAMP_TOLERANCE_MS = 5 * 60_000

const STANDARD = { id: 'webhook-id', timestamp: 'webhook-timestamp', signatures: 'webhook-signature' } as const
const MAX_ID = 255
/** A sender has one signature, two while a secret is exchanged; each costs us an HMAC over the body. */
const MAX_SIGNATURES = 8

/** Whether the headers alone leave it possible: what they rule out is refused before its body is read. */
export function mayBeAuthentic(auth: SourceAuth, headers: Headers): boolean {
  switch (auth.kind) {
    case 'standard-webhooks':
      return standardForm(headers) === true
    case 'hmac':
      return hmacForm(auth, headers) === true
    case 'bearer':
      return bearer(auth.tokenHashes, headers) === true
    case 'pulled':
      return false
  }
}

/**
 * Says `true`, or why not. The reason is for our log: the sender is told nothing but 401. The moment of a signed delivery is
 * judged apart, by {@link isFresh}: our clock is the database's, and nobody unproved makes us ask it.
 */
export function authenticate(auth: SourceAuth, headers: Headers, raw: Uint8Array): true | string {
  switch (auth.kind) {
    case 'standard-webhooks':
      return standardWebhooks(auth.secrets, headers, raw)
    case 'hmac':
      return hmac(auth, headers, raw)
    case 'bearer':
      return bearer(auth.tokenHashes, headers)
    case 'pulled':
      return 'the source is asked, it does not speak by itself'
  }
}

/** Whether an authentic delivery was signed just now: an older one may be somebody's recording. Only Standard Webhooks say when. */
export function isFresh(auth: SourceAuth, headers: Headers, now: Instant): true | string {
  if (auth.kind !== 'standard-webhooks') return true
  const seconds = Number(headers[STANDARD.timestamp])
  return Math.abs(seconds * 1000 - now) <= TIMESTAMP_TOLERANCE_MS || 'webhook-timestamp is too far from now'
}

function standardForm(headers: Headers): true | string {
  const id = headers[STANDARD.id]
  const timestamp = headers[STANDARD.timestamp]
  if (!id || !timestamp || !headers[STANDARD.signatures]) return 'a webhook header is missing'
  if (id.length > MAX_ID) return 'webhook-id is too long'
  if (!/^[0-9]{10}$/.test(timestamp)) return 'webhook-timestamp is not in seconds'
  return givenSignatures(headers).length > 0 || 'no v1 signature is given'
}

const givenSignatures = (headers: Headers): readonly Buffer[] =>
  (headers[STANDARD.signatures] ?? '')
    .split(' ', MAX_SIGNATURES)
    .flatMap((each) => (/^v1,[A-Za-z0-9+/]{43}=$/.test(each) ? [Buffer.from(each.slice(3), 'base64')] : []))

function standardWebhooks(secrets: readonly string[], headers: Headers, raw: Uint8Array): true | string {
  const form = standardForm(headers)
  if (form !== true) return form
  const given = givenSignatures(headers)
  const signed = secrets.map((secret) =>
    createHmac('sha256', keyOf(secret))
      .update(`${headers[STANDARD.id]}.${headers[STANDARD.timestamp]}.`)
      .update(raw)
      .digest(),
  )
  return signed.some((right) => given.some((each) => isSame(each, right))) || 'the signature does not match'
}

/** `whsec_` and base64, as Standard Webhooks writes its secrets. */
export const keyOf = (secret: string): Buffer => Buffer.from(secret.replace(/^whsec_/, ''), 'base64')

type Hmac = Extract<SourceAuth, { kind: 'hmac' }>

function hmacForm(auth: Hmac, headers: Headers): true | string {
  const text = headers[auth.header.toLowerCase()]
  if (!text) return `${auth.header} is missing`
  const pattern = auth.encoding === 'hex' ? /^[0-9a-f]{64}$/ : /^[A-Za-z0-9+/]{43}=$/
  return pattern.test(text) || `${auth.header} is no HMAC-SHA256 in ${auth.encoding}`
}

function hmac(auth: Hmac, headers: Headers, raw: Uint8Array): true | string {
  const form = hmacForm(auth, headers)
  if (form !== true) return form
  const given = Buffer.from(headers[auth.header.toLowerCase()] ?? '', auth.encoding)
  const matches = auth.secrets.some((secret) => isSame(given, createHmac('sha256', secret).update(raw).digest()))
  return matches || 'the signature does not match'
}

function bearer(hashes: readonly Buffer[], headers: Headers): true | string {
  const token = /^Bearer ([!-~]{16,256})$/.exec(headers.authorization ?? '')?.[1]
  if (token === undefined) return 'no bearer token'
  const given = createHash('sha256').update(token).digest()
  return hashes.some((each) => isSame(each, given)) || 'the token is unknown'
}

const isSame = (a: Buffer, b: Buffer): boolean => a.length === b.length && timingSafeEqual(a, b)
