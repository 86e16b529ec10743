/** The doors for machines that sign what they send: warehouses and shops. Bodies are kept raw, because signatures cover bytes. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Static } from 'typebox'
import { sourceOf } from '../../core/ids.ts'
import { DeliveryReceipt, SourceParams } from '../contract.ts'
import { Problem } from '../problem.ts'
import type { HttpWorld, RawAnswer, RawHeaders } from '../world.ts'

/** A snapshot of tens of thousands of figures; more come as several. */
const MAX_DELIVERY_BYTES = 8 * 1024 * 1024
/** A large gateway body must be read: refusing it would let its order pass unseen. */
const MAX_SHOPWARE_BYTES = 16 * 1024 * 1024

export function doorRoutes(app: FastifyInstance, world: HttpWorld): void {
  app.register(async (door) => {
    door.removeAllContentTypeParsers()
    door.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, done) => done(null, body))

    door.post<{ Params: Static<typeof SourceParams> }>(
      '/v1/sources/:source/messages',
      {
        bodyLimit: MAX_DELIVERY_BYTES,
        schema: {
          summary: 'The warehouse’s word: one message, an array, or NDJSON, signed as the source is configured',
          params: SourceParams,
          consumes: ['application/json', 'application/x-ndjson'],
          response: { 202: DeliveryReceipt },
        },
      },
      async (request, reply) => {
        if (request.headers['content-encoding'] !== undefined)
          throw new Problem(415, 'ENCODING_UNSUPPORTED', 'Send the body without Content-Encoding.')
        const result = await world.receive(sourceOf(request.params.source), {
          headers: headersOf(request),
          raw: rawOf(request),
        })
        if ('refused' in result) throw new Problem(result.refused.httpCode, result.refused.code, result.refused.detail)
        return reply.code(202).send(result.receipt)
      },
    )

    const shopware = { bodyLimit: MAX_SHOPWARE_BYTES }
    door.get('/shopware/registration', { schema: { summary: 'A shop installs the app' } }, async (request, reply) =>
      raw(reply, await world.shopware.registration(request.url.split('?').slice(1).join('?'), headersOf(request))),
    )
    door.post(
      '/shopware/confirmation',
      { ...shopware, schema: { summary: 'The shop confirms' } },
      async (request, reply) => raw(reply, await world.shopware.confirmation(rawOf(request), headersOf(request))),
    )
    door.post(
      '/shopware/checkout-gateway',
      { ...shopware, schema: { summary: 'May this order be written?' } },
      async (request, reply) => raw(reply, await world.shopware.gateway(rawOf(request), headersOf(request))),
    )
    door.post(
      '/shopware/webhooks',
      { ...shopware, schema: { summary: 'Something happened: look' } },
      async (request, reply) => raw(reply, await world.shopware.webhook(rawOf(request), headersOf(request))),
    )
  })
}

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
