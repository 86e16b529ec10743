/** The doors of the app system, wired to a store: load, decide, keep, answer. Who routes the requests calls these. */
import type { Instant, ShopId } from '../../core/ids.ts'
import { decideConfirmation, shopIdOf } from './confirmation.ts'
import type { HandshakeAnswer, HandshakeRefusal, Headers } from './handshake-decision.ts'
import { decideRegistration, readRegistration } from './registration.ts'
import {
  acceptedSecrets,
  type RegistrationRecord,
  type RegistrationStore,
  replaced,
  uninstalled,
} from './registration-record.ts'
import { checkShopUrl, type ShopUrlPolicy } from './shop-url.ts'
import { type HeaderValue, SHOP_SIGNATURE, verifySignature } from './signature.ts'

/** What the doors stand on. */
export type HandshakeWorld = {
  readonly store: RegistrationStore
  readonly appSecret: string
  /** `${publicUrl}/shopware/confirmation`. */
  readonly confirmationUrl: string
  readonly policy: ShopUrlPolicy
  /** The configured shop with this normalised URL (`checkShopUrl`), if any. */
  readonly shopWithUrl: (url: string) => ShopId | undefined
  /** Whether a shop comes for the first time only by invitation; none does if absent. */
  readonly needsInvitation?: (shop: ShopId) => boolean
}

/** An answer with what it means for us: the shop that is connected from now on, or why nothing is. */
export type HandshakeResult = {
  readonly answer: HandshakeAnswer
  readonly refusal?: HandshakeRefusal
  /** Set where a confirmation was accepted: connect this shop now. */
  readonly connected?: RegistrationRecord
}

/** `GET /shopware/registration`. */
export async function register(
  world: HandshakeWorld,
  rawQuery: string,
  headers: Headers,
  now: Instant,
): Promise<HandshakeResult> {
  const request = readRegistration(rawQuery, headers)
  if ('problem' in request) {
    return { refusal: 'MALFORMED', answer: { status: 400, body: { error: `${request.problem}.` } } }
  }
  const checked = checkShopUrl(request.shopUrl, world.policy)
  const shop = 'url' in checked ? world.shopWithUrl(checked.url) : undefined
  const live = shop === undefined ? undefined : await world.store.liveOf(shop)
  const invitedUntil = shop === undefined ? undefined : await world.store.invitedUntil(shop)
  const invitation = {
    isInvited: invitedUntil !== undefined && invitedUntil > now,
    needsInvitation: shop !== undefined && world.needsInvitation?.(shop) === true,
  }
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const record = await world.store.load(request.shopwareShopId)
    const decision = decideRegistration(request, { ...world, ...invitation, record, liveOfShop: () => live, now })
    if (decision.verdict === 'refused') return { answer: decision.answer, refusal: decision.kind }
    if (decision.verdict === 'repeated' || (await world.store.save(decision.next))) return { answer: decision.answer }
  }
  return BUSY
}

/** `POST /shopware/confirmation`. An installation that this one replaces is ended. */
export async function confirm(
  world: HandshakeWorld,
  raw: Uint8Array,
  headers: Headers,
  now: Instant,
): Promise<HandshakeResult> {
  const shopwareShopId = shopIdOf(raw)
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const record = shopwareShopId === undefined ? undefined : await world.store.load(shopwareShopId)
    const decision = decideConfirmation(raw, headers, record, now)
    if (decision.verdict === 'refused') return { answer: decision.answer, refusal: decision.kind }
    if (decision.verdict === 'repeated') return { answer: decision.answer }
    // The older one first: two in force for one shop would be two writers.
    const older = await world.store.liveOf(decision.next.shop)
    if (older !== undefined && older.shopwareShopId !== shopwareShopId && !(await world.store.save(replaced(older)))) {
      continue
    }
    if (!(await world.store.save(decision.next))) continue
    // An invitation is for one installation.
    await world.store.invite(decision.next.shop, now)
    return { answer: decision.answer, connected: decision.next }
  }
  return BUSY
}

/**
 * Applies an `app.deleted` whose signature has been verified already.
 *
 * @returns whether the shop is disconnected now
 */
export async function disconnect(
  store: RegistrationStore,
  shopwareShopId: string,
  raw: Uint8Array,
  signature: HeaderValue,
  now: Instant,
): Promise<boolean> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const record = await store.load(shopwareShopId)
    const next = record === undefined ? undefined : uninstalled(record, raw, signature, now)
    if (next === undefined) return false
    if (await store.save(next)) return true
  }
  return false
}

/**
 * Who sent this body: the shop whose secret signs it, or nobody. Costs one digest for each claimed shop and parses nothing.
 * The caller compares the id inside the parsed body with the record's: a body may name several.
 *
 * @param load knows records by Shopware's shop id; asked at most twice
 */
export async function senderOf(
  raw: Uint8Array,
  headers: Headers,
  load: (shopwareShopId: string) => Promise<RegistrationRecord | undefined>,
  now: Instant,
): Promise<RegistrationRecord | undefined> {
  const claimed = claimedShopIds(raw)
  for (const shopwareShopId of claimed) {
    const record = await load(shopwareShopId)
    if (verifySignature(raw, headers[SHOP_SIGNATURE], acceptedSecrets(record, now))) return record
  }
  // The same work for a body that names no shop, so that the time says nothing.
  if (claimed.length === 0) verifySignature(raw, headers[SHOP_SIGNATURE], [])
  return undefined
}

/**
 * The shop ids that a body seems to name, at most two: the first and the last `"shopId":"…"` in it (a gateway call names its
 * source first, a webhook last). A quote inside a text is escaped in JSON, so no buyer's text looks like that.
 */
export function claimedShopIds(raw: Uint8Array): readonly string[] {
  const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength)
  const ids = [bytes.indexOf(SHOP_ID_KEY), bytes.lastIndexOf(SHOP_ID_KEY)].flatMap((at) => {
    if (at < 0) return []
    const from = at + SHOP_ID_KEY.length
    const id = bytes.toString('latin1', from, from + MAX_SHOP_ID_CHARACTERS + 1).split('"', 1)[0] ?? ''
    return /^[A-Za-z0-9_-]{1,64}$/.test(id) ? [id] : []
  })
  return [...new Set(ids)]
}

const SHOP_ID_KEY = '"shopId":"'
const MAX_SHOP_ID_CHARACTERS = 64
/** How often a decision is made anew because somebody else changed the record meanwhile. */
const MAX_ATTEMPTS = 5
const BUSY: HandshakeResult = {
  answer: { status: 503, body: { error: 'Somebody else is registering this shop right now. Install again.' } },
}
