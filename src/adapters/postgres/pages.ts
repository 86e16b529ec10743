/** Reading a long table page by page: holds one page, and the next one while this one is worked on. */

/** Rows one after another, with one look ahead. */
export type Pages<Row> = AsyncIterable<Row> & {
  /** The next row, without taking it. */
  peek(): Promise<Row | undefined>
  next(): Promise<Row | undefined>
}

/**
 * Pages of at most `size` rows; a shorter one is the last.
 *
 * @param read reads the page behind a row; `undefined`: the first page
 */
export function pagesOf<Row>(size: number, read: (last: Row | undefined) => Promise<readonly Row[]>): Pages<Row> {
  let page: readonly Row[] = []
  let index = 0
  let last: Row | undefined
  let coming: Promise<readonly Row[]> | undefined
  let ended = false
  const load = async (): Promise<void> => {
    page = await (coming ?? read(last))
    coming = undefined
    index = 0
    last = page.at(-1) ?? last
    ended = page.length < size
    if (ended) return
    // The database reads while we work. Nobody may come for the page any more: then what it throws is nobody's business either.
    coming = read(last)
    coming.catch(() => undefined)
  }
  const peek = async (): Promise<Row | undefined> => {
    if (index >= page.length && !ended) await load()
    return page[index]
  }
  const next = async (): Promise<Row | undefined> => {
    const row = await peek()
    if (row !== undefined) index += 1
    return row
  }
  return {
    peek,
    next,
    async *[Symbol.asyncIterator]() {
      for (let row = await next(); row !== undefined; row = await next()) yield row
    },
  }
}
