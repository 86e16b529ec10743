/**
 * The handshake of the app system as decisions: what we know of a shop and what it asks in, what we will know and answer out.
 * Who loads and stores is somebody else ({@link RegistrationStore}).
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
import { decodeUtf8, fieldOf, parseJson, textOf } from './pick.ts'
import { checkShopUrl, type ShopUrlPolicy } from './shop-url.ts'
import {
  APP_SIGNATURE,
  type HeaderValue,
  isFresh,
  PREVIOUS_SHOP_SIGNATURE,
  SHOP_SIGNATURE,
  secondsToMs,
  signerOf,
  verifySignature,
} from './signature.ts'
import { reduceWebhook } from './webhook.ts'

/** How long the secret before the one in force is accepted. */
export const FORMER_SECRET_MS = 60_000
/** How long a registration waits for its confirmation, which Shopware sends at once. */
export const PENDING_MS = 10 * 60_000
/** How long an operator's word lets a confirmed shop register without proof. */
export const REOPENED_MS = 60 * 60_000
/** The app's technical name, part of the proof; the same in the manifest. */
export const APP_NAME = 'Holdfast'

/** What we need to call the shop, given by its confirmation. */
export type ShopCredentials = { readonly apiKey: string; readonly secretKey: string }

/** Everything known about one registration of a shop; a value, stored whole and encrypted. */
export type RegistrationRecord = {
  /** Shopware's own id of the shop. */
  readonly shopwareShopId: string
  /** The shop of our configuration that has this URL. */
  readonly shop: ShopId
  /** Counts the changes: {@link RegistrationStore.save} refuses a value that was made from an older one. */
  readonly revision: number
  /** What is in force; absent before the first confirmation and after the app was uninstalled. */
  readonly live?: {
    readonly url: string
    readonly secret: string
    readonly credentials: ShopCredentials
    /** The shop's version when it registered. */
    readonly version?: string
  }
  /** The secret before, still accepted until then. */
  readonly former?: { readonly secret: string; readonly until: Instant }
  /** A registration that waits for its confirmation; the newest replaces an older one. */
  readonly pending?: {
    readonly url: string
    readonly urlAsReceived: string
    readonly secret: string
    readonly until: Instant
    readonly version?: string
    /** The secret that the confirmation must prove too, because the registration did. */
    readonly provedBy?: string
  }
  /** Until when an operator lets this shop register without proof. */
  readonly reopenedUntil?: Instant
}

/** Where registrations are kept. A record holds secrets: it is encrypted at rest and never logged. */
export interface RegistrationStore {
  load(shopwareShopId: string): Promise<RegistrationRecord | undefined>
  /** The record in force (`live`) of a configured shop, whatever Shopware's id of it. */
  liveOf(shop: ShopId): Promise<RegistrationRecord | undefined>
  /** Stores the record if the stored one has `revision − 1` (none stored: 1); `false` where somebody was faster. */
  save(record: RegistrationRecord): Promise<boolean>
}

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

/** Headers by lower-case name, as Node and Fastify give them. */
export type Headers = Readonly<Record<string, HeaderValue>>

/** Why the door stays shut; for metrics and logs, the buyer of the answer reads `error`. */
export type HandshakeRefusal =
  | 'MALFORMED'
  | 'UNAUTHENTIC'
  | 'STALE'
  | 'URL_REFUSED'
  | 'URL_UNKNOWN'
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
  if (proof.verdict === 'missing') {
    const advice = 'Uninstall the app first, or ask the operator to open the shop for a new registration.'
    return refuse('PROOF_MISSING', 401, `This shop is registered already, and the request does not prove it. ${advice}`)
  }
  const taken = world.liveOfShop(shop)
  if (taken !== undefined && taken.shopwareShopId !== request.shopwareShopId && !isReopened(taken, now)) {
    return refuse(
      'SHOP_TAKEN',
      409,
      'Another installation with this URL is connected. Ask the operator to open the shop.',
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

/** The secrets with which this shop's messages may be signed now, the one in force first; empty for an unknown shop. */
export function acceptedSecrets(record: RegistrationRecord | undefined, now: Instant): readonly string[] {
  const secrets: string[] = []
  if (record?.live !== undefined) secrets.push(record.live.secret)
  if (record?.former !== undefined && record.former.until > now) secrets.push(record.former.secret)
  return secrets
}

/**
 * What is left after an authentic `app.deleted`: no credentials, and the way open for a new registration.
 *
 * Only the secret in force deletes; a late message signed with a former one says nothing about the installation that followed
 * it. And only the shop under its own URL: a staging copy has the same id and the same secrets.
 *
 * @returns the next record, or `undefined` where nothing follows
 */
export function uninstalled(
  record: RegistrationRecord,
  raw: Uint8Array,
  signature: HeaderValue,
  now: Instant,
): RegistrationRecord | undefined {
  if (record.live === undefined || !verifySignature(raw, signature, [record.live.secret])) return undefined
  const webhook = reduceWebhook(raw)
  if ('unreadable' in webhook || webhook.event !== 'app.deleted') return undefined
  if (webhook.shopwareShopId !== record.shopwareShopId || !isFromItsUrl(record, webhook.sourceUrl)) return undefined
  const { live, pending: _pending, reopenedUntil: _reopened, ...rest } = record
  return {
    ...rest,
    revision: record.revision + 1,
    former: { secret: live.secret, until: after(now, FORMER_SECRET_MS) },
  }
}

/**
 * Whether a message's `source.url` is the URL under which the shop registered. Another one is a copy of the shop, on staging say:
 * it is answered, has no effect, and is an incident.
 */
export function isFromItsUrl(record: RegistrationRecord, sourceUrl: string): boolean {
  const checked = checkShopUrl(sourceUrl, { allowPrivate: true })
  return 'url' in checked && checked.url === record.live?.url
}

/**
 * The record of an installation that another one of the same shop has replaced (its confirmation was accepted under another
 * Shopware shop id): nothing of it is in force any more.
 */
export function replaced(record: RegistrationRecord): RegistrationRecord {
  return { shopwareShopId: record.shopwareShopId, shop: record.shop, revision: record.revision + 1 }
}

/** An operator's word: for {@link REOPENED_MS} this shop may register again without proof, or another one in its place. */
export function reopen(record: RegistrationRecord, now: Instant): RegistrationRecord {
  return { ...record, revision: record.revision + 1, reopenedUntil: after(now, REOPENED_MS) }
}

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
const SHOP_ID = /^[A-Za-z0-9_-]{1,64}$/
const NOT_AUTHENTIC = 'The message is not signed with the secret of this shop.'
const CONFIRMED: HandshakeAnswer = { status: 200, body: { state: 'confirmed' } }

const refuse = (kind: HandshakeRefusal, status: number, error: string): HandshakeDecision => ({
  verdict: 'refused',
  kind,
  answer: { status, body: { error } },
})

const isReopened = (record: RegistrationRecord, now: Instant): boolean =>
  record.reopenedUntil !== undefined && record.reopenedUntil > now

/** Printable ASCII without spaces, as Shopware's keys are. */
const isCredential = (value: unknown): value is string => typeof value === 'string' && /^[!-~]{1,255}$/.test(value)

/**
 * Whether a registration proves that it comes from the shop we know. A pending secret counts too: a shop of 6.6 stores it
 * before it confirms, and one whose confirmation was lost may hold either.
 */
function proofOfSecret(
  request: RegistrationRequest,
  record: RegistrationRecord | undefined,
  now: Instant,
):
  | { readonly verdict: 'not-needed' }
  | { readonly verdict: 'missing' }
  | { readonly verdict: 'proved'; readonly secret: string } {
  const known = [record?.live?.secret, formerOf(record, now), record?.live && record.pending?.secret]
  const signer = signerOf(request.rawQuery, request.shopSignature, known)
  const secret = signer === undefined ? undefined : known[signer]
  if (secret !== undefined) return { verdict: 'proved', secret }
  // A wrong proof is worse than none: it is refused even where none would do.
  if (request.shopSignature !== undefined && record?.live !== undefined) return { verdict: 'missing' }
  return record?.live === undefined || isReopened(record, now) ? { verdict: 'not-needed' } : { verdict: 'missing' }
}

const formerOf = (record: RegistrationRecord | undefined, now: Instant): string | undefined =>
  record?.former !== undefined && record.former.until > now ? record.former.secret : undefined
