-- Which attempts are of one buyer, where a shop caps what one buyer may have. A key is a digest of a mail address or of a shipping
-- address under a key of this database: it tells nobody either, and the rows go once the attempt's units have ended.

create table buyer_attempt (
  key bytea not null,
  reservation text not null,
  held_at timestamptz not null default clock_timestamp(),
  primary key (key, reservation)
);
create index buyer_attempt_held_idx on buyer_attempt (held_at);
