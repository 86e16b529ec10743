import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import { sweep } from './sweep.ts'

let fresh: FreshDatabase
beforeAll(async () => {
  fresh = await freshDatabase()
})
afterAll(async () => fresh.drop())

const rows = async (query: string): Promise<unknown[]> =>
  (await fresh.database.pool.query<{ is: unknown }>(query)).rows.map((row) => row.is)

test('what is old goes, what is young or waits for somebody stays', async () => {
  const { pool } = fresh.database
  await pool.query(`
    insert into answer (scope, key, request_hash, http_code, body, created_at) values
      ('PUT', 'old', '', 201, '{}', now() - interval '15 days'), ('PUT', 'young', '', 201, '{}', now());
    insert into webhook_seen (shopware_shop_id, event_id, seen_at) values
      ('s', 'old', now() - interval '41 days'), ('s', 'young', now());
    insert into inbox (source, message_id, content_hash, raw, words, state, received_at) values
      ('wms', 'done', '', 'text', 1, 'done', now() - interval '31 days'),
      ('wms', 'parked', '', 'text', 1, 'parked', now() - interval '31 days'),
      ('wms', 'young', '', 'text', 1, 'done', now());
    insert into dead_letter (source, message_id, raw, reason, state, decided_at) values
      ('wms', 'decided', 'text', 'r', 'replayed', now() - interval '31 days'),
      ('wms', 'open', 'text', 'r', 'open', null);
    insert into process (id, heartbeat_at) values
      (gen_random_uuid(), now() - interval '31 days'), (gen_random_uuid(), now() - interval '32 days')`)
  expect(await sweep(pool)).toBe(false)
  expect(await rows('select key as is from answer')).toEqual(['young'])
  expect(await rows('select event_id as is from webhook_seen')).toEqual(['young'])
  expect(await rows('select raw as is from inbox order by id')).toEqual([null, 'text', 'text'])
  expect(await rows('select raw as is from dead_letter order by id')).toEqual([null, 'text'])
  // The last sign of life of anybody is how a silence is known: it stays, however old.
  expect(await rows('select count(*)::int as is from process')).toEqual([1])
})
