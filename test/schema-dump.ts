/** The schema in words, read from PostgreSQL's catalogues: the same text on every version that we support. */
import type { Queryable } from '../src/adapters/postgres/database.ts'

/**
 * Every table with its columns, constraints, indexes, triggers and comments, then every function, each in the order of its name.
 * Partitions of single months are left out: which of them exist depends on the day.
 */
export async function dumpSchema(on: Queryable): Promise<string> {
  const texts = async (query: string): Promise<readonly string[]> =>
    (await on.query<{ text: string }>(query)).rows.map(({ text }) => text.replaceAll('holdfast.', ''))
  const tables = await texts(TABLES)
  const functions = await texts(FUNCTIONS)
  return `${[HEADER, ...tables, ...functions].join('\n\n')}\n`
}

const HEADER =
  '-- What the migrations make, read from the catalogues. Write it anew: node bin/run.js vitest run schema -u'

const IS_OURS = `relnamespace = 'holdfast'::regnamespace and relname !~ '_[0-9]{4}_[0-9]{2}'`

// Contype n, "not null", is a constraint of its own from PostgreSQL 18 on; the columns say it already.
const TABLES = `
select concat_ws(E'\\n',
  case when relispartition then 'create table ' || relname || ' partition of ledger_entry default;' else
    'create table ' || relname || E' (\\n' ||
    (select string_agg(line, E',\\n') from (
      select concat_ws(' ', '  ' || attname, format_type(atttypid, atttypmod),
        case when attidentity = 'a' then 'generated always as identity' end,
        'default ' || pg_get_expr(adbin, adrelid),
        case when attnotnull then 'not null' end) as line
      from pg_attribute
      left join pg_attrdef on adrelid = attrelid and adnum = attnum
      where attrelid = pg_class.oid and attnum > 0 and not attisdropped
      order by attnum
    ) as columns) || E'\\n)' || coalesce(' partition by ' || pg_get_partkeydef(pg_class.oid), '') ||
    coalesce(' with (' || array_to_string(reloptions, ', ') || ')', '') || ';'
  end,
  (select string_agg(format('constraint %s %s;', conname, pg_get_constraintdef(pg_constraint.oid)), E'\\n' order by conname)
   from pg_constraint where conrelid = pg_class.oid and contype <> 'n'),
  (select string_agg(pg_get_indexdef(indexrelid) || ';', E'\\n' order by indexrelid::regclass::text)
   from pg_index where indrelid = pg_class.oid
     and not exists (select from pg_constraint where conindid = indexrelid)),
  (select string_agg(pg_get_triggerdef(pg_trigger.oid) || ';', E'\\n' order by tgname)
   from pg_trigger where tgrelid = pg_class.oid and not tgisinternal),
  (select string_agg(
     format('comment on %s is %L;', coalesce('column ' || attname, 'table'), description), E'\\n' order by objsubid)
   from pg_description
   left join pg_attribute on attrelid = objoid and attnum = objsubid and objsubid > 0
   where objoid = pg_class.oid and classoid = 'pg_class'::regclass)
) as text
from pg_class
where ${IS_OURS} and relkind in ('r', 'p')
order by relname`

const FUNCTIONS = `
select pg_get_functiondef(oid) || ';' as text
from pg_proc
where pronamespace = 'holdfast'::regnamespace
order by proname`
