/** What people look at: incidents and dead letters, each page by page, and the rows of the ledger. */
import type { Queryable } from './database.ts'

export const MAX_PAGE = 500

export type LedgerRow = {
  readonly stream: string
  readonly version: number
  readonly at: number
  readonly kind: string
  readonly actor: string
  readonly cause: string
  readonly configuration: number
  readonly body: unknown
  readonly hash: string
  readonly txid: string
  readonly seq: number
}

/** A place in the order in which entries became certain. The first is before all of them. */
export type FeedPlace = { readonly txid: string; readonly seq: number }

/** The columns of a {@link LedgerRow}. */
export const LEDGER_COLUMNS = `seq, ledger_entry.txid::text as txid, stream, version, at, kind, actor, cause, configuration, body, encode(hash, 'hex') as hash`

export type IncidentRow = {
  readonly id: number
  readonly code: string
  readonly key: string
  readonly openedAt: number
  readonly closedAt: number | null
  readonly seen: number
  readonly shop: string | null
  readonly sku: string | null
  readonly orderNumber: string | null
  readonly units: number | null
  readonly cause: string
}

/** Incidents, newest first; open ones only unless asked. Pages by id. */
export async function incidentPage(
  on: Queryable,
  { before, limit, closedToo }: { before: number; limit: number; closedToo: boolean },
) {
  const { rows } = await on.query<IncidentRow>(
    `select id, code, key, opened_at as "openedAt", closed_at as "closedAt", seen, shop, sku, order_number as "orderNumber", units, cause
     from incident
     where id < $1
       and ($3 or closed_at is null)
     order by id desc
     limit $2`,
    [before, limit, closedToo],
  )
  return rows
}

/** Opens an incident that no decision of the lane tells, or counts one that is open already. */
export const openIncident = (
  on: Queryable,
  incident: { code: string; key: string; cause: string; shop?: string; sku?: string },
) =>
  on.query(
    `insert into incident (code, key, cause, shop, sku)
     values ($1, $2, $3, $4, $5)
     on conflict (code, key) where closed_at is null do update set seen = incident.seen + 1, cause = excluded.cause`,
    [incident.code, incident.key, incident.cause, incident.shop ?? null, incident.sku ?? null],
  )

/** Ends an incident that is over. Index: incident_open_once. */
export const closeIncident = (on: Queryable, code: string, key: string) =>
  on.query(`update incident set closed_at = clock_timestamp() where code = $1 and key = $2 and closed_at is null`, [
    code,
    key,
  ])

/**
 * SKUs of a warehouse whose lowest figure counts since it seemed restored, or of which goods left, or were asked back, before a
 * restart and no word after it will tell; at most `limit`. Reads the warehouse's figures, and of SKUs with something pegged there the live demands.
 */
export async function disputedSkus(on: Queryable, warehouse: string, limit: number): Promise<readonly string[]> {
  const { rows } = await on.query<{ sku: string }>(
    `select sku.sku
     from figure
     join sku on sku.id = figure.sku_id
     where figure.warehouse = $1
       and (figure.disputed
         or (coalesce((sku.counts #>> array['shelves', figure.warehouse, '0'])::int, 0) > 0 and exists (
           select
           from demand
           where demand.sku_id = figure.sku_id
             and demand.ended is null
             and demand.warehouse = figure.warehouse
             and (demand.phase = 'shipped' or demand.cancel_requested)
             and (coalesce(demand.mark, demand.known_since) #>> '{stamp,epoch}')::integer < figure.epoch
         )))
     order by sku.id
     limit $2`,
    [warehouse, limit],
  )
  return rows.map(({ sku }) => sku)
}

export type DeadLetterRow = {
  readonly id: number
  readonly source: string
  readonly messageId: string
  readonly receivedAt: number
  readonly raw: string | null
  readonly reason: string
  readonly field: string | null
  readonly value: string | null
  readonly state: 'open' | 'replayed' | 'discarded'
}

const DEAD_LETTER = `select id, source, message_id as "messageId", received_at as "receivedAt", raw, reason, field, value, state from dead_letter`

/** Dead letters that wait for somebody, oldest first. Index: dead_letter_open_idx. */
export async function deadLetterPage(on: Queryable, { after, limit }: { after: number; limit: number }) {
  const { rows } = await on.query<DeadLetterRow>(
    `${DEAD_LETTER} where state = 'open' and id > $1 order by id limit $2`,
    [after, limit],
  )
  return rows
}

export async function deadLetterById(on: Queryable, id: number): Promise<DeadLetterRow | undefined> {
  const { rows } = await on.query<DeadLetterRow>(`${DEAD_LETTER} where id = $1`, [id])
  return rows[0]
}
