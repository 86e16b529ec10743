/** Reservations of channels that speak to us directly, and orders as facts. */
import type { FastifyInstance } from 'fastify'
import type { Static } from 'typebox'
import { readInstant } from '../../app/time-text.ts'
import type { HoldAnswer, HoldRefusal } from '../../core/hold.ts'
import { after, canonicalSku, type Instant, MAX_UNITS, type ShopId, type Sku, shopOf } from '../../core/ids.ts'
import type { OrderAnswer as Recorded } from '../../core/order.ts'
import type { ShopOrderLine } from '../../core/shop-order.ts'
import type { CheckoutMessage } from '../../messages.ts'
import { actorOf, need } from '../auth.ts'
import {
  HoldBody,
  OrderAnswer,
  OrderBody,
  PlaceBody,
  Released,
  Reservation,
  ReservationParams,
  ShopParams,
} from '../contract.ts'
import { type Answered, onceBy } from '../once.ts'
import { BODY_PROBLEMS, problems } from '../openapi.ts'
import { Problem } from '../problem.ts'
import type { HttpWorld } from '../world.ts'

/** A hold without an `until` of its own lives this long. */
const DEFAULT_HOLD_MS = 15 * 60_000
/** The longest hold: beyond it the caller wants an order. */
const MAX_HOLD_MS = 7 * 24 * 60 * 60_000

export function reservationRoutes(app: FastifyInstance, world: HttpWorld): void {
  const once = onceBy(world)

  app.put<{ Params: Static<typeof ReservationParams>; Body: Static<typeof HoldBody> }>(
    '/v1/shops/:shop/reservations/:key',
    {
      onRequest: need(world, 'operate'),
      schema: {
        summary: 'Hold units for one basket; the same key with other lines replaces',
        params: ReservationParams,
        body: HoldBody,
        response: { 200: Reservation, 201: Reservation },
        ...problems(
          'NOT_ENOUGH',
          'SHOP_UNKNOWN',
          'SKU_UNUSABLE',
          'UNITS_UNUSABLE',
          'UNTIL_UNUSABLE',
          ...WRITE_PROBLEMS,
        ),
      },
    },
    (request, reply) =>
      once(request, reply, async (keepBy) => {
        const shop = shopIn(world, request.params.shop)
        const now = await world.now()
        const lines = request.body.lines.map(({ sku, units }, index) => ({
          sku: skuIn(sku, `lines.${index}.sku`),
          units,
        }))
        const reservation = reservationId(shop, request.params.key)
        refuseTooManyUnits(lines)
        const isNew = (await world.reservation(shop, reservation)) === undefined
        const tell = (answer: HoldAnswer): Answered => granted(answer, request.params, isNew)
        const answer = await world.lane.submit(
          {
            kind: 'hold',
            shop,
            reservation,
            via: 'api',
            lines,
            mode: request.body.mode ?? 'all',
            until: untilOf(request.body.until, now),
          },
          { actor: actorOf(request), cause: `request:${request.id}`, ...keepBy(tell) },
          'checkout',
        )
        return tell(answer)
      }),
  )

  app.get<{ Params: Static<typeof ReservationParams> }>(
    '/v1/shops/:shop/reservations/:key',
    {
      onRequest: need(world, 'read'),
      schema: {
        summary: 'Look at a hold',
        params: ReservationParams,
        response: { 200: Reservation },
        ...problems('RESERVATION_UNKNOWN', 'SHOP_UNKNOWN', 'REQUEST_WRONG'),
      },
    },
    async (request) => {
      const shop = shopIn(world, request.params.shop)
      const found = await world.reservation(shop, reservationId(shop, request.params.key))
      if (!found)
        throw new Problem('RESERVATION_UNKNOWN', 'No live hold has this key: it was placed, released, or has ended.')
      return { shop, key: request.params.key, ...found }
    },
  )

  app.delete<{ Params: Static<typeof ReservationParams> }>(
    '/v1/shops/:shop/reservations/:key',
    {
      onRequest: need(world, 'operate'),
      schema: {
        summary: 'Give the units back',
        params: ReservationParams,
        response: { 200: Released },
        ...problems('SHOP_UNKNOWN', 'REQUEST_WRONG', 'IDEMPOTENCY_KEY_UNUSABLE', 'KEY_REUSED', 'LANE_BUSY'),
      },
    },
    (request, reply) =>
      once(request, reply, async (keepBy) => {
        const shop = shopIn(world, request.params.shop)
        const tell = (body: { readonly releasedUnits: number }): Answered => ({ httpCode: 200, body })
        const answer = await world.lane.submit(
          { kind: 'release', shop, reservation: reservationId(shop, request.params.key) },
          { actor: actorOf(request), cause: `request:${request.id}`, ...keepBy(tell) },
        )
        return tell(answer)
      }),
  )

  app.post<{ Params: Static<typeof ReservationParams>; Body: Static<typeof PlaceBody> }>(
    '/v1/shops/:shop/reservations/:key/place',
    {
      onRequest: need(world, 'operate'),
      schema: {
        summary: 'The order is a fact: its hold becomes firm',
        params: ReservationParams,
        body: PlaceBody,
        response: { 200: OrderAnswer },
        ...problems('RESERVATION_UNKNOWN', 'ALREADY_PLACED', 'SHOP_UNKNOWN', ...WRITE_PROBLEMS),
      },
    },
    (request, reply) =>
      once(request, reply, async (keepBy) => {
        const shop = shopIn(world, request.params.shop)
        const reservation = reservationId(shop, request.params.key)
        const { order, orderId = order, lineIds = {} } = request.body
        const held = await world.reservation(shop, reservation)
        if (!held) return await placedBefore(world, shop, reservation, order)
        const lineIdBySku = new Map<string, string>(
          Object.entries(lineIds).map(([sku, id]) => [skuIn(sku, 'lineIds'), id]),
        )
        const lines = held.lines.map(
          ({ sku, grantedUnits }): ShopOrderLine => ({
            lineId: lineIdBySku.get(sku) ?? sku,
            sku: skuIn(sku, 'sku'),
            units: grantedUnits,
          }),
        )
        const tell = (answer: Recorded): Answered => ({ httpCode: 200, body: { order, ...answer } })
        const answer = await world.lane.submit(
          { kind: 'order', shop, reservation, order: { orderId, orderNumber: order, state: 'open', lines } },
          { actor: actorOf(request), cause: `order:${order}`, ...keepBy(tell) },
        )
        await world.onRecorded([order])
        return tell(answer)
      }),
  )

  app.post<{ Params: Static<typeof ShopParams>; Body: Static<typeof OrderBody> }>(
    '/v1/shops/:shop/orders',
    {
      onRequest: need(world, 'operate'),
      schema: {
        summary: 'An order that we never held, as a fact',
        params: ShopParams,
        body: OrderBody,
        response: { 200: OrderAnswer },
        ...problems('SHOP_UNKNOWN', 'SKU_UNUSABLE', 'UNITS_UNUSABLE', ...WRITE_PROBLEMS),
      },
    },
    (request, reply) =>
      once(request, reply, async (keepBy) => {
        const shop = shopIn(world, request.params.shop)
        const { order, orderId = order, state = 'open', lines } = request.body
        const read = lines.map(
          ({ lineId, sku, units }, index): ShopOrderLine => ({ lineId, sku: skuIn(sku, `lines.${index}.sku`), units }),
        )
        refuseTooManyUnits(read)
        const tell = (answer: Recorded): Answered => ({ httpCode: 200, body: { order, ...answer } })
        const answer = await world.lane.submit(
          { kind: 'order', shop, order: { orderId, orderNumber: order, state, lines: read } },
          { actor: actorOf(request), cause: `order:${order}`, ...keepBy(tell) },
        )
        await world.onRecorded([order])
        return tell(answer)
      }),
  )
}

const WRITE_PROBLEMS = ['IDEMPOTENCY_KEY_UNUSABLE', 'KEY_REUSED', 'LANE_BUSY', ...BODY_PROBLEMS] as const

/** Placing is told again by whoever lost our answer: the same order is the same answer, another one is refused. */
async function placedBefore(
  world: Pick<HttpWorld, 'placed'>,
  shop: ShopId,
  reservation: string,
  order: string,
): Promise<Answered> {
  const placed = await world.placed(shop, reservation)
  if (!placed) {
    throw new Problem(
      'RESERVATION_UNKNOWN',
      'No live hold has this key. If the order exists, tell it to POST /v1/shops/{shop}/orders.',
    )
  }
  if (placed.order !== order) {
    throw new Problem('ALREADY_PLACED', `The hold has become order ${placed.order}.`, {
      say: { key: 'ALREADY_PLACED', order: placed.order },
      more: { order: placed.order },
    })
  }
  return { httpCode: 200, body: { order, fromHoldsUnits: placed.units, unheldUnits: 0, shortageUnits: 0 } }
}

/** Lines of one SKU add up; no sum may pass what a column, and any warehouse, can hold. */
function refuseTooManyUnits(lines: readonly { readonly sku: Sku; readonly units: number }[]): void {
  const sums = new Map<Sku, number>()
  for (const { sku, units } of lines) {
    const sum = (sums.get(sku) ?? 0) + units
    sums.set(sku, sum)
    if (sum > MAX_UNITS) {
      throw new Problem('UNITS_UNUSABLE', `The lines of one SKU add up to more than ${MAX_UNITS} units.`, {
        more: { field: 'lines' },
      })
    }
  }
}

function granted(answer: HoldAnswer, { shop, key }: { shop: string; key: string }, isNew: boolean): Answered {
  if (answer.granted) {
    const lines = answer.lines.map((line) => ({
      ...line,
      untracked: line.supplies.some(({ kind }) => kind === 'untracked'),
    }))
    const until = answer.until === undefined ? {} : { until: new Date(answer.until).toISOString() }
    return { httpCode: isNew ? 201 : 200, body: { shop, key, lines, ...until } }
  }
  // No field of the API names a buyer, so no cap can be asked.
  if (answer.refusal.kind === 'CAP_REACHED') throw new Error('A hold without a buyer was refused by a cap')
  const { kind, ...numbers } = answer.refusal
  const detail =
    kind === 'NOT_ENOUGH' || kind === 'PREVIOUS_ATTEMPT_OPEN'
      ? answer.refusal.lines
          .map(({ sku, askedUnits, sellableUnits }) => `${sku}: ${askedUnits} asked, ${sellableUnits} sellable`)
          .join('; ')
      : 'An order with these lines is being placed.'
  throw new Problem(kind, detail, { more: numbers, say: sayOf(answer.refusal) })
}

/** Two shops may use the same keys. */
const reservationId = (shop: ShopId, key: string): string => `api:${shop}:${key}`

function sayOf(refusal: Exclude<HoldRefusal, { kind: 'CAP_REACHED' }>): CheckoutMessage {
  switch (refusal.kind) {
    case 'NOT_ENOUGH': {
      const [first] = refusal.lines
      return { key: 'NOT_ENOUGH', leftUnits: first?.sellableUnits ?? 0, ...(first ? { label: first.sku } : {}) }
    }
    case 'PREVIOUS_ATTEMPT_OPEN':
      return { key: 'PREVIOUS_ATTEMPT_OPEN', seconds: refusal.secondsLeft }
    case 'ORDER_BEING_PLACED':
      return { key: 'ORDER_BEING_PLACED' }
  }
}

export function shopIn(world: Pick<HttpWorld, 'rules'>, name: string): ShopId {
  const shop = shopOf(name)
  if (!world.rules().shops.has(shop)) throw new Problem('SHOP_UNKNOWN', `No shop "${name}" is configured.`)
  return shop
}

export function skuIn(text: string, field: string): Sku {
  const read = canonicalSku(text)
  if ('problem' in read) throw new Problem('SKU_UNUSABLE', `${field} ${read.problem}.`, { more: { field } })
  return read.sku
}

function untilOf(text: string | undefined, now: Instant): Instant {
  if (text === undefined) return after(now, DEFAULT_HOLD_MS)
  const wrong = (why: string) => new Problem('UNTIL_UNUSABLE', `until ${why}.`, { more: { field: 'until' } })
  const read = readInstant(text)
  if ('problem' in read) throw wrong(read.problem)
  if (read.instant <= now) throw wrong('lies in the past')
  if (read.instant > after(now, MAX_HOLD_MS)) throw wrong('lies more than 7 days ahead')
  return read.instant
}
