/** What is sellable and from where, now or at any moment; incidents and dead letters: what people look at. */
import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import { readInstant } from '../../app/time-text.ts'
import type { Configuration } from '../../core/configuration.ts'
import { type Instant, type Sku, shopOf, skuOf } from '../../core/ids.ts'
import { freeOf, remaindersOf } from '../../core/inbound.ts'
import { offersTo } from '../../core/offer.ts'
import { availabilityOf } from '../../core/sellable.ts'
import { emptyState, type SkuState } from '../../core/stock.ts'
import { need } from '../auth.ts'
import {
  DeadLetterPage,
  DeliveryReceipt,
  IncidentPage,
  IncidentQuery,
  LetterParams,
  Page,
  SkuParams,
  Stock,
  StockListQuery,
  StockQuery,
} from '../contract.ts'
import { problems } from '../openapi.ts'
import { Problem } from '../problem.ts'
import type { HttpWorld } from '../world.ts'
import { shopIn, skuIn } from './reservations.ts'

const DEFAULT_LIMIT = 100
/** SKUs of one question. */
const MAX_SKUS = 200

export function stockRoutes(app: FastifyInstance, world: HttpWorld): void {
  app.get<{ Params: Static<typeof SkuParams>; Querystring: Static<typeof StockQuery> }>(
    '/v1/stock/:sku',
    {
      onRequest: need(world, 'read'),
      schema: {
        summary: 'Every quantity of a SKU by its own name, now or as it was at a moment',
        description:
          'With `at` the state is folded from the ledger, and the rules are those that were in force then. What a silence of a shop kept back is no part of it.',
        params: SkuParams,
        querystring: StockQuery,
        response: { 200: Stock },
        ...problems(
          'SKU_UNKNOWN',
          'NOT_KNOWN_THEN',
          'SHOP_UNKNOWN',
          'MOMENT_ARCHIVED',
          'MOMENT_AHEAD',
          'SKU_UNUSABLE',
          'REQUEST_WRONG',
        ),
      },
    },
    async (request) => {
      const { at, shop } = request.query
      if (at !== undefined) return await stockThen(world, skuIn(request.params.sku, 'sku'), momentIn(at, 'at'), shop)
      if (request.query.shop !== undefined) shopIn(world, request.query.shop)
      const sku = skuIn(request.params.sku, 'sku')
      const [state] = await world.states([sku])
      if (!state) throw new Problem('SKU_UNKNOWN', 'Nobody has said a word about this SKU.')
      return stockOf(state, world.rules(), await world.now(), request.query.shop)
    },
  )

  app.get<{ Querystring: Static<typeof StockListQuery> }>(
    '/v1/stock',
    {
      onRequest: need(world, 'read'),
      schema: {
        summary: 'The same for several SKUs, separated by commas',
        querystring: StockListQuery,
        response: { 200: Type.Array(Stock) },
        ...problems('SHOP_UNKNOWN', 'SKU_UNUSABLE', 'TOO_MANY_SKUS', 'REQUEST_WRONG'),
      },
    },
    async (request) => {
      const skus = request.query.skus.split(',').map((text) => skuIn(text, 'skus'))
      if (skus.length > MAX_SKUS) throw new Problem('TOO_MANY_SKUS', `At most ${MAX_SKUS} SKUs at once.`)
      if (request.query.shop !== undefined) shopIn(world, request.query.shop)
      const found = new Map((await world.states([...new Set(skus)])).map((state) => [state.sku, state]))
      const now = await world.now()
      return skus.map((sku) => stockOf(found.get(sku) ?? emptyState(sku), world.rules(), now, request.query.shop))
    },
  )

  app.get<{ Querystring: Static<typeof IncidentQuery> }>(
    '/v1/incidents',
    {
      onRequest: need(world, 'read'),
      schema: {
        summary: 'What a person should know, newest first',
        querystring: IncidentQuery,
        response: { 200: IncidentPage },
        ...problems('REQUEST_WRONG'),
      },
    },
    async (request) => {
      const { after: before = Number.MAX_SAFE_INTEGER, limit = DEFAULT_LIMIT, closed = false } = request.query
      const rows = await world.incidents({ before, limit, closedToo: closed })
      const last = rows.at(-1)
      return {
        incidents: rows.map(({ key: _, openedAt, closedAt, shop, sku, orderNumber, units, ...row }) => ({
          ...row,
          openedAt: iso(openedAt),
          ...(closedAt === null ? {} : { closedAt: iso(closedAt) }),
          ...(shop === null ? {} : { shop }),
          ...(sku === null ? {} : { sku }),
          ...(orderNumber === null ? {} : { orderNumber }),
          ...(units === null ? {} : { units }),
        })),
        ...(rows.length === limit && last ? { next: last.id } : {}),
      }
    },
  )

  app.get<{ Querystring: Static<typeof Page> }>(
    '/v1/dead-letters',
    {
      onRequest: need(world, 'read'),
      schema: {
        summary: 'Messages that could not be used, whole, with the reason',
        querystring: Page,
        response: { 200: DeadLetterPage },
        ...problems('REQUEST_WRONG'),
      },
    },
    async (request) => {
      const { after = 0, limit = DEFAULT_LIMIT } = request.query
      const rows = await world.deadLetters({ after, limit })
      const last = rows.at(-1)
      return {
        deadLetters: rows.map(({ state: _, field, value, raw, receivedAt, ...row }) => ({
          ...row,
          raw: raw ?? '',
          receivedAt: iso(receivedAt),
          ...(field === null ? {} : { field }),
          ...(value === null ? {} : { value }),
        })),
        ...(rows.length === limit && last ? { next: last.id } : {}),
      }
    },
  )

  app.post<{ Params: Static<typeof LetterParams> }>(
    '/v1/dead-letters/:id/replay',
    {
      onRequest: need(world, 'operate'),
      schema: {
        summary: 'Send it through the door again',
        params: LetterParams,
        response: { 202: DeliveryReceipt },
        ...problems('DEAD_LETTER_UNKNOWN', 'DEAD_LETTER_DECIDED', 'REQUEST_WRONG'),
      },
    },
    async (request, reply) => {
      const result = await world.replay(request.params.id)
      if (result === 'unknown') throw new Problem('DEAD_LETTER_UNKNOWN', 'No dead letter has this id.')
      if (result === 'not-open')
        throw new Problem('DEAD_LETTER_DECIDED', undefined, { say: { key: 'DEAD_LETTER_DECIDED' } })
      return reply.code(202).send(result)
    },
  )
}

/** The quantities as they were, with the rules as they were. */
async function stockThen(
  world: HttpWorld,
  sku: Sku,
  moment: Instant,
  shop: string | undefined,
): Promise<Static<typeof Stock>> {
  if (moment > (await world.now()))
    throw new Problem('MOMENT_AHEAD', 'at lies in the future: ask without it for the present.')
  const { past, rules } = await world.past(sku, moment)
  switch (past.kind) {
    case 'unknown':
      throw new Problem('SKU_UNKNOWN', 'Nobody has said a word about this SKU.')
    case 'not-yet':
      throw new Problem('NOT_KNOWN_THEN', `Nobody had said a word about this SKU before ${iso(past.firstAt)}.`, {
        more: { knownSince: iso(past.firstAt) },
      })
    case 'archived':
      throw new Problem('MOMENT_ARCHIVED', `The ledger of this SKU was archived up to ${iso(past.keptFrom)}.`, {
        more: { knownSince: iso(past.keptFrom) },
      })
    case 'known': {
      if (shop !== undefined && !rules.shops.has(shopOf(shop)))
        throw new Problem('SHOP_UNKNOWN', `No shop "${shop}" was configured then.`)
      const { sku: name, ledgerVersion, ...rest } = stockOf(past.state, rules, moment, shop)
      const then = { at: iso(moment), lastEntryAt: iso(past.at), configuration: rules.version }
      return { sku: name, ledgerVersion, ...then, ...rest }
    }
  }
}

/** A moment of a question, or the refusal that says what would be right. */
export function momentIn(text: string, field: string): Instant {
  const read = readInstant(text)
  if ('instant' in read) return read.instant
  // A plus sign in an address is read as a blank, unless it is written as %2B.
  const blank = / \d\d:\d\d$/.test(text) ? ' (write + as %2B in an address)' : ''
  throw new Problem('REQUEST_WRONG', `${field} ${read.problem}${blank}.`, {
    more: { problems: [{ field, problem: read.problem }] },
  })
}

const iso = (moment: number): string => new Date(moment).toISOString()

/** One SKU's quantities; one shop's part only when it is named. */
export function stockOf(
  state: SkuState,
  rules: Configuration,
  now: Instant,
  onlyShop: string | undefined,
): Static<typeof Stock> {
  const shops = [...rules.shops.values()].filter(({ shop }) => onlyShop === undefined || shop === shopOf(onlyShop))
  return {
    sku: skuOf(state.sku),
    ledgerVersion: state.version,
    tracked: state.shelves.size > 0,
    warehouses: [...state.shelves.values()].map(({ warehouse, figure, rises, disputed, chargedUnits }) => {
      const count = state.shelfCounts.get(warehouse)
      const { onHand, blocked, allocated, incoming, backorderVeto, stamp } = figure
      return {
        warehouse,
        figureUnits: figure.units,
        semantics: figure.semantics,
        peggedUnits: count?.pegged ?? 0,
        containedUnits: count?.contained ?? 0,
        chargedUnits,
        receivedAt: iso(figure.receivedAt),
        waitingRises: rises.length,
        disputed,
        ...(onHand === undefined ? {} : { onHandUnits: onHand }),
        ...(blocked === undefined ? {} : { blockedUnits: blocked }),
        ...(allocated === undefined ? {} : { allocatedUnits: allocated }),
        ...(incoming === undefined ? {} : { incomingUnits: incoming }),
        ...(backorderVeto === undefined ? {} : { backorderVeto }),
        ...(stamp.sequence === undefined ? {} : { sequence: stamp.sequence }),
        ...(stamp.asOf === undefined ? {} : { asOf: iso(stamp.asOf) }),
      }
    }),
    inbound: [...new Set([...state.inbound.values()].map(({ warehouse }) => warehouse))].flatMap((warehouse) =>
      remaindersOf(state, rules, warehouse, now).map((remainder) => ({
        purchaseOrder: remainder.line.purchaseOrder,
        line: remainder.line.line,
        warehouse,
        orderedUnits: remainder.line.ordered,
        receivedUnits: remainder.receivedUnits,
        peggedUnits: remainder.peggedUnits,
        chargedUnits: remainder.chargedUnits,
        freeUnits: freeOf(remainder),
        confirmed: remainder.line.confirmed,
        cancelled: remainder.line.cancelled,
        ...(remainder.line.rejected === undefined ? {} : { rejectedUnits: remainder.line.rejected }),
        ...(remainder.line.eta === undefined ? {} : { eta: remainder.line.eta }),
      })),
    ),
    shops: shops.map(({ shop }) => {
      const availability = availabilityOf(state, rules, shop, now)
      return {
        shop,
        availableUnits: availability.availableUnits,
        backOrderableUnits: availability.backOrderableUnits,
        sellableUnits: availability.sellableUnits,
        reservedUnits: availability.openUnits,
        shortageUnits: availability.shortageUnits,
        safetyUnits: availability.shopSafetyUnits + availability.terms.reduce((sum, term) => sum + term.safetyUnits, 0),
        ...(availability.quotaUnits === undefined ? {} : { quotaUnits: availability.quotaUnits }),
        lines: (availability.lines.length > 0 ? availability.lines : offersTo(state, rules, shop, now)).map(
          ({ remainder: { line }, units, arrival, refusal }) => ({
            purchaseOrder: line.purchaseOrder,
            line: line.line,
            units,
            ...(arrival === undefined ? {} : { arrival }),
            ...(refusal === undefined ? {} : { refusal }),
          }),
        ),
      }
    }),
  }
}
