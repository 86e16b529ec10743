-- Orders whose every payment failed: since when, and whether what follows by policy is done. A row goes when the order is paid,
-- cancelled or gone; an order that was given up softly keeps its row, so that reading it again does not take its units again.

create table unpaid_order (
  shop text not null,
  order_id text not null,
  since timestamptz not null default clock_timestamp(),
  dealt_with boolean not null default false,
  primary key (shop, order_id)
);
create index unpaid_order_due_idx on unpaid_order (shop, since) where not dealt_with;
