-- Intent: a batch may be decided before it is asked whether all stands that it was decided on. No row changes.

-- A version is a number that two histories may both reach; the batch that wrote a row last is not.
alter table sku add column writer bigint not null default 0;
comment on column sku.writer is 'The batch that wrote the row last, a random number: whoever remembers a state knows by it that nothing has changed.';

create function refuse_unless(stands boolean) returns void language plpgsql as $$
begin
  if not stands then
    raise exception 'What the batch was decided on has changed' using errcode = 'HF001';
  end if;
end $$;
