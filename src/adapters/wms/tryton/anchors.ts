/**
 * Whether Tryton still is what it was. A backup that was put back, or another database under the same name, answers like the one
 * before; but done moves and confirmed sales and purchases can be neither deleted nor undone. So the newest of each is remembered,
 * and one that is gone, or younger than it was, proves that Tryton went back in time.
 */
import { fieldOf } from '../../shopware/pick.ts'
import { readAtOnce } from './reader.ts'
import { rowsOf } from './row.ts'
import type { TrytonSession } from './session.ts'

/** A record that can never vanish, and when it was last written, on Tryton's own clock. */
export type Anchor = { readonly model: string; readonly id: number; readonly changedAt: number }

const LASTING: Readonly<Record<string, readonly string[]>> = {
  'stock.move': ['done'],
  'sale.sale': ['processing', 'done'],
  'purchase.purchase': ['processing', 'done'],
}

/** The newest of each kind. */
export async function newestAnchors(session: TrytonSession): Promise<readonly Anchor[]> {
  const anchors: Anchor[] = []
  for (const [model, states] of Object.entries(LASTING)) {
    const domain = [
      ['state', 'in', states],
      ['write_date', '!=', null],
    ]
    const params = [domain, 0, 1, [['write_date', 'DESC']], ['write_date']]
    const [row] = rowsOf(await session.call(`model.${model}.search_read`, params), model)
    const changedAt = row?.moment('write_date')
    if (row && changedAt !== undefined) anchors.push({ model, id: row.id, changedAt })
  }
  return anchors
}

/** Says which of those that were remembered is not what it was; `undefined` when all stand. Those that are the newest still, do. */
export async function missingAnchor(
  session: TrytonSession,
  remembered: readonly Anchor[],
  newest: readonly Anchor[],
): Promise<string | undefined> {
  for (const { model, id, changedAt } of remembered) {
    if (newest.some((each) => each.model === model && each.id === id && each.changedAt >= changedAt)) continue
    const states = LASTING[model] ?? []
    const [row] = await readAtOnce(session, model, {
      domain: [
        ['id', '=', id],
        ['state', 'in', states],
      ],
      fields: ['write_date'],
    })
    if (!row) return `${model} ${id}, which nothing can delete, is gone`
    if ((row.moment('write_date') ?? 0) < changedAt) return `${model} ${id} is older than it was`
  }
  return undefined
}

/** Anchors as they were kept; what is none is left out. */
export function anchorsIn(value: unknown): readonly Anchor[] {
  if (!Array.isArray(value)) return []
  return value.flatMap((each: unknown) => {
    const [model, id, changedAt] = [fieldOf(each, 'model'), fieldOf(each, 'id'), fieldOf(each, 'changedAt')]
    return typeof model === 'string' && typeof id === 'number' && typeof changedAt === 'number'
      ? [{ model, id, changedAt }]
      : []
  })
}
