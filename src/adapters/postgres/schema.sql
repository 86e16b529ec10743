-- What the migrations make, read from the catalogues. Write it anew: node bin/run.js vitest run schema -u

create table access_token (
  key text not null,
  token text not null,
  expires_at timestamp with time zone not null
);
constraint access_token_pkey PRIMARY KEY (key);

create table answer (
  scope text not null,
  key text not null,
  request_hash bytea not null,
  http_code integer not null,
  body jsonb not null,
  created_at timestamp with time zone default clock_timestamp() not null
);
constraint answer_pkey PRIMARY KEY (scope, key);
comment on table is 'What an Idempotency-Key was answered with; kept some days.';

create table buyer_attempt (
  key bytea not null,
  reservation text not null,
  held_at timestamp with time zone default clock_timestamp() not null
);
constraint buyer_attempt_pkey PRIMARY KEY (key, reservation);
CREATE INDEX buyer_attempt_held_idx ON buyer_attempt USING btree (held_at);

create table configuration (
  version bigint not null,
  document jsonb not null,
  author text not null,
  created_at timestamp with time zone default clock_timestamp() not null
);
constraint configuration_pkey PRIMARY KEY (version);
comment on table is 'What people decide, whole, one row a version; every decision names the version it used.';

create table dead_letter (
  id bigint generated always as identity not null,
  source text not null,
  message_id text not null,
  received_at timestamp with time zone default clock_timestamp() not null,
  raw text,
  reason text not null,
  field text,
  value text,
  state text default 'open'::text not null,
  decided_at timestamp with time zone
);
constraint dead_letter_pkey PRIMARY KEY (id);
constraint dead_letter_state CHECK ((state = ANY (ARRAY['open'::text, 'replayed'::text, 'discarded'::text])));
CREATE INDEX dead_letter_open_idx ON dead_letter USING btree (id) WHERE (state = 'open'::text);

create table demand (
  sku_id integer not null,
  no integer not null,
  shop text not null,
  units integer not null,
  phase text not null,
  supply text not null,
  warehouse text,
  purchase_order text,
  line text,
  contained boolean not null,
  proof text,
  promised_at timestamp with time zone not null,
  reservation text,
  line_key text,
  deadline_kind text,
  deadline_at timestamp with time zone,
  order_id text,
  order_number text,
  order_line text,
  placed_at timestamp with time zone,
  known_since jsonb,
  mark jsonb,
  unmark jsonb,
  cancel_requested boolean default false not null,
  ended text,
  promise jsonb
) with (fillfactor=80);
constraint demand_contained_on_hand CHECK (((NOT contained) OR (supply = 'on-hand'::text)));
constraint demand_deadline CHECK ((deadline_kind = ANY (ARRAY['watermark'::text, 'moment'::text])));
constraint demand_end CHECK ((ended = ANY (ARRAY['expired'::text, 'released'::text, 'cancelled'::text, 'shipped-and-included'::text])));
constraint demand_inbound_named CHECK (((supply = 'inbound'::text) = ((purchase_order IS NOT NULL) AND (line IS NOT NULL))));
constraint demand_pegged_somewhere CHECK (((supply = ANY (ARRAY['on-hand'::text, 'inbound'::text])) = (warehouse IS NOT NULL)));
constraint demand_phase CHECK ((phase = ANY (ARRAY['held'::text, 'placed'::text, 'acknowledged'::text, 'allocated'::text, 'picked'::text, 'shipped'::text])));
constraint demand_pkey PRIMARY KEY (sku_id, no);
constraint demand_placed_has_order CHECK (((phase = 'held'::text) OR (order_id IS NOT NULL)));
constraint demand_supply CHECK ((supply = ANY (ARRAY['on-hand'::text, 'inbound'::text, 'shortage'::text, 'untracked'::text])));
constraint demand_units CHECK ((units > 0));
CREATE INDEX demand_deadline_idx ON demand USING btree (shop, deadline_kind, deadline_at) WHERE ((phase = 'held'::text) AND (ended IS NULL));
CREATE INDEX demand_line_key_idx ON demand USING btree (line_key) WHERE (line_key IS NOT NULL);
CREATE INDEX demand_live_idx ON demand USING btree (sku_id) WHERE (ended IS NULL);
CREATE INDEX demand_order_idx ON demand USING btree (shop, order_id) WHERE (order_id IS NOT NULL);
CREATE INDEX demand_order_number_idx ON demand USING btree (order_number) WHERE (order_number IS NOT NULL);
CREATE INDEX demand_reservation_idx ON demand USING btree (reservation) WHERE ((reservation IS NOT NULL) AND (ended IS NULL));

create table dirty (
  shop text not null,
  sku_id integer not null,
  renewed bigint default 1 not null,
  since timestamp with time zone default clock_timestamp() not null,
  due_at timestamp with time zone default clock_timestamp() not null,
  claimed_until timestamp with time zone,
  attempts integer default 0 not null
) with (fillfactor=70);
constraint dirty_pkey PRIMARY KEY (shop, sku_id);
CREATE INDEX dirty_due_idx ON dirty USING btree (shop, due_at);
comment on column renewed is 'Grows with every change; a mark is cleared only if it was not renewed since it was claimed.';

create table eta_change (
  id bigint generated always as identity not null,
  sku_id integer not null,
  purchase_order text not null,
  line text not null,
  supplier text,
  eta_before date,
  eta_after date,
  told_at timestamp with time zone not null
);
constraint eta_change_pkey PRIMARY KEY (id);
constraint eta_change_sku_id_fkey FOREIGN KEY (sku_id) REFERENCES sku(id);

create table figure (
  sku_id integer not null,
  warehouse text not null,
  units integer not null,
  semantics text not null,
  on_hand integer,
  blocked integer,
  allocated integer,
  incoming integer,
  backorder_veto boolean,
  epoch integer not null,
  sequence bigint,
  as_of timestamp with time zone,
  received_at timestamp with time zone not null,
  message_id text not null,
  disputed boolean not null,
  rises jsonb default '[]'::jsonb not null,
  rise_due_at timestamp with time zone,
  movements jsonb default '[]'::jsonb not null,
  steps jsonb default '[]'::jsonb not null,
  charged_units integer default 0 not null,
  surges jsonb default '[]'::jsonb not null
) with (fillfactor=80);
constraint figure_allocated CHECK ((allocated >= 0));
constraint figure_blocked CHECK ((blocked >= 0));
constraint figure_charged CHECK ((charged_units >= 0));
constraint figure_incoming CHECK ((incoming >= 0));
constraint figure_on_hand CHECK ((on_hand >= 0));
constraint figure_pkey PRIMARY KEY (sku_id, warehouse);
constraint figure_semantics CHECK ((semantics = ANY (ARRAY['net'::text, 'gross'::text])));
constraint figure_sku_id_fkey FOREIGN KEY (sku_id) REFERENCES sku(id);
CREATE INDEX figure_rise_due_idx ON figure USING btree (rise_due_at) WHERE (rise_due_at IS NOT NULL);

create table foreign_write (
  shop text not null,
  sku_id integer not null,
  told_at timestamp with time zone,
  old_units integer,
  new_units integer,
  seen_at timestamp with time zone,
  since timestamp with time zone,
  left_units integer,
  left_least_units integer,
  restored_at timestamp with time zone[] default '{}'::timestamp with time zone[] not null,
  fighting_since timestamp with time zone
);
constraint foreign_write_left CHECK ((num_nulls(left_units, left_least_units) = ANY (ARRAY[0, 2])));
constraint foreign_write_pkey PRIMARY KEY (shop, sku_id);
constraint foreign_write_sighting CHECK ((num_nulls(old_units, new_units, seen_at, since) = ANY (ARRAY[0, 4])));
constraint foreign_write_sku_id_fkey FOREIGN KEY (sku_id) REFERENCES sku(id);

create table inbound_line (
  sku_id integer not null,
  purchase_order text not null,
  line text not null,
  warehouse text not null,
  supplier text,
  ordered integer not null,
  received integer not null,
  blocked integer,
  confirmed boolean not null,
  eta date,
  cancelled boolean not null,
  epoch integer not null,
  sequence bigint,
  as_of timestamp with time zone,
  received_at timestamp with time zone not null,
  rejected integer,
  earlier jsonb default '[]'::jsonb not null,
  receipts jsonb default '[]'::jsonb not null,
  credits jsonb default '[]'::jsonb not null
);
constraint inbound_line_blocked CHECK ((blocked >= 0));
constraint inbound_line_ordered CHECK ((ordered >= 0));
constraint inbound_line_pkey PRIMARY KEY (sku_id, purchase_order, line);
constraint inbound_line_received CHECK ((received >= 0));
constraint inbound_line_rejected CHECK ((rejected >= 0));
constraint inbound_line_sku_id_fkey FOREIGN KEY (sku_id) REFERENCES sku(id);

create table inbox (
  id bigint generated always as identity not null,
  source text not null,
  message_id text not null,
  received_at timestamp with time zone default clock_timestamp() not null,
  content_hash bytea not null,
  raw text,
  notes text[] default '{}'::text[] not null,
  words integer not null,
  applied integer[] default '{}'::integer[] not null,
  claimed_until timestamp with time zone,
  state text default 'pending'::text not null,
  verdict text,
  waiting integer[] default '{}'::integer[] not null,
  waits_for text[] default '{}'::text[] not null,
  attempts integer default 0 not null
);
constraint inbox_once UNIQUE (source, message_id);
constraint inbox_pkey PRIMARY KEY (id);
constraint inbox_state CHECK ((state = ANY (ARRAY['pending'::text, 'done'::text, 'parked'::text, 'dead'::text])));
constraint inbox_words CHECK ((words >= 0));
CREATE INDEX inbox_pending_idx ON inbox USING btree (id) WHERE (state = 'pending'::text);
CREATE INDEX inbox_waiting_idx ON inbox USING gin (waits_for) WHERE (waits_for <> '{}'::text[]);

create table incident (
  id bigint generated always as identity not null,
  code text not null,
  key text not null,
  opened_at timestamp with time zone default clock_timestamp() not null,
  closed_at timestamp with time zone,
  seen integer default 1 not null,
  shop text,
  sku text,
  order_number text,
  units integer,
  cause text not null
);
constraint incident_pkey PRIMARY KEY (id);
CREATE UNIQUE INDEX incident_open_once ON incident USING btree (code, key) WHERE (closed_at IS NULL);

create table invitation (
  shop text not null,
  until timestamp with time zone not null
);
constraint invitation_pkey PRIMARY KEY (shop);

create table ledger_entry (
  seq bigint generated always as identity not null,
  txid xid8 default pg_current_xact_id() not null,
  at timestamp with time zone not null,
  stream text not null,
  version bigint not null,
  kind text not null,
  actor text not null,
  cause text not null,
  configuration bigint not null,
  body json not null,
  hash bytea not null
) partition by RANGE (at);
constraint ledger_entry_hash CHECK ((length(hash) = 32));
constraint ledger_entry_one_writer UNIQUE (stream, version, at);
constraint ledger_entry_version CHECK ((version > 0));
CREATE INDEX ledger_entry_actor_idx ON ONLY ledger_entry USING btree (actor, at, seq);
CREATE INDEX ledger_entry_at_idx ON ONLY ledger_entry USING btree (at, seq);
CREATE INDEX ledger_entry_cause_idx ON ONLY ledger_entry USING btree ("left"(cause, 100), at, seq) WHERE (cause <> 'checkout'::text);
CREATE INDEX ledger_entry_checkpoint_idx ON ONLY ledger_entry USING btree (stream, version) WHERE (kind = 'checkpoint'::text);
CREATE INDEX ledger_entry_feed_idx ON ONLY ledger_entry USING btree (txid, seq);
CREATE INDEX ledger_entry_kind_idx ON ONLY ledger_entry USING btree (kind, at, seq) WHERE (kind <> ALL (ARRAY['hold'::text, 'word'::text]));
CREATE INDEX ledger_entry_milestone_idx ON ONLY ledger_entry USING btree (txid, seq) WHERE ((version % (200)::bigint) = 0);
CREATE TRIGGER ledger_entry_append_only BEFORE DELETE OR UPDATE ON ledger_entry FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_entry_not_emptied BEFORE TRUNCATE ON ledger_entry FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
comment on table is 'Append-only: one decision about one stream. Streams: sku:…, shop:…, source:…, configuration.';

create table ledger_entry_other partition of ledger_entry default;
constraint ledger_entry_hash CHECK ((length(hash) = 32));
constraint ledger_entry_other_stream_version_at_key UNIQUE (stream, version, at);
constraint ledger_entry_version CHECK ((version > 0));
CREATE INDEX ledger_entry_other_actor_at_seq_idx ON ledger_entry_other USING btree (actor, at, seq);
CREATE INDEX ledger_entry_other_at_seq_idx ON ledger_entry_other USING btree (at, seq);
CREATE INDEX ledger_entry_other_kind_at_seq_idx ON ledger_entry_other USING btree (kind, at, seq) WHERE (kind <> ALL (ARRAY['hold'::text, 'word'::text]));
CREATE INDEX ledger_entry_other_left_at_seq_idx ON ledger_entry_other USING btree ("left"(cause, 100), at, seq) WHERE (cause <> 'checkout'::text);
CREATE INDEX ledger_entry_other_stream_version_idx ON ledger_entry_other USING btree (stream, version) WHERE (kind = 'checkpoint'::text);
CREATE INDEX ledger_entry_other_txid_seq_idx ON ledger_entry_other USING btree (txid, seq);
CREATE INDEX ledger_entry_other_txid_seq_idx1 ON ledger_entry_other USING btree (txid, seq) WHERE ((version % (200)::bigint) = 0);
CREATE TRIGGER ledger_entry_append_only BEFORE DELETE OR UPDATE ON ledger_entry_other FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_entry_not_emptied BEFORE TRUNCATE ON ledger_entry_other FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

create table ledger_snapshot (
  stream text not null,
  version bigint not null,
  at timestamp with time zone not null,
  txid xid8 not null,
  seq bigint not null,
  live_demands integer not null,
  state jsonb not null
);
constraint ledger_snapshot_pkey PRIMARY KEY (stream, version);
CREATE INDEX ledger_snapshot_at_idx ON ledger_snapshot USING btree (stream, at, version);
CREATE INDEX ledger_snapshot_feed_idx ON ledger_snapshot USING btree (txid, seq);
comment on table is 'States on the way, so that a moment of the past is not folded from the beginning. Derived: may be emptied at any time, and verify checks each.';

create table migration (
  name text not null,
  ran_at timestamp with time zone default clock_timestamp() not null
);
constraint migration_pkey PRIMARY KEY (name);

create table process (
  id uuid not null,
  started_at timestamp with time zone default clock_timestamp() not null,
  heartbeat_at timestamp with time zone default clock_timestamp() not null,
  ended_at timestamp with time zone
);
constraint process_pkey PRIMARY KEY (id);

create table publication (
  shop text not null,
  sku_id integer not null,
  product_id text,
  written_units integer,
  written_version bigint,
  written_at timestamp with time zone,
  revision text,
  seen_units integer,
  seen_at timestamp with time zone,
  shown_units integer,
  recheck_at timestamp with time zone,
  merchant_close_out boolean,
  quarantined text,
  touched_at timestamp with time zone,
  refused_at timestamp with time zone,
  refused_units integer,
  settings_kept boolean default false not null,
  unread_units integer
) with (fillfactor=70);
constraint publication_pkey PRIMARY KEY (shop, sku_id);
constraint publication_sku_id_fkey FOREIGN KEY (sku_id) REFERENCES sku(id);
CREATE INDEX publication_product_idx ON publication USING btree (shop, product_id);
CREATE INDEX publication_recheck_idx ON publication USING btree (shop, recheck_at) WHERE (recheck_at IS NOT NULL);

create table pulled (
  source text not null,
  sku text not null,
  warehouse text not null,
  hash text not null,
  pull_number bigint not null,
  asked_at timestamp with time zone not null
) with (fillfactor=80);
constraint pulled_pkey PRIMARY KEY (source, sku, warehouse);
constraint pulled_source_fkey FOREIGN KEY (source) REFERENCES source(name);
comment on table is 'What a pulled source was last told to have said, by its hash. Derived: emptied, everything is told once more.';

create table registration (
  shopware_shop_id text not null,
  shop text not null,
  revision integer not null,
  live boolean not null,
  record jsonb not null
);
constraint registration_pkey PRIMARY KEY (shopware_shop_id);
CREATE UNIQUE INDEX registration_one_live ON registration USING btree (shop) WHERE live;

create table reservation (
  id text not null,
  shop text not null,
  via text not null,
  called_at timestamp with time zone not null,
  until timestamp with time zone,
  basket bytea
);
constraint reservation_pkey PRIMARY KEY (id);
constraint reservation_via CHECK ((via = ANY (ARRAY['gateway'::text, 'api'::text])));

create table resync (
  shop text not null,
  state text not null,
  begun_at timestamp with time zone default clock_timestamp() not null,
  ended_at timestamp with time zone,
  last_sku_id integer default 0 not null
);
constraint resync_pkey PRIMARY KEY (shop);
constraint resync_state CHECK ((state = ANY (ARRAY['running'::text, 'stopped'::text, 'done'::text])));

create table seal (
  no bigint not null,
  last_txid xid8 not null,
  last_seq bigint not null,
  month date not null,
  entries integer not null,
  block bytea not null,
  hash bytea not null,
  sealed_at timestamp with time zone default clock_timestamp() not null
);
constraint seal_pkey PRIMARY KEY (no);
CREATE TRIGGER seal_append_only BEFORE DELETE OR UPDATE ON seal FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER seal_not_emptied BEFORE TRUNCATE ON seal FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
comment on table is 'The chain: hash n covers hash n-1 and block n, which covers the content hashes of its entries in feed order.';
comment on column month is 'All entries of a block are of one month (UTC): a month that is archived takes whole blocks, and the chain of seals stays.';

create table seal_head (
  one boolean default true not null,
  no bigint not null,
  hash bytea not null
);
constraint seal_head_one_row CHECK (one);
constraint seal_head_pkey PRIMARY KEY (one);
CREATE TRIGGER seal_head_forward BEFORE UPDATE ON seal_head FOR EACH ROW EXECUTE FUNCTION seal_head_moves_forward();
CREATE TRIGGER seal_head_kept BEFORE DELETE ON seal_head FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER seal_head_not_emptied BEFORE TRUNCATE ON seal_head FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
comment on table is 'The newest seal, once more. Where the chain ends before it, seals were removed.';

create table secret (
  name text not null,
  value bytea not null
);
constraint secret_pkey PRIMARY KEY (name);
comment on table is 'Keys that Holdfast made for itself, such as the one that turns cart tokens into basket names.';

create table shop (
  name text not null,
  zone text,
  state text default 'awaited'::text not null,
  registered_at timestamp with time zone,
  baseline_at timestamp with time zone,
  silent_from timestamp with time zone,
  silence_noticed_at timestamp with time zone,
  returned_at timestamp with time zone,
  read_since_return boolean default true not null,
  pages_cleared_at timestamp with time zone
);
constraint shop_pkey PRIMARY KEY (name);
constraint shop_state CHECK ((state = ANY (ARRAY['awaited'::text, 'registered'::text, 'connected'::text, 'inactive'::text, 'releasing'::text, 'gone'::text, 'retired'::text])));

create table sku (
  id integer generated always as identity not null,
  sku text not null,
  sent_as text not null,
  version bigint default 0 not null,
  next_demand integer default 1 not null,
  counts jsonb default '{"shops": {}, "shelves": {}}'::jsonb not null,
  writer bigint default 0 not null
) with (fillfactor=70);
constraint sku_counts CHECK ((NOT (counts @? '$.*.*[*]?(@ < 0 || @ > 2147483647)'::jsonpath)));
constraint sku_one_row UNIQUE (sku);
constraint sku_pkey PRIMARY KEY (id);
comment on column version is 'Last ledger version of this SKU; its row is the lock of every decision about it.';
comment on column counts is 'Units of live demands: by warehouse [pegged, contained], by shop [open, shortage, untracked, inbound], by inbound line [pegged]; what is all zero is left out.';
comment on column writer is 'The batch that wrote the row last, a random number: whoever remembers a state knows by it that nothing has changed.';

create table sku_mapping (
  shop text not null,
  product_id text not null,
  sku_id integer not null,
  pack_units integer default 1 not null
);
constraint sku_mapping_pack CHECK ((pack_units >= 1));
constraint sku_mapping_pkey PRIMARY KEY (shop, product_id);

create table source (
  name text not null,
  cursor text,
  last_message_at timestamp with time zone,
  pull_number bigint default 0 not null,
  pull_epoch integer default 0 not null,
  pull_began_at timestamp with time zone,
  pull_turn text default ''::text not null,
  suspected_since timestamp with time zone
);
constraint source_pkey PRIMARY KEY (name);

create table token (
  hash bytea not null,
  name text not null,
  scope text not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  revoked_at timestamp with time zone
);
constraint token_pkey PRIMARY KEY (hash);
constraint token_scope CHECK ((scope = ANY (ARRAY['read'::text, 'operate'::text, 'admin'::text])));

create table unpaid_order (
  shop text not null,
  order_id text not null,
  since timestamp with time zone default clock_timestamp() not null,
  dealt_with boolean default false not null
);
constraint unpaid_order_pkey PRIMARY KEY (shop, order_id);
CREATE INDEX unpaid_order_due_idx ON unpaid_order USING btree (shop, since) WHERE (NOT dealt_with);

create table warehouse (
  name text not null,
  source text not null,
  zone text not null
);
constraint warehouse_pkey PRIMARY KEY (name);
constraint warehouse_source_fkey FOREIGN KEY (source) REFERENCES source(name);

create table watermark (
  owner text not null,
  reader text not null,
  position bigint default 0 not null,
  moment timestamp with time zone,
  trail jsonb default '[]'::jsonb not null
);
constraint watermark_pkey PRIMARY KEY (owner, reader);

create table webhook_seen (
  shopware_shop_id text not null,
  event_id text not null,
  seen_at timestamp with time zone default clock_timestamp() not null
);
constraint webhook_seen_pkey PRIMARY KEY (shopware_shop_id, event_id);

CREATE OR REPLACE FUNCTION ledger_partition(month date)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
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
end $function$
;

CREATE OR REPLACE FUNCTION refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'The ledger is append-only: % is refused. Correct a mistake with a new entry.', tg_op
    using errcode = 'restrict_violation';
end $function$
;

CREATE OR REPLACE FUNCTION refuse_unless(stands boolean)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
  if not stands then
    raise exception 'What the batch was decided on has changed' using errcode = 'HF001';
  end if;
end $function$
;

CREATE OR REPLACE FUNCTION seal_head_moves_forward()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if new.no <= old.no then raise exception 'seal_head only moves forward'; end if;
  return new;
end $function$
;
