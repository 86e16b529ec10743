/** The second message of the handshake: the shop proves the new secret, and it is in force. */
import { after, type Instant } from '../../core/ids.ts'
import { type HandshakeAnswer, type HandshakeDecision, type Headers, refuse, SHOP_ID } from './handshake-decision.ts'
import { decodeUtf8, fieldOf, parseJson, textOf } from './pick.ts'
import { FORMER_SECRET_MS, type RegistrationRecord } from './registration-record.ts'
import { PREVIOUS_SHOP_SIGNATURE, SHOP_SIGNATURE, signerOf, verifySignature } from './signature.ts'

/**
 * The Shopware shop id that a confirmation names, for looking up its record. Not yet believed.
 *
 * @returns `undefined` where the body names none
 */
export function shopIdOf(raw: Uint8Array): string | undefined {
  const id = textOf(fieldOf(parseJson(decodeUtf8(raw) ?? ''), 'shopId'))
  return id !== undefined && SHOP_ID.test(id) ? id : undefined
}

/**
 * Decides one confirmation. On acceptance the pending secret, URL and credentials are in force.
 *
 * Where the registration proved the former secret, its confirmation must prove it too
 * (`shopware-shop-signature-previous`). A shop of 6.6 sends neither, and gets here only for the first time or after an
 * uninstallation or an operator's word; there is nothing left to prove then.
 */
export function decideConfirmation(
  raw: Uint8Array,
  headers: Headers,
  record: RegistrationRecord | undefined,
  now: Instant,
): HandshakeDecision {
  const pending = record?.pending !== undefined && record.pending.until > now ? record.pending : undefined
  const signer = signerOf(raw, headers[SHOP_SIGNATURE], [pending?.secret, record?.live?.secret])
  if (record === undefined || signer === undefined) return refuse('UNAUTHENTIC', 401, NOT_AUTHENTIC)
  const body = parseJson(decodeUtf8(raw) ?? '')
  const apiKey = fieldOf(body, 'apiKey')
  const secretKey = fieldOf(body, 'secretKey')
  if (fieldOf(body, 'shopId') !== record.shopwareShopId) return refuse('UNAUTHENTIC', 401, NOT_AUTHENTIC)
  if (!isCredential(apiKey) || !isCredential(secretKey)) {
    return refuse('MALFORMED', 400, 'The confirmation carries no usable apiKey and secretKey.')
  }
  if (signer === 1 || pending === undefined) {
    const live = record.live?.credentials
    return live?.apiKey === apiKey && live.secretKey === secretKey
      ? { verdict: 'repeated', answer: CONFIRMED }
      : refuse('UNAUTHENTIC', 401, NOT_AUTHENTIC)
  }
  if (fieldOf(body, 'shopUrl') !== pending.urlAsReceived) {
    return refuse('MALFORMED', 400, 'The confirmation names another URL than the registration did.')
  }
  if (pending.provedBy !== undefined && !verifySignature(raw, headers[PREVIOUS_SHOP_SIGNATURE], [pending.provedBy])) {
    return refuse('PROOF_MISSING', 401, 'The confirmation does not prove the secret that was in force before.')
  }
  const { pending: _confirmed, reopenedUntil: _used, ...rest } = record
  const next: RegistrationRecord = {
    ...rest,
    revision: record.revision + 1,
    live: {
      url: pending.url,
      secret: pending.secret,
      credentials: { apiKey, secretKey },
      ...(pending.version === undefined ? {} : { version: pending.version }),
    },
    ...(record.live === undefined
      ? {}
      : { former: { secret: record.live.secret, until: after(now, FORMER_SECRET_MS) } }),
  }
  return { verdict: 'accepted', next, answer: CONFIRMED }
}

const NOT_AUTHENTIC = 'The message is not signed with the secret of this shop.'
const CONFIRMED: HandshakeAnswer = { status: 200, body: { state: 'confirmed' } }

/** Printable ASCII without spaces, as Shopware's keys are. */
const isCredential = (value: unknown): value is string => typeof value === 'string' && /^[!-~]{1,255}$/.test(value)
