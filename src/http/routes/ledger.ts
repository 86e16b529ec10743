/** The ledger: searched, exported, and archived month by month. */
import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import { instantOf } from '../../core/ids.ts'
import { actorOf, need } from '../auth.ts'
import {
  ArchiveBody,
  ArchiveProgress,
  LedgerExportQuery,
  LedgerMonths,
  LedgerPage,
  LedgerQuery,
  MonthParams,
} from '../contract.ts'
import { BODY_PROBLEMS, problems } from '../openapi.ts'
import { Problem } from '../problem.ts'
import { streamsOf } from '../streams.ts'
import type { HttpWorld, LedgerFilter, LedgerPlace } from '../world.ts'
import { skuIn } from './reservations.ts'
import { momentIn } from './stock.ts'

const DEFAULT_LIMIT = 100

type Asked = Omit<Static<typeof LedgerQuery>, 'after' | 'limit'>

export function ledgerRoutes(app: FastifyInstance, world: HttpWorld): void {
  const streamed = streamsOf(app)

  app.get<{ Querystring: Static<typeof LedgerQuery> }>(
    '/v1/ledger',
    {
      onRequest: need(world, 'read'),
      schema: {
        summary: 'Ledger entries, oldest first',
        description:
          'All that is given must fit; texts match whole; `from` is in it, `to` is not. Without a filter entries come in the order in which they became certain: whoever reads on from `next` misses none.',
        querystring: LedgerQuery,
        response: { 200: LedgerPage },
        ...problems('SKU_UNUSABLE', 'REQUEST_WRONG'),
      },
    },
    async (request) => {
      const { after, limit = DEFAULT_LIMIT, ...asked } = request.query
      const filter = filterOf(asked)
      const rows = await world.ledger(filter, { after: placeIn(filter, after), limit })
      const last = rows.at(-1)
      return {
        entries: rows.map(({ seq: _, txid: __, ...row }) => ({ ...row, at: iso(row.at) })),
        ...(rows.length === limit && last ? { next: nextOf(filter, last) } : {}),
      }
    },
  )

  app.get<{ Querystring: Static<typeof LedgerExportQuery> }>(
    '/v1/ledger/export',
    {
      onRequest: need(world, 'read'),
      schema: {
        summary: 'The same as one stream: NDJSON with hashes, or CSV with every change one row',
        description:
          'Without a filter, or of one `month`, the seals stand between the entries of the NDJSON, so that the file proves itself. CSV is for people: cells that a spreadsheet would take for a formula begin with an apostrophe.',
        querystring: LedgerExportQuery,
        produces: ['application/x-ndjson', 'text/csv'],
        response: { 200: Type.String() },
        ...problems('SKU_UNUSABLE', 'REQUEST_WRONG'),
      },
    },
    async (request, reply) => {
      const { format = 'ndjson', month, ...asked } = request.query
      const filter = filterOf(asked)
      if (month !== undefined && (format !== 'ndjson' || Object.keys(filter).length > 0))
        throw wrong('month', 'stands alone, and is NDJSON')
      const name = `ledger${month === undefined ? '' : `-${month}`}.${format}`
      reply
        .type(format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson')
        .header('content-disposition', `attachment; filename="${name}"`)
      // Whoever wants the headers alone must not make us read the whole ledger.
      if (request.raw.method === 'HEAD') return reply.send('')
      return reply.send(streamed(world.ledgerLines(month === undefined ? filter : { month }, format)))
    },
  )

  app.get(
    '/v1/ledger/months',
    {
      onRequest: need(world, 'read'),
      schema: { summary: 'Which months are here, and which were archived', response: { 200: LedgerMonths } },
    },
    async () => {
      const { kept, archived } = await world.ledgerMonths()
      return { kept: [...kept], archived: [...archived] }
    },
  )

  app.post<{ Params: Static<typeof MonthParams>; Body: Static<typeof ArchiveBody> }>(
    '/v1/ledger/months/:month/archive',
    {
      onRequest: need(world, 'admin'),
      schema: {
        summary: 'Take the oldest month out of the database, given the hash of its export',
        description:
          'The export is made again and compared; every stream gets a checkpoint, which is sealed; only then the month goes. Ask again with the same body until it is archived.',
        params: MonthParams,
        body: ArchiveBody,
        response: { 200: ArchiveProgress, 202: ArchiveProgress },
        ...problems('MONTH_UNKNOWN', 'MONTH_NOT_READY', 'ARCHIVE_DIFFERS', ...BODY_PROBLEMS),
      },
    },
    async (request, reply) => {
      const { month } = request.params
      const step = await world.archiveMonth(month, request.body.sha256, actorOf(request))
      switch (step.state) {
        case 'unknown':
          throw new Problem('MONTH_UNKNOWN', `The ledger holds no month ${month}.`)
        case 'not-ready':
          throw new Problem('MONTH_NOT_READY', step.why)
        case 'differs':
          throw new Problem('ARCHIVE_DIFFERS', step.why)
        case 'working':
          return reply.code(202).send({ month, state: 'working', what: step.what })
        case 'archived': {
          const { entries, sha256 } = step.archived
          return { month, state: 'archived', what: `${entries} entries`, entries, sha256 }
        }
      }
    },
  )
}

function filterOf({ sku, actor, cause, kind, from, to }: Asked): LedgerFilter {
  return {
    ...(sku === undefined ? {} : { sku: skuIn(sku, 'sku') }),
    ...(actor === undefined ? {} : { actor }),
    ...(cause === undefined ? {} : { cause }),
    ...(kind === undefined ? {} : { kind }),
    ...(from === undefined ? {} : { from: momentIn(from, 'from') }),
    ...(to === undefined ? {} : { to: momentIn(to, 'to') }),
  }
}

/** Entries of a SKU are paged by version, found ones by moment and number, all of them by their place in the feed. */
function placeIn(filter: LedgerFilter, text: string | undefined): LedgerPlace | undefined {
  if (text === undefined) return undefined
  const [first = '0', second = '0'] = text.split('.')
  if (filter.sku === undefined && Object.keys(filter).length === 0) return { txid: first, seq: Number(second) }
  const number = Number(first)
  if (filter.sku !== undefined && !text.includes('.') && Number.isSafeInteger(number)) return { version: number }
  if (filter.sku === undefined && number <= LAST_MOMENT) return { at: instantOf(number), seq: Number(second) }
  throw wrong('after', 'must be the `next` of the page before')
}

const LAST_MOMENT = Date.parse('2100-01-01T00:00:00Z')

function nextOf(filter: LedgerFilter, last: { txid: string; seq: number; version: number; at: number }): string {
  if (filter.sku !== undefined) return String(last.version)
  return Object.keys(filter).length > 0 ? `${last.at}.${last.seq}` : `${last.txid}.${last.seq}`
}

const wrong = (field: string, problem: string): Problem =>
  new Problem('REQUEST_WRONG', `${field} ${problem}.`, { more: { problems: [{ field, problem }] } })

const iso = (moment: number): string => new Date(moment).toISOString()
