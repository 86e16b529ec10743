/** Writes absolute numbers into a shop. */
import type { StockWrite, WriteOutcome } from '../../app/ports.ts'
import type { Sku } from '../../core/ids.ts'
import { Failure } from '../../errors.ts'
import type { AdminApi } from './admin-api.ts'
import { errorsOf, failureOf, isDataError, isDeadlock, maybeActed, type ShopError } from './answers.ts'
import type { HttpAnswer } from './http-call.ts'
import { GUARD_FIELD, MOST_FIELD, REVISION_FIELD } from './products.ts'

/** The most rows in one write: at 100 to 250 a shop is fastest. */
export const MAX_WRITE_ROWS = 250
/** How often a write that met a deadlock is sent again, and the first pause before it (doubled each time), in ms. */
export const DEADLOCK_RETRIES = 5
const DEADLOCK_PAUSE_MS = 50

/**
 * Writes absolute numbers, sorted by product so that two writers lock in one order.
 *
 * The shop takes or refuses a request whole. Rows to which its refusal points are singled out; where it points at none, the
 * request is halved until the bad row stands alone. A request without an answer is `unknown`: read before you go on.
 *
 * @param pause waits so many ms (injected, so that tests do not)
 */
export const writeStock = (
  api: AdminApi,
  url: string,
  rows: readonly StockWrite[],
  pause: (ms: number) => Promise<void>,
): Promise<readonly WriteOutcome[]> =>
  writeRows(
    api,
    url,
    rows,
    (row) => ({
      id: row.productId,
      ...(row.setsUnits ? { stock: row.units } : {}),
      isCloseout: row.closeOut,
      customFields: {
        [REVISION_FIELD]: row.revision,
        [GUARD_FIELD]: row.guard.word,
        [MOST_FIELD]: row.guard.mostInCart ?? null,
      },
    }),
    pause,
  )

type Row = { readonly productId: string; readonly sku: Sku }

/** The same for any fields of products, which `payloadOf` names. */
export async function writeRows<Each extends Row>(
  api: AdminApi,
  url: string,
  rows: readonly Each[],
  payloadOf: (row: Each) => Readonly<Record<string, unknown>>,
  pause: (ms: number) => Promise<void>,
): Promise<readonly WriteOutcome[]> {
  const ordered = rows.toSorted((a, b) => (a.productId < b.productId ? -1 : a.productId > b.productId ? 1 : 0))
  const outcomes: WriteOutcome[] = []
  const waiting: (readonly Each[])[] = ordered.length === 0 ? [] : [ordered]
  // Bounded: each round ends at least one row or halves its batch.
  for (let batch = waiting.pop(); batch !== undefined; batch = waiting.pop()) {
    const result = await writeBatch(api, url, batch.map(payloadOf), pause)
    if (result.kind === 'done') {
      outcomes.push(...batch.map(({ sku }) => ({ sku, ...result.outcome })))
      continue
    }
    const { reasons } = result
    const blamed = batch.filter((_, position) => reasons.has(position))
    const rest = batch.filter((_, position) => !reasons.has(position))
    batch.forEach(({ sku }, position) => {
      const reason = reasons.get(position)
      if (reason !== undefined) outcomes.push({ sku, outcome: 'refused', reason })
    })
    if (rest.length === 0) continue
    if (blamed.length > 0) waiting.push(rest)
    else if (batch.length === 1) outcomes.push(...batch.map(({ sku }) => refusedAlone(sku, result.errors)))
    else waiting.push(batch.slice(batch.length >> 1), batch.slice(0, batch.length >> 1))
  }
  return outcomes
}

type BatchResult =
  | {
      readonly kind: 'done'
      readonly outcome: { readonly outcome: 'written' } | { readonly outcome: 'unknown'; readonly reason: string }
    }
  | {
      readonly kind: 'refused'
      /** By position in the batch. */
      readonly reasons: ReadonlyMap<number, string>
      readonly errors: readonly ShopError[]
    }

async function writeBatch(
  api: AdminApi,
  url: string,
  batch: readonly Readonly<Record<string, unknown>>[],
  pause: (ms: number) => Promise<void>,
): Promise<BatchResult> {
  let answer: HttpAnswer
  for (let attempt = 0; ; attempt++) {
    try {
      answer = await api.send(syncRequest(batch))
    } catch (failure) {
      // An error of the shop's own may come after its commit, as silence may.
      if (failure instanceof Failure && (failure.code === 'SHOP_FAILED' || maybeActed(failure))) {
        return { kind: 'done', outcome: { outcome: 'unknown', reason: failure.message } }
      }
      throw failure
    }
    if (answer.status < 300) return { kind: 'done', outcome: { outcome: 'written' } }
    if (!isDeadlock(answer) || attempt === DEADLOCK_RETRIES) break
    await pause(DEADLOCK_PAUSE_MS * 2 ** attempt)
  }
  if ((answer.status !== 400 && !isDataError(answer)) || isDeadlock(answer)) throw failureOf(url, answer)
  const errors = errorsOf(answer)
  return { kind: 'refused', reasons: reasonsByRow(errors, batch.length), errors }
}

/** The name of our operation inside a sync request; the shop's pointers begin with it. */
const OPERATION = 'stock'

const syncRequest = (payload: readonly Readonly<Record<string, unknown>>[]) => ({
  method: 'POST' as const,
  path: '/api/_action/sync',
  repeatable: true,
  headers: { 'indexing-behavior': 'use-queue-indexing', 'sw-skip-trigger-flow': '1' },
  body: {
    [OPERATION]: {
      entity: 'product',
      action: 'upsert',
      payload,
    },
  },
})

/** Which rows a refusal points at, with what it says of them: `/stock/3/isCloseout` is row 3. */
function reasonsByRow(errors: readonly ShopError[], rows: number): Map<number, string> {
  const reasons = new Map<number, string[]>()
  for (const error of errors) {
    const [, operation, row, ...field] = error.pointer?.split('/') ?? []
    const position = operation === OPERATION && /^\d{1,6}$/.test(row ?? '') ? Number(row) : Number.NaN
    if (!(position < rows)) continue
    const said = reasons.get(position) ?? []
    if (said.length < MAX_REASONS) said.push(`${field.join('.')} ${error.detail}`.trim())
    reasons.set(position, said)
  }
  return new Map([...reasons].map(([position, said]) => [position, said.join('; ')]))
}

/** How many complaints about one row are kept. */
const MAX_REASONS = 3

const refusedAlone = (sku: Sku, errors: readonly ShopError[]): WriteOutcome => ({
  sku,
  outcome: 'refused',
  reason: errors.map((error) => `${error.code} ${error.detail}`.trim())[0] ?? 'the shop gave no reason',
})
