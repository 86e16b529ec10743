/** Signatures of the app protocol: HMAC-SHA256 in lower-case hex, always over the raw bytes, never over something rebuilt. */
import { createHmac, timingSafeEqual } from 'node:crypto'

/** The header by which a shop signs what it sends. */
export const SHOP_SIGNATURE = 'shopware-shop-signature'
/** The header by which a shop proves its former secret while it confirms a new one. */
export const PREVIOUS_SHOP_SIGNATURE = 'shopware-shop-signature-previous'
/** The header by which a registering shop proves the app secret, and by which we sign our answers. */
export const APP_SIGNATURE = 'shopware-app-signature'

/** A header as a server hands it over: several of one name are never a signature. */
export type HeaderValue = string | readonly string[] | undefined

/**
 * Signs bytes as Shopware does.
 *
 * @param raw the exact bytes, or text that stands for its UTF-8
 * @returns 64 lower-case hex digits
 */
export function signBody(raw: string | Uint8Array, secret: string): string {
  return createHmac('sha256', secret).update(raw).digest('hex')
}

/**
 * Whether `header` signs `raw` with one of `secrets` (two are in force while a secret is exchanged).
 *
 * Takes as long for an unknown shop (no secrets) as for a wrong signature. Only a single header of exactly 64 lower-case hex
 * digits is looked at: Shopware sends no other form. An empty secret signs nothing.
 */
export function verifySignature(
  raw: string | Uint8Array,
  header: HeaderValue,
  secrets: readonly (string | undefined)[],
): boolean {
  return signerOf(raw, header, secrets) !== undefined
}

/**
 * Which of `secrets` made the signature.
 *
 * @returns the position in `secrets`, or `undefined` where none did
 */
export function signerOf(
  raw: string | Uint8Array,
  header: HeaderValue,
  secrets: readonly (string | undefined)[],
): number | undefined {
  const wellFormed = typeof header === 'string' && HEX_DIGEST.test(header)
  const given = Buffer.from(wellFormed ? header : NO_DIGEST, 'hex')
  let signer: number | undefined
  // Every secret is tried, and one that nobody knows where there is none, so that the time says nothing about the shop.
  const candidates = secrets.length === 0 ? [undefined] : secrets
  candidates.forEach((secret, position) => {
    const made = createHmac('sha256', secret || NOBODY)
      .update(raw)
      .digest()
    const equal = timingSafeEqual(made, given)
    if (equal && wellFormed && secret && signer === undefined) signer = position
  })
  return signer
}

/**
 * Whether a query that carries its own signature (`…&shopware-shop-signature=…`, administration modules) was signed with one of
 * `secrets`. The pair is cut out of the raw text; nothing is decoded, and unknown parameters count.
 */
export function verifyQuery(rawQuery: string, secrets: readonly (string | undefined)[]): boolean {
  const pairs = rawQuery.split('&')
  const isSignature = (pair: string) => pair.startsWith(`${SHOP_SIGNATURE}=`)
  const signatures = pairs.filter(isSignature)
  const signed = pairs.filter((pair) => !isSignature(pair)).join('&')
  const header = signatures.length === 1 ? signatures[0]?.slice(SHOP_SIGNATURE.length + 1) : undefined
  return verifySignature(signed, header, secrets)
}

/** How far the moment inside a signed message may be from ours, either way: Shopware stamps afresh at each attempt. */
export const REPLAY_WINDOW_MS = 5 * 60_000

/** Whether a message's own moment (ms) is near enough to `now` (ms) to be no replay; a missing one never is. */
export const isFresh = (sentAt: number | undefined, now: number): boolean =>
  sentAt !== undefined && Math.abs(now - sentAt) <= REPLAY_WINDOW_MS

/** A `timestamp` as Shopware writes it, whole seconds as number or digits, in ms; anything else is none. */
export function secondsToMs(timestamp: unknown): number | undefined {
  const text = typeof timestamp === 'number' ? String(timestamp) : timestamp
  // Ten digits: 2001 to 2286. Thirteen would be milliseconds, which Shopware never sends.
  return typeof text === 'string' && /^\d{10}$/.test(text) ? Number(text) * 1_000 : undefined
}

const HEX_DIGEST = /^[0-9a-f]{64}$/
const NO_DIGEST = '0'.repeat(64)
const NOBODY = 'a secret that no shop has'
