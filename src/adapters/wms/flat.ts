/**
 * The common flat message, as it is: `{"sku":"TSHIRT-BLK-M","available_stock":42,"reserved_stock":5,"incoming_stock":20,
 * "backorder_allowed":true}`. What each field means is told in `docs/flat-message.md`.
 */
import type { FigureWord, Word } from '../../core/word.ts'
import { Fields } from './fields.ts'
import type { Json } from './json.ts'
import type { SourceConfig } from './source-config.ts'

const STAMP = { epoch: 'epoch', sequence: 'sequence', asOf: 'as_of' }

/** Whether a message speaks this dialect. */
export const isFlat = (value: Json): boolean =>
  typeof value === 'object' && value !== null && 'sku' in value && !('type' in value)

/** Reads one flat message. Throws a `FieldProblem` for whatever it cannot use. */
export function readFlat(
  value: Json,
  source: SourceConfig,
): { readonly words: readonly Word[]; readonly notes: readonly string[] } {
  const fields = new Fields(value)
  const sku = fields.sku()
  const warehouse = fields.warehouse(source.warehouses, source.defaultWarehouse)
  const stamp = fields.stamp(STAMP)
  const available = fields.units('available_stock')
  const reserved = fields.optionalUnits('reserved_stock')
  const incoming = fields.optionalUnits('incoming_stock')
  const backorderAllowed = fields.optionalFlag('backorder_allowed')
  const net = source.availableIncludesReserved ? available - (reserved ?? 0) : available
  if (net < 0) fields.fail('reserved_stock', 'is more than available_stock, which includes it')
  const onHand = source.availableIncludesReserved ? available : available + (reserved ?? 0)
  const figure: FigureWord = {
    kind: 'figure',
    sku,
    warehouse,
    stamp,
    net,
    ...(reserved === undefined ? {} : { onHand, allocated: reserved }),
    ...(incoming === undefined ? {} : { incoming }),
    ...(backorderAllowed === undefined ? {} : { backorderAllowed }),
  }
  return { words: [figure], notes: incoming ? ['INCOMING_WITHOUT_DAY'] : [] }
}
