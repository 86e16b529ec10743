/** Registrations of shops, their access tokens, and the webhooks that were seen. All of these are secrets or keys: never logged. */

import type { Instant } from '../../core/ids.ts'
import type { AccessToken, TokenStore } from '../shopware/access-token.ts'
import type { RegistrationRecord, RegistrationStore } from '../shopware/registration-record.ts'
import { type Database, timestamp } from './database.ts'

/** The handshake's store. `save` refuses a value made from an older one. */
export function registrationsOn({ pool }: Database): RegistrationStore {
  return {
    async load(shopwareShopId) {
      const { rows } = await pool.query<{ record: RegistrationRecord }>(
        'select record from registration where shopware_shop_id = $1',
        [shopwareShopId],
      )
      return rows[0]?.record
    },
    async liveOf(shop) {
      const { rows } = await pool.query<{ record: RegistrationRecord }>(
        'select record from registration where shop = $1 and live',
        [shop],
      )
      return rows[0]?.record
    },
    async invitedUntil(shop) {
      const { rows } = await pool.query<{ until: Instant }>('select until from invitation where shop = $1', [shop])
      return rows[0]?.until
    },
    async invite(shop, until) {
      await pool.query(
        `insert into invitation (shop, until) values ($1, $2) on conflict (shop) do update set until = excluded.until`,
        [shop, timestamp(until)],
      )
    },
    async save(record) {
      // Constraint registration_one_live: two installations of one shop are never in force together.
      const { rowCount } = await pool.query(
        `insert into registration (shopware_shop_id, shop, revision, live, record)
         select $1, $2, $3, $4, $5
         where $3 = 1 or exists (select from registration where shopware_shop_id = $1)
         on conflict (shopware_shop_id)
         do update set shop = excluded.shop, revision = excluded.revision, live = excluded.live, record = excluded.record
         where registration.revision = excluded.revision - 1`,
        [record.shopwareShopId, record.shop, record.revision, record.live !== undefined, JSON.stringify(record)],
      )
      return rowCount === 1
    },
  }
}

/** One token per shop for all processes. */
export function tokensOn({ pool }: Database): TokenStore {
  return {
    async load(key) {
      const { rows } = await pool.query<{ token: string; expires_at: number }>(
        'select token, expires_at from access_token where key = $1',
        [key],
      )
      const [row] = rows
      return row && { token: row.token, expiresAt: row.expires_at }
    },
    async save(key, { token, expiresAt }: AccessToken) {
      await pool.query(
        `insert into access_token (key, token, expires_at)
         values ($1, $2, $3)
         on conflict (key) do update set token = excluded.token, expires_at = excluded.expires_at`,
        [key, token, new Date(expiresAt).toISOString()],
      )
    },
  }
}

/** Remembers a webhook by its id; `false` when it was seen before. */
export async function isNewWebhook({ pool }: Database, shopwareShopId: string, eventId: string): Promise<boolean> {
  const { rowCount } = await pool.query(
    'insert into webhook_seen (shopware_shop_id, event_id) values ($1, $2) on conflict do nothing',
    [shopwareShopId, eventId],
  )
  return rowCount === 1
}
