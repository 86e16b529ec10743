/** The doors for machines that sign what they send: warehouses and shops. Bodies are kept raw, because signatures cover bytes. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { sourceOf } from '../../core/ids.ts'
import type { Bodies } from '../bodies.ts'
import { DeliveryReceipt, SourceParams } from '../contract.ts'
import { problems, provedBy, rawBody } from '../openapi.ts'
import { Problem } from '../problem.ts'
import type { HttpWorld, RawAnswer, RawHeaders } from '../world.ts'

/** A snapshot of tens of thousands of figures; more come as several. */
const MAX_DELIVERY_BYTES = 8 * 1024 * 1024
/** A large gateway body must be read: refusing it would let its order pass unseen. */
const MAX_SHOPWARE_BYTES = 16 * 1024 * 1024
/** Deliveries of one source that are under way; more than any sender keeps open, and few enough that others are served. */
export const MAX_UNDER_WAY = 256

export function doorRoutes(app: FastifyInstance, world: HttpWorld, bodies: Bodies): void {
  const underWay = new Map<string, number>()

  /** Refuses what cannot be authentic, and what is too much, before a byte of the body is read. */
  async function admit(request: FastifyRequest<{ Params: Static<typeof SourceParams> }>, reply: FastifyReply) {
    const { source } = request.params
    if (!world.mayReceive(sourceOf(source), headersOf(request))) throw notAuthentic()
    const count = underWay.get(source) ?? 0
    if (count >= MAX_UNDER_WAY) throw new Problem('TOO_MANY_DELIVERIES', undefined, { headers: { 'retry-after': '1' } })
    underWay.set(source, count + 1)
    reply.raw.once('close', () => {
      const left = (underWay.get(source) ?? 1) - 1
      if (left > 0) underWay.set(source, left)
      else underWay.delete(source)
    })
  }

  app.register(async (door) => {
    door.removeAllContentTypeParsers()
    door.addContentTypeParser('*', (request: FastifyRequest, payload: FastifyRequest['raw']) =>
      bodies.read(payload, request.routeOptions.bodyLimit ?? MAX_DELIVERY_BYTES),
    )

    door.post<{ Params: Static<typeof SourceParams> }>(
      '/v1/sources/:source/messages',
      {
        bodyLimit: MAX_DELIVERY_BYTES,
        onRequest: admit,
        schema: {
          summary: 'The warehouse’s word: one message, an array, or NDJSON, signed as the source is configured',
          params: SourceParams,
          response: { 202: DeliveryReceipt },
          ...rawBody('Flat or canonical messages', 'application/json', 'application/x-ndjson'),
          ...provedBy('standardWebhook', 'sourceHmac', 'sourceToken'),
          ...problems(
            'NOT_AUTHENTIC',
            'TOO_MANY_MESSAGES',
            'BODY_TOO_LARGE',
            'ENCODING_UNSUPPORTED',
            'REQUEST_WRONG',
            'TOO_MANY_DELIVERIES',
            'BUSY',
            'DATABASE_UNREACHABLE',
          ),
        },
      },
      async (request, reply) => {
        const delivery = { headers: headersOf(request), raw: rawOf(request) }
        const result = await world.receive(sourceOf(request.params.source), delivery)
        if ('receipt' in result) return reply.code(202).send(result.receipt)
        throw result.refused.httpCode === 401 ? notAuthentic() : new Problem('TOO_MANY_MESSAGES', result.refused.detail)
      },
    )

    type ShopwareDoor = 'confirmation' | 'gateway' | 'webhook'
    /** Without the form of a signature nothing is read: the door gives its refusal on an empty body. */
    const shopware = (to: ShopwareDoor) => ({
      bodyLimit: MAX_SHOPWARE_BYTES,
      onRequest: async (request: FastifyRequest, reply: FastifyReply) => {
        const headers = headersOf(request)
        if (!HEX_DIGEST.test(headers[SHOP_SIGNATURE] ?? ''))
          return raw(reply, await world.shopware[to](Buffer.alloc(0), headers))
      },
    })
    const signed = {
      ...rawBody('As Shopware sends it', 'application/json'),
      ...provedBy('shopwareShop'),
      ...problems('NOT_AUTHENTIC', 'BODY_TOO_LARGE', 'BUSY'),
    }
    door.get(
      '/shopware/registration',
      { schema: { summary: 'A shop installs the app', ...provedBy('shopwareApp'), ...problems('NOT_AUTHENTIC') } },
      async (request, reply) =>
        raw(reply, await world.shopware.registration(request.url.split('?').slice(1).join('?'), headersOf(request))),
    )
    door.post(
      '/shopware/confirmation',
      { ...shopware('confirmation'), schema: { summary: 'The shop confirms', ...signed } },
      async (request, reply) => raw(reply, await world.shopware.confirmation(rawOf(request), headersOf(request))),
    )
    door.post(
      '/shopware/checkout-gateway',
      { ...shopware('gateway'), schema: { summary: 'May this order be written?', ...signed } },
      async (request, reply) => raw(reply, await world.shopware.gateway(rawOf(request), headersOf(request))),
    )
    door.post(
      '/shopware/webhooks',
      {
        ...shopware('webhook'),
        schema: {
          summary: 'Something happened: look',
          response: { 204: Type.Null({ description: 'It is kept' }) },
          ...signed,
        },
      },
      async (request, reply) => raw(reply, await world.shopware.webhook(rawOf(request), headersOf(request))),
    )
  })
}

const SHOP_SIGNATURE = 'shopware-shop-signature'
const HEX_DIGEST = /^[0-9a-f]{64}$/

/** The same words whatever was wrong: an unknown source is no news to whoever guesses names. */
const notAuthentic = () => new Problem('NOT_AUTHENTIC', 'The message is not authentic.')

const rawOf = (request: FastifyRequest): Buffer => (Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0))

/** One text per header; a header that came twice is as good as none, so that nobody chooses which of two signatures counts. */
function headersOf(request: FastifyRequest): RawHeaders {
  const counts = new Map<string, number>()
  for (let at = 0; at < request.raw.rawHeaders.length; at += 2) {
    const name = request.raw.rawHeaders[at]?.toLowerCase() ?? ''
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  const single = Object.entries(request.headers).map(([name, value]): [string, string | undefined] => [
    name,
    typeof value === 'string' && counts.get(name) === 1 ? value : undefined,
  ])
  return Object.fromEntries(single)
}

const raw = (reply: FastifyReply, answer: RawAnswer) =>
  reply.code(answer.httpCode).headers(answer.headers).send(answer.body)
