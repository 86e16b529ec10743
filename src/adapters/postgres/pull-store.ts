/** Where pulls are kept: their numbers, how far a source was looked through, and what was last told of each SKU. */
import { createHash } from 'node:crypto'
import type { PullBook, Told } from '../../app/pull.ts'
import type { Standing } from '../../app/pulled.ts'
import type { Database } from './database.ts'
import { fileWithin } from './inbox-store.ts'
import { appendEntry } from './ledger.ts'

/** What was told longer ago is told again to whoever still counts orders there. */
const TOLD_AGAIN_AFTER_HOURS = 1
/** An order that was read shortly before a pull began may have been committed after it. */
const COMMIT_SECONDS = 10
/** SKUs that wait for their orders, in one round. */
const MAX_WAITING = 2_000
/** Orders that one SKU is asked about; more are told by their open state alone. */
const MAX_ORDERS = 5_000

export function pullBookOn(
  database: Database,
  configuration: () => number,
): PullBook & {
  /** Somebody says that a source may be believed again: it begins anew, in a new epoch. */
  trust(warehouse: string, author: string): Promise<void>
} {
  const { pool } = database
  return {
    async place(source) {
      const { rows } = await pool.query<{ cursor: string | null; turn: string; suspected: boolean }>(
        'select cursor, pull_turn as turn, suspected_since is not null as suspected from source where name = $1',
        [source],
      )
      const [row] = rows
      return {
        cursor: row?.cursor ? JSON.parse(row.cursor) : undefined,
        turn: row?.turn ?? '',
        isSuspected: row?.suspected ?? false,
      }
    },

    async isBusy(source) {
      // Index: inbox_pending_idx.
      const { rows } = await pool.query<{ busy: boolean }>(
        `select exists (select from inbox where state = 'pending' and source = $1) as busy`,
        [source],
      )
      return rows[0]?.busy ?? false
    },

    async begin(source) {
      const { rows } = await pool.query<{ epoch: number; number: number }>(
        `update source set pull_number = pull_number + 1, pull_began_at = clock_timestamp()
         where name = $1
         returning pull_epoch as epoch, pull_number as number`,
        [source],
      )
      const [row] = rows
      if (!row) throw new Error(`Source ${source} has no row`)
      return row
    },

    async waiting(source) {
      // Index: demand_live_idx, then primary keys. Takes no lock.
      const { rows } = await pool.query<{ sku: string }>(
        `select distinct sku.sku
         from demand
         join sku on sku.id = demand.sku_id
         join pulled on pulled.source = $1 and pulled.sku = sku.sku
         where demand.ended is null
           and demand.order_number is not null
           and (demand.placed_at > pulled.asked_at - make_interval(secs => $2)
             or pulled.asked_at < clock_timestamp() - make_interval(hours => $3))
         limit $4`,
        [source, COMMIT_SECONDS, TOLD_AGAIN_AFTER_HOURS, MAX_WAITING],
      )
      return rows.map(({ sku }) => sku)
    },

    async inTurn(source, after, limit) {
      // Primary key of pulled. Takes no lock.
      const { rows } = await pool.query<{ sku: string }>(
        'select distinct sku from pulled where source = $1 and sku > $2 order by sku limit $3',
        [source, after, limit],
      )
      return rows.map(({ sku }) => sku)
    },

    async standing(source, skus) {
      // Indexes: sku_one_row, demand_live_idx, primary key of inbound_line. Takes no lock.
      const orders = await pool.query<{ sku: string; order: string }>(
        `select distinct sku.sku, demand.order_number as order
         from sku
         join demand on demand.sku_id = sku.id
         where sku.sku = any($1)
           and demand.ended is null
           and demand.order_number is not null
         limit $2`,
        [skus, MAX_ORDERS],
      )
      const inbound = await pool.query<{ sku: string; warehouse: string; purchaseOrder: string; line: string }>(
        `select sku.sku, inbound_line.warehouse, purchase_order as "purchaseOrder", line
         from sku
         join inbound_line on inbound_line.sku_id = sku.id
         join warehouse on warehouse.name = inbound_line.warehouse and warehouse.source = $2
         where sku.sku = any($1)
           and not cancelled
           and received < ordered`,
        [skus, source],
      )
      const found = new Map(
        skus.map((sku): [string, { -readonly [Key in keyof Standing]: Standing[Key] }] => [
          sku,
          { orders: [], inbound: [] },
        ]),
      )
      for (const { sku, order } of orders.rows) {
        const each = found.get(sku)
        if (each) each.orders = [...each.orders, order]
      }
      for (const { sku, ...line } of inbound.rows) {
        const each = found.get(sku)
        if (each) each.inbound = [...each.inbound, line]
      }
      return found
    },

    async told(source, skus) {
      const { rows } = await pool.query<Told>(
        'select warehouse, sku, hash from pulled where source = $1 and sku = any($2)',
        [source, skus],
      )
      return rows
    },

    async tell(source, pull, { messages, told, letters }) {
      return await database.transaction(async (client) => {
        const { rows } = await client.query<{ number: number; epoch: number; began: string }>(
          `select pull_number as number, pull_epoch as epoch, pull_began_at::text as began
           from source where name = $1 for update`,
          [source],
        )
        const [row] = rows
        if (row?.number !== pull.number || row.epoch !== pull.epoch) return false
        await fileWithin(client, [
          {
            source,
            messages: messages.map((message) => ({
              ...message,
              notes: [],
              contentHash: createHash('sha256').update(message.raw).digest(),
            })),
            deadLetters: letters,
          },
        ])
        await client.query(
          `insert into pulled (source, sku, warehouse, hash, pull_number, asked_at)
           select $1, sku, warehouse, hash, $2, $3::timestamptz
           from unnest($4::text[], $5::text[], $6::text[]) as new (sku, warehouse, hash)
           on conflict (source, sku, warehouse)
           do update set hash = excluded.hash, pull_number = excluded.pull_number, asked_at = excluded.asked_at`,
          [
            source,
            pull.number,
            row.began,
            told.map(({ sku }) => sku),
            told.map(({ warehouse }) => warehouse),
            told.map(({ hash }) => hash),
          ],
        )
        return true
      })
    },

    async moveOn(source, { cursor, turn }) {
      await pool.query('update source set cursor = $2, pull_turn = $3 where name = $1', [
        source,
        JSON.stringify(cursor),
        turn,
      ])
    },

    async suspect(source, cause) {
      await database.transaction(async (client) => {
        await client.query(
          `update source set suspected_since = clock_timestamp(), cursor = null, pull_turn = '' where name = $1`,
          [source],
        )
        // All of it is told once more, as what is not believed.
        await client.query('delete from pulled where source = $1', [source])
        await appendEntry(client, {
          stream: `source:${source}`,
          kind: 'restart-suspected',
          actor: `source:${source}`,
          cause: 'pull',
          configuration: configuration(),
          body: { cause },
        })
      })
    },

    async trust(warehouse, author) {
      await database.transaction(async (client) => {
        const { rows } = await client.query<{ name: string; epoch: number }>(
          `update source
           set suspected_since = null, cursor = null, pull_turn = '', pull_epoch = pull_epoch + 1
           where suspected_since is not null
             and name = (select source from warehouse where name = $1)
           returning name, pull_epoch as epoch`,
          [warehouse],
        )
        for (const { name, epoch } of rows) {
          await client.query('delete from pulled where source = $1', [name])
          await appendEntry(client, {
            stream: `source:${name}`,
            kind: 'trusted-again',
            actor: author,
            cause: `trust:${warehouse}`,
            configuration: configuration(),
            body: { epoch },
          })
          await client.query(
            `update incident set closed_at = clock_timestamp() where code = 'PULLED_SYSTEM_RESTORED' and key = $1 and closed_at is null`,
            [name],
          )
        }
      })
    },
  }
}
