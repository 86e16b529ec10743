/** The stock book of a simulated warehouse system: what it believes, in one value that a backup can copy. */

/** Units of one SKU in one warehouse. `elsewhere` is allocated to orders that no shop of ours knows. */
export type BookStock = {
  readonly sku: string
  readonly warehouse: string
  onHand: number
  blocked: number
  elsewhere: number
}

/** One line of an order, with the units that each act has reached. `picked` is part of `allocated`. */
export type BookLine = {
  readonly line: string
  readonly sku: string
  units: number
  warehouse: string
  allocated: number
  picked: number
  shipped: number
  cancelled: number
}

/** Everything that a backup holds. */
export type Book = {
  sequence: number
  epoch: number
  readonly stock: Map<string, BookStock>
  readonly orders: Map<string, { readonly shop: string; readonly orderNumber: string; readonly lines: BookLine[] }>
}

/** A book before the first word. */
export const emptyBook = (): Book => ({ sequence: 0, epoch: 0, stock: new Map(), orders: new Map() })

/** The stock of one SKU in one warehouse; begins with nothing. */
export function bookOf(book: Book, sku: string, warehouse: string): BookStock {
  const key = `${warehouse}/${sku}`
  const known = book.stock.get(key) ?? { sku, warehouse, onHand: 0, blocked: 0, elsewhere: 0 }
  book.stock.set(key, known)
  return known
}

/** The lines of an order, or one of them; throws where the book has no such order. */
export function lineOf(book: Book, shop: string, orderNumber: string, line?: string): readonly BookLine[] {
  const order = book.orders.get(`${shop}/${orderNumber}`)
  if (order === undefined) throw new Error(`the warehouse has never heard of order ${orderNumber} of ${shop}`)
  return order.lines.filter((each) => line === undefined || each.line === line)
}

/** Units that are allocated to orders of our shops. */
export function ownAllocated(book: Book, sku: string, warehouse: string): number {
  let units = 0
  for (const { lines } of book.orders.values())
    for (const line of lines) if (line.sku === sku && line.warehouse === warehouse) units += line.allocated
  return units
}
