/** What we know of a shop that has registered, and what follows from its end, its replacement and an operator's word. */
import { after, type Instant, type ShopId } from '../../core/ids.ts'
import { checkShopUrl } from './shop-url.ts'
import { type HeaderValue, verifySignature } from './signature.ts'
import { reduceWebhook } from './webhook.ts'

/** How long the secret before the one in force is accepted. */
export const FORMER_SECRET_MS = 60_000
/** How long an operator's word lets a confirmed shop register without proof. */
export const REOPENED_MS = 60 * 60_000

/** What we need to call the shop, given by its confirmation. */
export type ShopCredentials = { readonly apiKey: string; readonly secretKey: string }

/** Everything known about one registration of a shop; a value, stored whole. */
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

/** Where registrations are kept. A record holds secrets: only the service's role may read it, and it is never logged. */
export interface RegistrationStore {
  load(shopwareShopId: string): Promise<RegistrationRecord | undefined>
  /** The record in force (`live`) of a configured shop, whatever Shopware's id of it. */
  liveOf(shop: ShopId): Promise<RegistrationRecord | undefined>
  /** Until when a configured shop is invited, if it ever was. */
  invitedUntil(shop: ShopId): Promise<Instant | undefined>
  /** Invites it until then; a moment that is over takes the invitation back. */
  invite(shop: ShopId, until: Instant): Promise<void>
  /** Stores the record if the stored one has `revision − 1` (none stored: 1); `false` where somebody was faster. */
  save(record: RegistrationRecord): Promise<boolean>
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

/** Whether an operator's word is in force. */
export const isReopened = (record: RegistrationRecord, now: Instant): boolean =>
  record.reopenedUntil !== undefined && record.reopenedUntil > now

/** The former secret while it is accepted. */
export const formerOf = (record: RegistrationRecord | undefined, now: Instant): string | undefined =>
  record?.former !== undefined && record.former.until > now ? record.former.secret : undefined
