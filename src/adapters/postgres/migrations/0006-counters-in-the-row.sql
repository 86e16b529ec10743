-- Intent: the counters of a SKU lie in its row. A decision locks and writes that row anyway; three rows for each line become one.

-- Only what is not all zero, each list in the order of its names:
-- {"shelves": {"main": [pegged, contained]}, "shops": {"nord": [open, shortage, untracked]}}
alter table sku add column counts jsonb not null default '{"shops": {}, "shelves": {}}';

update sku set counts = jsonb_build_object(
  'shelves', coalesce((
    select jsonb_object_agg(warehouse, jsonb_build_array(pegged_units, contained_units))
    from figure
    where figure.sku_id = sku.id
      and (pegged_units, contained_units) <> (0, 0)
  ), '{}'),
  'shops', coalesce((
    select jsonb_object_agg(shop, jsonb_build_array(open_units, shortage_units, untracked_units))
    from sku_shop
    where sku_shop.sku_id = sku.id
      and (open_units, shortage_units, untracked_units) <> (0, 0, 0)
  ), '{}'));

alter table sku add constraint sku_counts check (not counts @? '$.*.*[*] ? (@ < 0 || @ > 2147483647)');
comment on column sku.counts is 'Units of live demands: by warehouse [pegged, contained], by shop [open, shortage, untracked]; what is all zero is left out.';

drop table sku_shop;
alter table figure drop constraint figure_charged;
alter table figure drop column pegged_units;
alter table figure drop column contained_units;
alter table figure add constraint figure_charged check (charged_units >= 0);
