-- The guard in the shop: what somebody else writes there, what a shop refuses, and the merchant's own setting, kept and given back.

alter table publication
  -- When an order of the shop with this SKU was last read as new, changed or gone: until then the shop moved the number itself.
  add column touched_at timestamptz,
  -- Since when the shop refuses our number, and which one: tried again after an hour, or when either side changes.
  add column refused_at timestamptz,
  add column refused_units integer,
  -- `merchant_close_out` is what the merchant had set before our first write; null there means "as its parent".
  add column settings_kept boolean not null default false;
-- A webhook names products by their id.
create index publication_product_idx on publication (shop, product_id);
update publication set settings_kept = merchant_close_out is not null and written_at is not null;

alter table shop
  -- When its cached pages were cleared last: those from before an installation know nothing of the app.
  add column pages_cleared_at timestamptz,
  drop constraint shop_state,
  add constraint shop_state
    check (state in ('awaited', 'registered', 'connected', 'inactive', 'releasing', 'gone', 'retired'));

-- One row for each number that somebody else wrote lately; gone when it is over.
create table foreign_write (
  shop text not null,
  sku_id integer not null references sku (id),
  -- A webhook told that somebody but us wrote the stock; no changed number was found for it yet.
  told_at timestamptz,
  -- A number that changed without us and is not judged yet: from, to, when it was seen, and since when it may have changed.
  old_units integer,
  new_units integer,
  seen_at timestamptz,
  since timestamptz,
  -- The number that stands by policy, and what was sellable then.
  left_units integer,
  left_least_units integer,
  -- When others' writes were put right, oldest first.
  restored_at timestamptz[] not null default '{}',
  fighting_since timestamptz,
  primary key (shop, sku_id),
  constraint foreign_write_sighting check (num_nulls(old_units, new_units, seen_at, since) in (0, 4)),
  constraint foreign_write_left check (num_nulls(left_units, left_least_units) in (0, 2))
);
