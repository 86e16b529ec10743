-- Intent: everything Holdfast keeps. The ledger is the truth; supply and demand are its fold, rebuilt and compared by `holdfast verify`.
-- Nothing here holds a price, a total, a customer, an address, a gateway body or a cart token in the clear.
-- No table names a schema: the connection's search_path does. Units are `integer`; balances that may be negative say so.

-- ── rules ────────────────────────────────────────────────────────────────────────────────────────────────────────────

create table configuration (
  version bigint primary key,
  document jsonb not null,
  author text not null,
  created_at timestamptz not null default clock_timestamp()
);
comment on table configuration is 'What people decide, whole, one row a version; every decision names the version it used.';

create table sku_mapping (
  shop text not null,
  product_id text not null,
  sku_id integer not null,
  pack_units integer not null default 1 constraint sku_mapping_pack check (pack_units >= 1),
  primary key (shop, product_id)
);

-- ── supply ───────────────────────────────────────────────────────────────────────────────────────────────────────────

create table source (
  name text primary key,
  cursor text,
  last_message_at timestamptz
);

create table warehouse (
  name text primary key,
  source text not null references source (name),
  zone text not null
);

create table sku (
  id integer generated always as identity primary key,
  sku text not null constraint sku_one_row unique,
  sent_as text not null,
  version bigint not null default 0,
  next_demand integer not null default 1
);
comment on column sku.version is 'Last ledger version of this SKU; its row is the lock of every decision about it.';

create table figure (
  sku_id integer not null references sku (id),
  warehouse text not null,
  units integer not null,
  semantics text not null constraint figure_semantics check (semantics in ('net', 'gross')),
  on_hand integer constraint figure_on_hand check (on_hand >= 0),
  blocked integer constraint figure_blocked check (blocked >= 0),
  allocated integer constraint figure_allocated check (allocated >= 0),
  incoming integer constraint figure_incoming check (incoming >= 0),
  backorder_veto boolean,
  epoch integer not null,
  sequence bigint,
  as_of timestamptz,
  received_at timestamptz not null,
  message_id text not null,
  disputed boolean not null,
  rises jsonb not null default '[]',
  rise_due_at timestamptz,
  movements jsonb not null default '[]',
  steps jsonb not null default '[]',
  pegged_units integer not null default 0 constraint figure_pegged check (pegged_units >= 0),
  contained_units integer not null default 0 constraint figure_contained check (contained_units >= 0),
  charged_units integer not null default 0 constraint figure_charged check (charged_units between 0 and contained_units),
  primary key (sku_id, warehouse)
) with (fillfactor = 80);
create index figure_rise_due_idx on figure (rise_due_at) where rise_due_at is not null;

create table inbound_line (
  sku_id integer not null references sku (id),
  purchase_order text not null,
  line text not null,
  warehouse text not null,
  supplier text,
  ordered integer not null constraint inbound_line_ordered check (ordered >= 0),
  received integer not null constraint inbound_line_received check (received >= 0),
  blocked integer constraint inbound_line_blocked check (blocked >= 0),
  confirmed boolean not null,
  eta date,
  cancelled boolean not null,
  epoch integer not null,
  sequence bigint,
  as_of timestamptz,
  received_at timestamptz not null,
  primary key (sku_id, purchase_order, line)
);

create table eta_change (
  id bigint generated always as identity primary key,
  sku_id integer not null references sku (id),
  purchase_order text not null,
  line text not null,
  supplier text,
  eta_before date,
  eta_after date,
  told_at timestamptz not null
);

-- ── demand ───────────────────────────────────────────────────────────────────────────────────────────────────────────

create table sku_shop (
  sku_id integer not null references sku (id),
  shop text not null,
  open_units integer not null constraint sku_shop_open check (open_units >= 0),
  shortage_units integer not null constraint sku_shop_shortage check (shortage_units >= 0),
  untracked_units integer not null constraint sku_shop_untracked check (untracked_units >= 0),
  primary key (sku_id, shop)
) with (fillfactor = 80);
comment on table sku_shop is 'Counters of the live demands of one SKU in one shop.';

create table reservation (
  id text primary key,
  shop text not null,
  via text not null constraint reservation_via check (via in ('gateway', 'api')),
  called_at timestamptz not null,
  until timestamptz,
  -- HMAC of the cart token under a key of this database: groups the attempts of one basket, tells nobody the token.
  basket bytea
);
create index reservation_basket_idx on reservation (basket) where basket is not null;

create table demand (
  sku_id integer not null references sku (id),
  no integer not null,
  shop text not null,
  units integer not null constraint demand_units check (units > 0),
  phase text not null
    constraint demand_phase check (phase in ('held', 'placed', 'acknowledged', 'allocated', 'picked', 'shipped')),
  supply text not null constraint demand_supply check (supply in ('on-hand', 'inbound', 'shortage', 'untracked')),
  warehouse text,
  purchase_order text,
  line text,
  contained boolean not null,
  proof text,
  promised_at timestamptz not null,
  reservation text,
  line_key text,
  deadline_kind text constraint demand_deadline check (deadline_kind in ('watermark', 'moment')),
  deadline_at timestamptz,
  order_id text,
  order_number text,
  order_line text,
  placed_at timestamptz,
  known_since jsonb,
  mark jsonb,
  unmark jsonb,
  cancel_requested boolean not null default false,
  ended text constraint demand_end check (ended in ('expired', 'released', 'cancelled', 'shipped-and-included')),
  primary key (sku_id, no),
  constraint demand_pegged_somewhere check ((supply in ('on-hand', 'inbound')) = (warehouse is not null)),
  constraint demand_inbound_named check ((supply = 'inbound') = (purchase_order is not null and line is not null)),
  constraint demand_placed_has_order check (phase = 'held' or order_id is not null),
  constraint demand_contained_on_hand check (not contained or supply = 'on-hand')
) with (fillfactor = 80);
create index demand_live_idx on demand (sku_id) where ended is null;
create index demand_reservation_idx on demand (reservation) where reservation is not null and ended is null;
create index demand_line_key_idx on demand (line_key) where line_key is not null;
create index demand_order_idx on demand (shop, order_id) where order_id is not null;
create index demand_order_number_idx on demand (order_number) where order_number is not null;
create index demand_deadline_idx on demand (shop, deadline_kind, deadline_at) where phase = 'held' and ended is null;

create table answer (
  scope text not null,
  key text not null,
  request_hash bytea not null,
  http_code integer not null,
  body jsonb not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (scope, key)
);
comment on table answer is 'What an Idempotency-Key was answered with; kept some days.';

-- ── truth ────────────────────────────────────────────────────────────────────────────────────────────────────────────

create table ledger_entry (
  seq bigint generated always as identity,
  txid xid8 not null default pg_current_xact_id(),
  at timestamptz not null,
  stream text not null,
  version bigint not null constraint ledger_entry_version check (version > 0),
  kind text not null,
  actor text not null,
  cause text not null,
  configuration bigint not null,
  body jsonb not null,
  hash bytea not null constraint ledger_entry_hash check (length(hash) = 32),
  constraint ledger_entry_one_writer unique (stream, version, at)
) partition by range (at);
comment on table ledger_entry is 'Append-only: one decision about one stream. Streams: sku:…, shop:…, source:…, configuration.';
create index ledger_entry_feed_idx on ledger_entry (txid, seq);
-- What is searched is told in the order of time. A cause may be as long as a message's id: an index row may not.
create index ledger_entry_at_idx on ledger_entry (at, seq);
create index ledger_entry_actor_idx on ledger_entry (actor, at, seq);
create index ledger_entry_cause_idx on ledger_entry (left(cause, 100), at, seq);
create index ledger_entry_kind_idx on ledger_entry (kind, at, seq);
-- Each 200th entry of a stream may get a snapshot; few entries are checkpoints. Both indexes stay small.
create index ledger_entry_milestone_idx on ledger_entry (txid, seq) where version % 200 = 0;
create index ledger_entry_checkpoint_idx on ledger_entry (stream, version) where kind = 'checkpoint';
create table ledger_entry_other partition of ledger_entry default;

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'The ledger is append-only: % is refused. Correct a mistake with a new entry.', tg_op
    using errcode = 'restrict_violation';
end $$;

create trigger ledger_entry_append_only before update or delete on ledger_entry
  for each row execute function refuse_change();
create trigger ledger_entry_not_emptied before truncate on ledger_entry
  for each statement execute function refuse_change();
create trigger ledger_entry_not_emptied before truncate on ledger_entry_other
  for each statement execute function refuse_change();

create function ledger_partition(month date) returns void language plpgsql as $$
declare
  first date := date_trunc('month', month);
  name text := format('ledger_entry_%s', to_char(first, 'YYYY_MM'));
begin
  if to_regclass(format('%I.%I', current_schema(), name)) is not null then return; end if;
  execute format(
    'create table %I partition of ledger_entry for values from (%L) to (%L)',
    name, first::timestamp at time zone 'UTC', (first + interval '1 month')::timestamp at time zone 'UTC'
  );
  -- Triggers for each row come down from the ledger; one against emptying has to be given to every partition.
  execute format('create trigger ledger_entry_not_emptied before truncate on %I for each statement execute function refuse_change()', name);
exception
  -- Another process made it meanwhile; or the month has begun in the default partition, and then it stays there.
  when duplicate_table or unique_violation or check_violation then return;
end $$;
comment on function ledger_partition is 'Makes the partition of a month (UTC) unless it is there. Called ahead of time, at each start and while sealing; the default partition is only a net.';

create table seal (
  no bigint primary key,
  last_txid xid8 not null,
  last_seq bigint not null,
  month date not null,
  entries integer not null,
  block bytea not null,
  hash bytea not null,
  sealed_at timestamptz not null default clock_timestamp()
);
comment on table seal is 'The chain: hash n covers hash n-1 and block n, which covers the content hashes of its entries in feed order.';
comment on column seal.month is 'All entries of a block are of one month (UTC): a month that is archived takes whole blocks, and the chain of seals stays.';
create table ledger_snapshot (
  stream text not null,
  version bigint not null,
  at timestamptz not null,
  txid xid8 not null,
  seq bigint not null,
  live_demands integer not null,
  state jsonb not null,
  primary key (stream, version)
);
comment on table ledger_snapshot is 'States on the way, so that a moment of the past is not folded from the beginning. Derived: may be emptied at any time, and verify checks each.';
create index ledger_snapshot_at_idx on ledger_snapshot (stream, at, version);
create index ledger_snapshot_feed_idx on ledger_snapshot (txid, seq);

create trigger seal_append_only before update or delete on seal for each row execute function refuse_change();
create trigger seal_not_emptied before truncate on seal for each statement execute function refuse_change();

-- ── edges ────────────────────────────────────────────────────────────────────────────────────────────────────────────

create table inbox (
  id bigint generated always as identity primary key,
  source text not null,
  message_id text not null,
  received_at timestamptz not null default clock_timestamp(),
  content_hash bytea not null,
  -- The message as sent; emptied after some days, the hash stays.
  raw text,
  notes text[] not null default '{}',
  -- How many words the message holds, and which of them the lane has applied: each exactly once, in the lane's transaction.
  words integer not null constraint inbox_words check (words >= 0),
  applied integer[] not null default '{}',
  claimed_until timestamptz,
  state text not null default 'pending' constraint inbox_state check (state in ('pending', 'done', 'parked', 'dead')),
  verdict text,
  -- Words that wait for orders, and those orders, because the warehouse was quicker than our order reader.
  waiting integer[] not null default '{}',
  waits_for text[] not null default '{}',
  attempts integer not null default 0,
  constraint inbox_once unique (source, message_id)
);
create index inbox_pending_idx on inbox (id) where state = 'pending';
create index inbox_waiting_idx on inbox using gin (waits_for) where waits_for <> '{}';

create table dead_letter (
  id bigint generated always as identity primary key,
  source text not null,
  message_id text not null,
  received_at timestamptz not null default clock_timestamp(),
  raw text,
  reason text not null,
  field text,
  value text,
  state text not null default 'open' constraint dead_letter_state check (state in ('open', 'replayed', 'discarded')),
  decided_at timestamptz
);
create index dead_letter_open_idx on dead_letter (id) where state = 'open';

create table dirty (
  shop text not null,
  sku_id integer not null references sku (id),
  renewed bigint not null default 1,
  since timestamptz not null default clock_timestamp(),
  due_at timestamptz not null default clock_timestamp(),
  claimed_until timestamptz,
  attempts integer not null default 0,
  primary key (shop, sku_id)
) with (fillfactor = 70);
create index dirty_due_idx on dirty (shop, due_at);
comment on column dirty.renewed is 'Grows with every change; a mark is cleared only if it was not renewed since it was claimed.';

create table publication (
  shop text not null,
  sku_id integer not null references sku (id),
  product_id text,
  written_units integer,
  written_version bigint,
  written_at timestamptz,
  revision text,
  seen_units integer,
  seen_at timestamptz,
  -- What the shop shows since our last look or write; after a write of unknown outcome the larger of the two.
  shown_units integer,
  recheck_at timestamptz,
  -- The merchant's own close-out setting from before us; given back when the app goes.
  merchant_close_out boolean,
  quarantined text,
  primary key (shop, sku_id)
) with (fillfactor = 70);
create index publication_recheck_idx on publication (shop, recheck_at) where recheck_at is not null;

create table shop (
  name text primary key,
  zone text,
  state text not null default 'awaited'
    constraint shop_state check (state in ('awaited', 'registered', 'connected', 'inactive', 'gone', 'retired')),
  registered_at timestamptz,
  -- Its open orders have been read: nothing is published before.
  baseline_at timestamptz,
  -- Silence (L2): since when we may have missed something, and since when we are back; both null in ordinary running.
  silent_from timestamptz,
  silence_noticed_at timestamptz,
  returned_at timestamptz,
  read_since_return boolean not null default true
);

create table registration (
  shopware_shop_id text primary key,
  shop text not null,
  revision integer not null,
  live boolean not null,
  -- The handshake's record with the shop's secrets: readable by the service's role alone.
  record jsonb not null
);
create unique index registration_one_live on registration (shop) where live;

create table access_token (
  key text primary key,
  token text not null,
  expires_at timestamptz not null
);

create table webhook_seen (
  shopware_shop_id text not null,
  event_id text not null,
  seen_at timestamptz not null default clock_timestamp(),
  primary key (shopware_shop_id, event_id)
);

create table watermark (
  owner text not null,
  reader text not null,
  position bigint not null default 0,
  moment timestamptz,
  -- Highest order number known at earlier reads: a read goes back by orderInFlight.
  trail jsonb not null default '[]',
  primary key (owner, reader)
);

create table process (
  id uuid primary key,
  started_at timestamptz not null default clock_timestamp(),
  heartbeat_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz
);

create table incident (
  id bigint generated always as identity primary key,
  code text not null,
  key text not null,
  opened_at timestamptz not null default clock_timestamp(),
  closed_at timestamptz,
  seen integer not null default 1,
  shop text,
  sku text,
  order_number text,
  units integer,
  cause text not null
);
create unique index incident_open_once on incident (code, key) where closed_at is null;

create table token (
  hash bytea primary key,
  name text not null,
  scope text not null constraint token_scope check (scope in ('read', 'operate', 'admin')),
  created_at timestamptz not null default clock_timestamp(),
  revoked_at timestamptz
);

create table secret (
  name text primary key,
  value bytea not null
);
comment on table secret is 'Keys that Holdfast made for itself, such as the one that turns cart tokens into basket names.';
