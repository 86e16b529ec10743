/**
 * The handshake of the app system as decisions: what we know of a shop and what it asks in, what we will know and answer out.
 * Here the first message; `confirmation.ts` has the second, `registration-record.ts` what is kept, `handshake.ts` the doors.
 *
 * The rule that matters: **a shop that is confirmed changes its secret or its URL only with proof of the secret it has.** Without
 * it, whoever knows the app secret could take over a shop. There are two ways round, both a person's: an authentic
 * `app.deleted` (the merchant uninstalled the app), and an operator's word ({@link reopen}) for the cases in which Shopware
 * 6.6 registers again without any proof: a moved shop, or an `app.deleted` that never reached us.
 *
 * A new secret is *pending* until its confirmation is proved by it; the secret in force keeps working meanwhile, and for
 * {@link FORMER_SECRET_MS} afterwards, because messages signed before the exchange are still under way.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { after, type Instant, type ShopId } from '../../core/ids.ts'
import { type HandshakeDecision, type Headers, refuse, SHOP_ID } from './handshake-decision.ts'
import { textOf } from './pick.ts'
import { formerOf, isReopened, type RegistrationRecord } from './registration-record.ts'
import { checkShopUrl, type ShopUrlPolicy } from './shop-url.ts'
import {
  APP_SIGNATURE,
  type HeaderValue,
  isFresh,
  SHOP_SIGNATURE,
  secondsToMs,
  signerOf,
  verifySignature,
} from './signature.ts'

/** How long a registration waits for its confirmation, which Shopware sends at once. */
export const PENDING_MS = 10 * 60_000
/** The app's technical name, part of the proof; the same in the manifest. */
export const APP_NAME = 'Holdfast'

/** A registration request as it came in, well-formed but not yet believed. */
export type RegistrationRequest = {
  readonly rawQuery: string
  readonly shopwareShopId: string
  /** Exactly as received: the proof is made over this text. */
  readonly shopUrl: string
  readonly sentAt: number | undefined
  /** Header `sw-version`, such as `6.6.7.1`. */
  readonly version: string | undefined
  readonly appSignature: HeaderValue
  readonly shopSignature: HeaderValue
}

/**
 * Reads `GET /shopware/registration`. Each parameter must be there once.
 *
 * @param rawQuery the text after `?`, undecoded
 */
export function readRegistration(
  rawQuery: string,
  headers: Headers,
): RegistrationRequest | { readonly problem: string } {
  if (rawQuery.length > MAX_QUERY_CHARACTERS) return { problem: 'the query is too long' }
  const query = new URLSearchParams(rawQuery)
  const once = (name: string) => {
    const values = query.getAll(name)
    return values.length === 1 ? values[0] : undefined
  }
  const shopwareShopId = once('shop-id')
  const shopUrl = once('shop-url')
  if (shopwareShopId === undefined || !SHOP_ID.test(shopwareShopId))
    return { problem: 'shop-id is missing or malformed' }
  if (shopUrl === undefined) return { problem: 'shop-url is missing or given twice' }
  return {
    rawQuery,
    shopwareShopId,
    shopUrl,
    sentAt: secondsToMs(once('timestamp')),
    version: textOf(headers['sw-version']),
    appSignature: headers[APP_SIGNATURE],
    shopSignature: headers[SHOP_SIGNATURE],
  }
}

/** What a registration is judged against. */
export type RegistrationWorld = {
  readonly appSecret: string
  /** Where Shopware sends the confirmation. */
  readonly confirmationUrl: string
  readonly policy: ShopUrlPolicy
  /** The configured shop that has this normalised URL, if any. */
  readonly shopWithUrl: (url: string) => ShopId | undefined
  /** Whether an operator invited the shop, for an hour: to come for the first time, to come again without proof, or in another's place. */
  readonly isInvited?: boolean
  /** Whether nobody may come for the first time without an invitation. */
  readonly needsInvitation?: boolean
  /** What is known under this Shopware shop id. */
  readonly record: RegistrationRecord | undefined
  /** What is in force for the configured shop, perhaps under another Shopware shop id. */
  readonly liveOfShop: (shop: ShopId) => RegistrationRecord | undefined
  readonly now: Instant
}

/** Decides one registration: refuses it, or makes a pending secret and answers with the proof. */
export function decideRegistration(request: RegistrationRequest, world: RegistrationWorld): HandshakeDecision {
  const { record, now } = world
  if (!verifySignature(request.rawQuery, request.appSignature, [world.appSecret])) {
    return refuse('UNAUTHENTIC', 401, 'The registration is not signed with the secret of this app.')
  }
  if (!isFresh(request.sentAt, now)) {
    return refuse('STALE', 401, 'The registration is older than five minutes, or a clock is wrong. Install again.')
  }
  if (isTooOld(request.version)) {
    return refuse('VERSION_TOO_OLD', 400, `Holdfast needs Shopware ${OLDEST_VERSION.join('.')} or newer.`)
  }
  const checked = checkShopUrl(request.shopUrl, world.policy)
  if ('problem' in checked) return refuse('URL_REFUSED', 400, `The URL of this shop ${checked.problem}.`)
  const shop = world.shopWithUrl(checked.url)
  if (shop === undefined) {
    return refuse('URL_UNKNOWN', 403, `No shop with the URL ${checked.url} is configured. Add it to holdfast.yaml.`)
  }
  const proof = proofOfSecret(request, record, now)
  if (world.needsInvitation && proof.verdict === 'not-needed' && !isWelcome(record, world)) {
    return refuse('NOT_INVITED', 403, `This shop was not invited. Ask the operator: holdfast shops invite ${shop}.`)
  }
  // A wrong proof is refused even then.
  if (proof.verdict === 'missing' && !(world.isInvited && request.shopSignature === undefined)) {
    const advice = `Uninstall the app first, or ask the operator: holdfast shops invite ${shop}.`
    return refuse('PROOF_MISSING', 401, `This shop is registered already, and the request does not prove it. ${advice}`)
  }
  const taken = world.liveOfShop(shop)
  const isOther = taken !== undefined && taken.shopwareShopId !== request.shopwareShopId
  if (isOther && !world.isInvited && !isReopened(taken, now)) {
    return refuse(
      'SHOP_TAKEN',
      409,
      `Another installation with this URL is connected. Ask the operator: holdfast shops invite ${shop}.`,
    )
  }
  const secret = newShopSecret()
  const next: RegistrationRecord = {
    ...(record ?? { shopwareShopId: request.shopwareShopId }),
    shop,
    revision: (record?.revision ?? 0) + 1,
    pending: {
      url: checked.url,
      urlAsReceived: request.shopUrl,
      secret,
      until: after(now, PENDING_MS),
      ...(request.version === undefined ? {} : { version: request.version }),
      ...(proof.verdict === 'proved' ? { provedBy: proof.secret } : {}),
    },
  }
  const proofText = createHmac('sha256', world.appSecret)
    .update(`${request.shopwareShopId}${request.shopUrl}${APP_NAME}`)
    .digest('hex')
  return {
    verdict: 'accepted',
    next,
    answer: { status: 200, body: { proof: proofText, secret, confirmation_url: world.confirmationUrl } },
  }
}

/** Invited, or opened by the older word of an operator. */
const isWelcome = (record: RegistrationRecord | undefined, { isInvited, now }: RegistrationWorld): boolean =>
  isInvited === true || (record !== undefined && isReopened(record, now))

/** A new shop secret: 48 random bytes as 96 hex digits (Shopware wants 64 to 255 characters). */
export function newShopSecret(): string {
  return randomBytes(48).toString('hex')
}

/** Before it, Shopware does not tell an order call of the checkout gateway from a page view. */
const OLDEST_VERSION = [6, 6, 7, 0] as const

/** A version that is missing or unreadable is not held against a shop: a development build may say anything. */
function isTooOld(version: string | undefined): boolean {
  const parts = /^(\d+)\.(\d+)\.(\d+)\.(\d+)/
    .exec(version ?? '')
    ?.slice(1)
    .map(Number)
  const differs = parts?.findIndex((part, place) => part !== OLDEST_VERSION[place]) ?? -1
  return differs >= 0 && (parts?.[differs] ?? 0) < (OLDEST_VERSION[differs] ?? 0)
}

/** The signed text of a shop id is short; anything longer is no request of Shopware's. */
const MAX_QUERY_CHARACTERS = 4_096

/**
 * Whether a registration proves that it comes from the shop we know. A pending secret that was itself asked for with proof
 * counts too: a shop stores it before it confirms, and one whose confirmation was lost may hold either.
 */
function proofOfSecret(
  request: RegistrationRequest,
  record: RegistrationRecord | undefined,
  now: Instant,
):
  | { readonly verdict: 'not-needed' }
  | { readonly verdict: 'missing' }
  | { readonly verdict: 'proved'; readonly secret: string } {
  const pending =
    record?.live !== undefined && record.pending?.provedBy !== undefined ? record.pending.secret : undefined
  const known = [record?.live?.secret, formerOf(record, now), pending]
  const signer = signerOf(request.rawQuery, request.shopSignature, known)
  const secret = signer === undefined ? undefined : known[signer]
  if (secret !== undefined) return { verdict: 'proved', secret }
  // A wrong proof is worse than none: it is refused even where none would do.
  if (request.shopSignature !== undefined && record?.live !== undefined) return { verdict: 'missing' }
  return record?.live === undefined || isReopened(record, now) ? { verdict: 'not-needed' } : { verdict: 'missing' }
}
