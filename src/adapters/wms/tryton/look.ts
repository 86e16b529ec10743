/**
 * What may have changed since the last look. Tryton has no cursor that could be trusted: it stamps a change with the start of its
 * transaction and draws ids before the commit, so what commits late lies behind any cursor (1,500 of 1,500 rows in a try), and what
 * is deleted leaves no trace. So the open moves are read whole and compared, the rest is read again from well before the last
 * change, and every SKU in turn besides, by whoever calls.
 */
import { createHash } from 'node:crypto'
import type { Look } from '../../../app/pulled.ts'
import { fieldOf } from '../../shopware/pick.ts'
import { type Anchor, anchorsIn, missingAnchor, newestAnchors } from './anchors.ts'
import { skuIn, WHETHER_ACTIVE_OR_NOT } from './products.ts'
import { trytonToday } from './read.ts'
import { type Domain, readAtOnce, readInPages } from './reader.ts'
import { type Row, rowsOf, trytonMoment } from './row.ts'
import type { TrytonSession } from './session.ts'

/** Longer than any transaction of Tryton takes: what was stamped earlier than it became visible is read all the same. */
const OVERLAP_MS = 10 * 60_000
/** Products whose SKUs are asked for at once. */
const PRODUCTS_AT_ONCE = 500

/** Where to look on from; kept as JSON. */
type TrytonCursor = {
  /** Counts the looks: what the last one found was used only if its cursor comes back. */
  readonly look: number
  /** The newest change that was seen, on Tryton's own clock. */
  readonly changedAt: number
  readonly today: string
  readonly anchors: readonly Anchor[]
}

/** Looks again and again; remembers the open moves from one look to the next. */
export function trytonLook(session: TrytonSession): (since: unknown) => Promise<Look> {
  let open: OpenMoves = new Map()
  let found: { readonly look: number; readonly open: OpenMoves } | undefined

  return async (since) => {
    const cursor = cursorIn(since)
    if (found && found.look === cursor?.look) open = found.open
    const today = await trytonToday(session)
    const anchors = await newestAnchors(session)
    const missing = cursor && (await missingAnchor(session, cursor.anchors, anchors))
    if (missing !== undefined) return { skus: [], cursor: since, restored: missing }
    const now = await openMoves(session)
    // On another day other moves count, although nobody wrote anything.
    const { skus, newest } =
      cursor?.today === today
        ? await changedSince(session, cursor.changedAt - OVERLAP_MS, differing(open, now))
        : await everything(session)
    found = { look: (cursor?.look ?? 0) + 1, open: now }
    const changedAt = Math.max(cursor?.changedAt ?? 0, newest)
    return { skus, cursor: { look: found.look, changedAt, today, anchors } satisfies TrytonCursor }
  }
}

/** What the open moves of each product are, as one hash. */
type OpenMoves = ReadonlyMap<number, string>

async function openMoves(session: TrytonSession): Promise<OpenMoves> {
  const hashes = new Map<number, ReturnType<typeof createHash>>()
  const pages = readInPages(session, 'stock.move', {
    domain: [['state', 'in', ['draft', 'assigned']]],
    fields: ['product', 'state', 'internal_quantity', 'planned_date', 'shipment', 'write_date'],
  })
  for await (const rows of pages)
    for (const row of rows) {
      const hash = hashes.get(row.number('product')) ?? createHash('sha256')
      hashes.set(row.number('product'), hash.update(row.asText))
    }
  return new Map([...hashes].map(([product, hash]) => [product, hash.digest('base64')]))
}

const differing = (before: OpenMoves, now: OpenMoves): readonly number[] =>
  [...new Set([...before.keys(), ...now.keys()])].filter((product) => before.get(product) !== now.get(product))

type Changed = { readonly skus: readonly string[]; readonly newest: number }

/** Every product; their changes are counted from the newest move. */
async function everything(session: TrytonSession): Promise<Changed> {
  // Asked first: what is changed while we read lies after it.
  const params = [[], 0, 1, [['create_date', 'DESC']], ['create_date']]
  const [move] = rowsOf(await session.call('model.stock.move.search_read', params), 'stock.move')
  const skus = new Set<string>()
  const pages = readInPages(session, 'product.product', { domain: [WHETHER_ACTIVE_OR_NOT], fields: ['code'] })
  for await (const rows of pages)
    for (const row of rows) {
      const sku = skuIn(row)
      if (sku !== undefined) skus.add(sku)
    }
  return { skus: [...skus], newest: move?.moment('create_date') ?? 0 }
}

/** Products of which something was written or made since a moment, and those given. */
async function changedSince(session: TrytonSession, from: number, also: readonly number[]): Promise<Changed> {
  const products = new Set(also)
  let newest = 0
  for (const [model, owner] of [
    ['stock.move'],
    ['sale.line', 'sale.'],
    ['purchase.line', 'purchase.'],
    ['product.product', 'template.'],
  ] as const) {
    const pages = readInPages(session, model, {
      domain: ['OR', ...writtenSince(from), ...(owner === undefined ? [] : writtenSince(from, owner))],
      fields: [...(model === 'product.product' ? [] : ['product']), 'create_date', 'write_date'],
    })
    for await (const rows of pages)
      for (const row of rows) {
        newest = Math.max(newest, row.moment('write_date') ?? 0, row.moment('create_date') ?? 0)
        const product = model === 'product.product' ? row.id : row.optionalNumber('product')
        if (product !== undefined) products.add(product)
      }
  }
  return { skus: await skusOf(session, [...products]), newest }
}

/** Nothing was written to a record since it was made: then its `write_date` is empty. */
const writtenSince = (from: number, owner = ''): readonly Domain[] =>
  ['write_date', 'create_date'].map((field) => [`${owner}${field}`, '>=', trytonMoment(from)])

async function skusOf(session: TrytonSession, products: readonly number[]): Promise<readonly string[]> {
  const rows: Row[] = []
  for (let at = 0; at < products.length; at += PRODUCTS_AT_ONCE) {
    const some = products.slice(at, at + PRODUCTS_AT_ONCE)
    rows.push(
      ...(await readAtOnce(session, 'product.product', {
        domain: [['id', 'in', some], WHETHER_ACTIVE_OR_NOT],
        fields: ['code'],
      })),
    )
  }
  return [...new Set(rows.flatMap((row) => skuIn(row) ?? []))]
}

/** A cursor as it was kept; `undefined` for what is none: then everything is looked at. */
function cursorIn(value: unknown): TrytonCursor | undefined {
  const changedAt = fieldOf(value, 'changedAt')
  const today = fieldOf(value, 'today')
  const look = fieldOf(value, 'look')
  if (typeof changedAt !== 'number' || typeof today !== 'string' || typeof look !== 'number') return undefined
  return { look, changedAt, today, anchors: anchorsIn(fieldOf(value, 'anchors')) }
}
