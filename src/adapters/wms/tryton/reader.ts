/** Reading records of Tryton: whole, page by page where there may be many, each page one transaction of Tryton's database. */
import { type Row, rowsOf } from './row.ts'
import type { Context, TrytonSession } from './session.ts'

/** A condition of Tryton's: a clause of three or four parts, a list of them, or a list that begins with `OR`. */
export type Domain = readonly unknown[]

/** 1,000 moves took 52 ms. */
const PAGE = 1_000
/** Pages of one reading: ten million rows are no warehouse of ours. */
const MAX_PAGES = 10_000

export type Asked = { readonly domain: Domain; readonly fields: readonly string[]; readonly context?: Context }

/** All rows in one call: one moment, where Tryton's database is PostgreSQL. For what is bounded by its domain. */
export async function readAtOnce(session: TrytonSession, model: string, asked: Asked): Promise<readonly Row[]> {
  const { domain, fields, context } = asked
  return rowsOf(await session.call(`model.${model}.search_read`, [domain, 0, null, null, fields], context), model)
}

/** All rows, page by page by their ids: for what may be many and need not be of one moment. */
export async function* readInPages(
  session: TrytonSession,
  model: string,
  { domain, fields, context }: Asked,
): AsyncGenerator<readonly Row[]> {
  let last = 0
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const params = [[['id', '>', last], domain], 0, PAGE, [['id', 'ASC']], fields]
    const rows = rowsOf(await session.call(`model.${model}.search_read`, params, context), model)
    if (rows.length > 0) yield rows
    if (rows.length < PAGE) return
    last = rows.at(-1)?.id ?? last
  }
}
