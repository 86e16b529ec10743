/** Where a stored row and the ledger's fold part, exactly: table, key, column, both values, and the entry that changed it last. */
import type { Sku } from '../../core/ids.ts'
import { canonicalJson, streamOfSku } from '../../core/ledger.ts'
import type { Queryable } from './database.ts'

/** A row as it lies in a table, or as the ledger tells it: values by column. */
export type Columns = Readonly<Record<string, unknown>>

/** A row of a table of supply or demand. */
export type RowKey = {
  readonly table: 'sku' | 'figure' | 'inbound_line' | 'demand'
  readonly sku: Sku
  /** The rest of its key, such as `{ no: 2 }` or `{ warehouse: 'main' }`; none for `sku` itself. */
  readonly key: Columns
}

export type Difference = {
  readonly table: RowKey['table']
  readonly key: Columns
  /** Absent where the whole row is missing, or is told by nobody. */
  readonly column?: string
  readonly stored: unknown
  readonly told: unknown
  readonly lastChangedBy?: {
    readonly stream: string
    readonly version: number
    readonly at: string
    readonly kind: string
  }
}

/**
 * The first column of a row that is not what the ledger tells, in the order of the columns.
 *
 * @param told the row as the lane would write it; `undefined`: the ledger knows of no such row
 * @param stored the row as it was read; moments as numbers
 */
export function firstDifference(
  told: Columns | undefined,
  stored: Columns | undefined,
): Pick<Difference, 'column' | 'stored' | 'told'> | undefined {
  if (!told && !stored) return undefined
  if (!told || !stored) return { stored: stored ? 'a row' : 'no row', told: told ? 'a row' : 'no row' }
  for (const [column, value] of Object.entries(told)) {
    const kept = asTold(column, stored[column])
    if (!isSame(kept ?? null, value ?? null)) return { column, stored: kept, told: value }
  }
  return undefined
}

/** Most columns are plain values: only what has parts is written out to be compared. */
const isSame = (a: unknown, b: unknown): boolean =>
  a === b || (typeof a === 'object' && typeof b === 'object' && canonicalJson(a) === canonicalJson(b))

const plain = (value: unknown): unknown => value ?? null

/** A moment is read as a number and told as text. */
const asTold = (column: string, stored: unknown): unknown =>
  typeof stored === 'number' && (column.endsWith('_at') || column === 'as_of') ? new Date(stored).toISOString() : stored

/** Looks up the entry that changed a row last: only asked for what is wrong, for it reads the stream backwards. */
export async function lastChangedBy(on: Queryable, { table, sku, key }: RowKey): Promise<Difference['lastChangedBy']> {
  // Index: ledger_entry_one_writer, backwards. Counters move with any demand: for them it is the last entry.
  const { rows } = await on.query<{ stream: string; version: number; at: number; kind: string }>(
    `select stream, version, at, kind
     from ledger_entry
     where stream = $1
       and kind <> 'checkpoint'
       and ($2::jsonb is null or (body -> 'changes')::jsonb @> $2)
     order by version desc
     limit 1`,
    [streamOfSku(sku), changeOf(table, key)],
  )
  const [row] = rows
  return row && { ...row, at: new Date(row.at).toISOString() }
}

function changeOf(table: RowKey['table'], key: Columns): string | null {
  switch (table) {
    case 'demand':
      return JSON.stringify([{ set: 'demand', demand: key }])
    case 'inbound_line':
      return JSON.stringify([{ set: 'inbound', line: { purchaseOrder: key.purchase_order, line: key.line } }])
    case 'figure':
      return JSON.stringify([{ set: 'shelf', shelf: { warehouse: key.warehouse } }])
    case 'sku':
      return null
  }
}

/** The difference in one sentence. */
export function sentenceOf({ table, key, column, stored, told, lastChangedBy: last }: Difference): string {
  const keys = Object.entries(key).map(([name, value]) => `${name} ${String(value)}`)
  const values = `stored ${canonicalJson(plain(stored))}, told by the ledger ${canonicalJson(plain(told))}`
  const by = last ? `; changed last by ${last.stream} v${last.version} (${last.kind}, ${last.at})` : ''
  return `${table} (${keys.join(', ')})${column === undefined ? '' : `, ${column}`}: ${values}${by}`
}
