-- Intent: seals that are removed from the end of the chain are missed. The newest one is kept once more, in a row of its own that only
-- moves forward. No row changes its meaning.

create table seal_head (
  one boolean primary key default true,
  no bigint not null,
  hash bytea not null,
  constraint seal_head_one_row check (one)
);
comment on table seal_head is 'The newest seal, once more. Where the chain ends before it, seals were removed.';

insert into seal_head (no, hash)
select no, hash from seal order by no desc limit 1;

create function seal_head_moves_forward() returns trigger language plpgsql as $$
begin
  if new.no <= old.no then raise exception 'seal_head only moves forward'; end if;
  return new;
end $$;
create trigger seal_head_forward before update on seal_head for each row execute function seal_head_moves_forward();
create trigger seal_head_kept before delete on seal_head for each row execute function refuse_change();
create trigger seal_head_not_emptied before truncate on seal_head for each statement execute function refuse_change();
