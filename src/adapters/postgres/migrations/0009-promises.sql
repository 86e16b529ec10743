-- Intent: units may wait for an inbound line, with the day that was told. No row changes its meaning: nothing waits for a line yet.

alter table inbound_line
  add rejected integer constraint inbound_line_rejected check (rejected >= 0),
  -- What was said before, and which receipts named it, since the statement that the figure in force is not older than.
  add earlier jsonb not null default '[]',
  add receipts jsonb not null default '[]',
  -- Rises that statements explained and of which a receipt may still tell.
  add credits jsonb not null default '[]';

-- Rises that are older than the steps and may still be goods of an inbound line.
alter table figure add surges jsonb not null default '[]';

-- What the customer was told: the kind, the first day, the day that counts now.
alter table demand add promise jsonb;

comment on column sku.counts is 'Units of live demands: by warehouse [pegged, contained], by shop [open, shortage, untracked, inbound], by inbound line [pegged]; what is all zero is left out.';
