/** Reading a long table page by page, without holding more than one page. */

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
  let ended = false
  const peek = async (): Promise<Row | undefined> => {
    if (index >= page.length && !ended) {
      page = await read(last)
      index = 0
      last = page.at(-1) ?? last
      ended = page.length < size
    }
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
