-- Sources that are asked: the number of their last pull, how far they were looked through, and what was last told of each SKU, so
-- that a pull which finds nothing new writes nothing.
alter table source
  add column pull_number bigint not null default 0,
  add column pull_epoch integer not null default 0,
  add column pull_began_at timestamptz,
  add column pull_turn text not null default '',
  add column suspected_since timestamptz;

create table pulled (
  source text not null references source (name),
  sku text not null,
  warehouse text not null,
  hash text not null,
  pull_number bigint not null,
  asked_at timestamptz not null,
  primary key (source, sku, warehouse)
) with (fillfactor = 80);
comment on table pulled is 'What a pulled source was last told to have said, by its hash. Derived: emptied, everything is told once more.';
