/** What a move of goods says: expected, done, or standing at the dock. */
import type { Day } from '../../../core/ids.ts'
import type { Row } from './row.ts'

/** Units of moves, in their product's own unit, which may be fractions. Never `quantity`, which is in the unit of the order. */
export const unitsOf = (moves: readonly Row[]): number =>
  moves.reduce((units, move) => units + move.number('internal_quantity'), 0)

/** Done, and counted: a move that is done with a day to come is in no figure until then. */
export function isDone(move: Row, today: Day): boolean {
  const day = move.day('effective_date')
  return move.text('state') === 'done' && (day === undefined || day <= today)
}

/** Still to be done; also what is done with a day to come. */
export const isToCome = (move: Row, today: Day): boolean => move.text('state') !== 'cancelled' && !isDone(move, today)

/** The moves inside the house that carry on what another move brought, or bring what it takes. Fields as in {@link INVENTORY}. */
export const inventoryMovesOf = (move: Row): readonly Row[] =>
  (move.optionalChild('shipment')?.children('inventory_moves') ?? []).filter(
    (each) => each.optionalText('origin') === `stock.move,${move.id}`,
  )

/** What is read of each of them. */
export const INVENTORY = ['origin', 'state', 'internal_quantity', 'effective_date', 'write_date'].map(
  (field) => `shipment.inventory_moves.${field}`,
)
