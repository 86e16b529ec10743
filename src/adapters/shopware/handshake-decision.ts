/** What the two messages of the handshake have in common. */
import type { RegistrationRecord } from './registration-record.ts'
import type { HeaderValue } from './signature.ts'

/** Headers by lower-case name, as Node and Fastify give them. */
export type Headers = Readonly<Record<string, HeaderValue>>

/** Why the door stays shut; for metrics and logs, the buyer of the answer reads `error`. */
export type HandshakeRefusal =
  | 'MALFORMED'
  | 'UNAUTHENTIC'
  | 'STALE'
  | 'URL_REFUSED'
  | 'URL_UNKNOWN'
  | 'NOT_INVITED'
  | 'PROOF_MISSING'
  | 'SHOP_TAKEN'
  | 'VERSION_TOO_OLD'

/** An answer of the handshake; Shopware shows `error` to the person who installs. */
export type HandshakeAnswer = { readonly status: number; readonly body: Readonly<Record<string, string>> }

/** What follows from one message of the handshake. */
export type HandshakeDecision =
  | { readonly verdict: 'accepted'; readonly next: RegistrationRecord; readonly answer: HandshakeAnswer }
  /** Said before, nothing changes. */
  | { readonly verdict: 'repeated'; readonly answer: HandshakeAnswer }
  | { readonly verdict: 'refused'; readonly kind: HandshakeRefusal; readonly answer: HandshakeAnswer }

/** Shopware's own id of a shop, as it writes it. */
export const SHOP_ID = /^[A-Za-z0-9_-]{1,64}$/

/** The decision that changes nothing, with the text that Shopware shows to the person who installs. */
export const refuse = (kind: HandshakeRefusal, status: number, error: string): HandshakeDecision => ({
  verdict: 'refused',
  kind,
  answer: { status, body: { error } },
})
