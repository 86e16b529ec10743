-- A full comparison of a shop that somebody asked for: how far its marks have been set, by SKU, so that it can be stopped and gone on
-- with, also by another process. One for each shop; a new one takes the row of the last.

create table resync (
  shop text primary key,
  state text not null constraint resync_state check (state in ('running', 'stopped', 'done')),
  begun_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  last_sku_id integer not null default 0
);
