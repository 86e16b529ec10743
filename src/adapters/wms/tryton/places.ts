/** Our warehouses in Tryton: a location of type warehouse, whose storage zone holds what can be sold. */
import { Failure } from '../../../errors.ts'
import { readAtOnce } from './reader.ts'
import type { TrytonSession } from './session.ts'

export type Place = {
  /** Our name of the warehouse. */
  readonly warehouse: string
  /** Ids of Tryton's locations. */
  readonly location: number
  readonly storage: number
}

/**
 * Finds the location of each of our warehouses by its code or its name.
 *
 * @throws Failure WMS_REQUEST_REFUSED naming the codes that Tryton has
 */
export async function placesOf(
  session: TrytonSession,
  wanted: Readonly<Record<string, string>>,
): Promise<readonly Place[]> {
  const rows = await readAtOnce(session, 'stock.location', {
    domain: [['type', '=', 'warehouse']],
    fields: ['code', 'name', 'storage_location'],
  })
  const known = rows.map((row) => ({
    names: [row.optionalText('code'), row.text('name')],
    location: row.id,
    storage: row.optionalNumber('storage_location'),
  }))
  return Object.entries(wanted).map(([warehouse, name]) => {
    const [found, another] = known.filter(({ names }) => names.includes(name))
    if (!found || another || found.storage === undefined)
      throw unknown(
        warehouse,
        name,
        known.map(({ names }) => names[0] ?? names[1] ?? ''),
      )
    return { warehouse, location: found.location, storage: found.storage }
  })
}

const unknown = (warehouse: string, name: string, known: readonly string[]): Failure =>
  new Failure(
    'WMS_REQUEST_REFUSED',
    `Tryton has no single warehouse "${name}", which pull.warehouses.${warehouse} names. It has ${known.join(', ') || 'none'}. Put one of these there.`,
    { retry: 'later' },
  )
