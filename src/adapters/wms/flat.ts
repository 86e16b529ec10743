/**
 * The common flat message, as it is: `{"sku":"TSHIRT-BLK-M","available_stock":42,"reserved_stock":5,"incoming_stock":20,
 * "backorder_allowed":true}`. What each field means is told in `docs/flat-message.md`.
 */
import { MAX_UNITS } from '../../core/ids.ts'
import type { FigureWord } from '../../core/word.ts'
import { Fields, type Reading } from './fields.ts'
import type { Json } from './json.ts'
import type { SourceConfig } from './source-config.ts'

const STAMP = { epoch: 'epoch', sequence: 'sequence', asOf: 'as_of' }

/** Whether a message speaks this dialect. */
export const isFlat = (value: Json): boolean =>
  typeof value === 'object' && value !== null && 'sku' in value && !('type' in value)

/** Reads one flat message: one figure. Throws a `FieldProblem` for whatever it cannot use. */
export function readFlat(value: Json, source: SourceConfig, reading: Reading): FigureWord {
  const fields = new Fields(value, reading)
  if (source.semantics === 'gross')
    fields.fail(
      'available_stock',
      'is a net figure, and this source is gross: send canonical messages, or declare it net',
    )
  const sku = fields.sku()
  const warehouse = fields.warehouse(source.warehouses, source.defaultWarehouse)
  const stamp = fields.stamp(STAMP)
  const available = fields.units('available_stock')
  const reserved = fields.optionalUnits('reserved_stock')
  const incoming = fields.optionalUnits('incoming_stock')
  const backorderAllowed = fields.optionalFlag('backorder_allowed')
  if (source.availableIncludesReserved && reserved === undefined) {
    fields.fail('reserved_stock', 'is missing: available_stock of this source includes it')
  }
  const net = source.availableIncludesReserved ? available - (reserved ?? 0) : available
  if (net < 0) fields.fail('reserved_stock', 'is more than available_stock, which includes it')
  const onHand = net + (reserved ?? 0)
  if (onHand > MAX_UNITS) fields.fail('reserved_stock', `makes more than ${MAX_UNITS} units with available_stock`)
  if (incoming) reading.notes.add('INCOMING_WITHOUT_DAY')
  return {
    kind: 'figure',
    sku,
    warehouse,
    stamp,
    net,
    ...(reserved === undefined ? {} : { onHand, allocated: reserved }),
    ...(incoming === undefined ? {} : { incoming }),
    ...(backorderAllowed === undefined ? {} : { backorderAllowed }),
  }
}
