/** Reservations of channels that speak to us directly, and orders as facts. */
import { createHash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { Static } from 'typebox'
import type { HoldAnswer } from '../../core/hold.ts'
import { after, canonicalSku, type Instant, instantOf, type ShopId, type Sku, shopOf } from '../../core/ids.ts'
import { canonicalJson } from '../../core/ledger.ts'
import type { ShopOrderLine } from '../../core/shop-order.ts'
import type { SkuState } from '../../core/stock.ts'
import { actorOf, need } from '../auth.ts'
import { HoldBody, OrderAnswer, OrderBody, PlaceBody, Reservation, ReservationParams, ShopParams } from '../contract.ts'
import { Problem } from '../problem.ts'
import type { HttpWorld } from '../world.ts'

/** A hold without an `until` of its own lives this long. */
const DEFAULT_HOLD_MS = 15 * 60_000
/** The longest hold: beyond it the caller wants an order. */
const MAX_HOLD_MS = 7 * 24 * 60 * 60_000

export function reservationRoutes(app: FastifyInstance, world: HttpWorld): void {
  app.put<{ Params: Static<typeof ReservationParams>; Body: Static<typeof HoldBody> }>(
    '/v1/shops/:shop/reservations/:key',
    {
      preHandler: need(world, 'operate'),
      schema: {
        summary: 'Hold units for one basket; the same key with other lines replaces',
        params: ReservationParams,
        body: HoldBody,
        response: { 200: Reservation, 201: Reservation },
      },
    },
    (request, reply) =>
      once(world, request, reply, async () => {
        const shop = shopIn(world, request.params.shop)
        const now = await world.now()
        const lines = request.body.lines.map(({ sku, units }, index) => ({
          sku: skuIn(sku, `lines.${index}.sku`),
          units,
        }))
        const reservation = reservationId(shop, request.params.key)
        const isNew =
          (
            await heldUnder(
              world,
              lines.map(({ sku }) => sku),
              shop,
              reservation,
            )
          ).length === 0
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
          { actor: actorOf(request), cause: `request:${request.id}` },
          'checkout',
        )
        return granted(answer, request.params, isNew)
      }),
  )

  app.get<{ Params: Static<typeof ReservationParams> }>(
    '/v1/shops/:shop/reservations/:key',
    {
      preHandler: need(world, 'read'),
      schema: { summary: 'Look at a hold', params: ReservationParams, response: { 200: Reservation } },
    },
    async (request) => {
      const shop = shopIn(world, request.params.shop)
      const found = await world.reservation(shop, reservationId(shop, request.params.key))
      if (!found)
        throw new Problem(
          404,
          'RESERVATION_UNKNOWN',
          'No live hold has this key: it was placed, released, or has ended.',
        )
      return { shop, key: request.params.key, ...found }
    },
  )

  app.delete<{ Params: Static<typeof ReservationParams> }>(
    '/v1/shops/:shop/reservations/:key',
    { preHandler: need(world, 'operate'), schema: { summary: 'Give the units back', params: ReservationParams } },
    async (request) => {
      const shop = shopIn(world, request.params.shop)
      return await world.lane.submit(
        { kind: 'release', shop, reservation: reservationId(shop, request.params.key) },
        { actor: actorOf(request), cause: `request:${request.id}` },
      )
    },
  )

  app.post<{ Params: Static<typeof ReservationParams>; Body: Static<typeof PlaceBody> }>(
    '/v1/shops/:shop/reservations/:key/place',
    {
      preHandler: need(world, 'operate'),
      schema: {
        summary: 'The order is a fact: its hold becomes firm',
        params: ReservationParams,
        body: PlaceBody,
        response: { 200: OrderAnswer },
      },
    },
    (request, reply) =>
      once(world, request, reply, async () => {
        const shop = shopIn(world, request.params.shop)
        const reservation = reservationId(shop, request.params.key)
        const held = await world.reservation(shop, reservation)
        if (!held)
          throw new Problem(
            404,
            'RESERVATION_UNKNOWN',
            'No live hold has this key. If the order exists, tell it to POST /v1/shops/{shop}/orders.',
          )
        const { order, orderId = order, lineIds = {} } = request.body
        const lines = held.lines.map(
          ({ sku, grantedUnits }): ShopOrderLine => ({
            lineId: lineIds[sku] ?? sku,
            sku: skuIn(sku, 'sku'),
            units: grantedUnits,
          }),
        )
        const answer = await world.lane.submit(
          { kind: 'order', shop, reservation, order: { orderId, orderNumber: order, state: 'open', lines } },
          { actor: actorOf(request), cause: `order:${order}` },
        )
        await world.onRecorded([order])
        return { httpCode: 200, body: { order, ...answer } }
      }),
  )

  app.post<{ Params: Static<typeof ShopParams>; Body: Static<typeof OrderBody> }>(
    '/v1/shops/:shop/orders',
    {
      preHandler: need(world, 'operate'),
      schema: {
        summary: 'An order that we never held, as a fact',
        params: ShopParams,
        body: OrderBody,
        response: { 200: OrderAnswer },
      },
    },
    (request, reply) =>
      once(world, request, reply, async () => {
        const shop = shopIn(world, request.params.shop)
        const { order, orderId = order, state = 'open', lines } = request.body
        const read = lines.map(
          ({ lineId, sku, units }, index): ShopOrderLine => ({ lineId, sku: skuIn(sku, `lines.${index}.sku`), units }),
        )
        const answer = await world.lane.submit(
          { kind: 'order', shop, order: { orderId, orderNumber: order, state, lines: read } },
          { actor: actorOf(request), cause: `order:${order}` },
        )
        await world.onRecorded([order])
        return { httpCode: 200, body: { order, ...answer } }
      }),
  )
}

type Answered = { readonly httpCode: number; readonly body: unknown }
type Asked = {
  readonly headers: Record<string, unknown>
  readonly method: string
  readonly url: string
  readonly body: unknown
}
type Answering = { code(httpCode: number): Answering; send(body: unknown): unknown }

/**
 * `Idempotency-Key` names the attempt to send: the same with the same content gets the same answer, with other content
 * `422 KEY_REUSED` (L7). A refusal is an answer too.
 */
async function once(
  world: HttpWorld,
  request: Asked,
  reply: Answering,
  work: () => Promise<Answered>,
): Promise<unknown> {
  const key = request.headers['idempotency-key']
  if (key === undefined) {
    const { httpCode, body } = await work()
    return reply.code(httpCode).send(body)
  }
  if (typeof key !== 'string' || key === '' || key.length > 200) {
    throw new Problem(422, 'IDEMPOTENCY_KEY_UNUSABLE', 'Idempotency-Key must be one text of 1 to 200 characters.')
  }
  const scope = `${request.method} ${request.url.split('?')[0]}`
  const requestHash = createHash('sha256')
    .update(canonicalJson(request.body ?? null))
    .digest()
  const kept = await world.keptAnswer(scope, key)
  if (kept) {
    if (!kept.requestHash.equals(requestHash)) {
      throw new Problem(
        422,
        'KEY_REUSED',
        'This Idempotency-Key was used with other content before. Use a new key for new content.',
      )
    }
    return reply.code(kept.httpCode).send(kept.body)
  }
  const answered = await work()
  await world.keepAnswer(scope, key, { requestHash, ...answered })
  return reply.code(answered.httpCode).send(answered.body)
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
  const { kind, ...numbers } = answer.refusal
  const detail =
    kind === 'NOT_ENOUGH' || kind === 'PREVIOUS_ATTEMPT_OPEN'
      ? answer.refusal.lines
          .map(({ sku, askedUnits, sellableUnits }) => `${sku}: ${askedUnits} asked, ${sellableUnits} sellable`)
          .join('; ')
      : 'An order with these lines is being placed.'
  throw new Problem(409, kind, detail, { more: numbers })
}

/** Two shops may use the same keys. */
const reservationId = (shop: ShopId, key: string): string => `api:${shop}:${key}`

async function heldUnder(world: HttpWorld, skus: readonly Sku[], shop: ShopId, reservation: string) {
  const states: readonly SkuState[] = await world.states([...new Set(skus)])
  return states.flatMap((state) =>
    [...state.demands.values()].filter(
      (demand) => demand.shop === shop && demand.reservation === reservation && demand.phase === 'held',
    ),
  )
}

export function shopIn(world: Pick<HttpWorld, 'rules'>, name: string): ShopId {
  const shop = shopOf(name)
  if (!world.rules().shops.has(shop)) throw new Problem(404, 'SHOP_UNKNOWN', `No shop "${name}" is configured.`)
  return shop
}

export function skuIn(text: string, field: string): Sku {
  const read = canonicalSku(text)
  if ('problem' in read) throw new Problem(422, 'SKU_UNUSABLE', `${field} ${read.problem}.`, { more: { field } })
  return read.sku
}

function untilOf(text: string | undefined, now: Instant): Instant {
  if (text === undefined) return after(now, DEFAULT_HOLD_MS)
  const until = instantOf(Date.parse(text))
  if (Number.isNaN(until))
    throw new Problem(422, 'UNTIL_UNUSABLE', 'until must be an RFC 3339 time.', { more: { field: 'until' } })
  if (until <= now) throw new Problem(422, 'UNTIL_UNUSABLE', 'until lies in the past.', { more: { field: 'until' } })
  if (until > after(now, MAX_HOLD_MS))
    throw new Problem(422, 'UNTIL_UNUSABLE', 'until lies more than 7 days ahead.', { more: { field: 'until' } })
  return until
}
