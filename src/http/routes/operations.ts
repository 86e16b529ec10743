/** Running the service: configuration, tokens, shops, health, metrics. */
import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import { checkConfiguration, readConfigurationYaml } from '../../app/configuration-file.ts'
import { actorOf, need } from '../auth.ts'
import { ConfigurationAnswer, ShopParams, TokenBody } from '../contract.ts'
import { Problem } from '../problem.ts'
import type { HttpWorld } from '../world.ts'
import { shopIn } from './reservations.ts'

const ConfigureQuery = Type.Object({ dryRun: Type.Optional(Type.Boolean()) })
const MAX_CONFIGURATION_BYTES = 8 * 1024 * 1024

export function operationRoutes(app: FastifyInstance, world: HttpWorld): void {
  app.get(
    '/v1/configuration',
    {
      preHandler: need(world, 'read'),
      schema: { summary: 'The rules in force', response: { 200: ConfigurationAnswer } },
    },
    () => world.configuration(),
  )

  app.register(async (yaml) => {
    yaml.addContentTypeParser(
      ['application/yaml', 'text/yaml', 'application/x-yaml'],
      { parseAs: 'string' },
      (_, body, done) => done(null, body),
    )
    yaml.put<{ Querystring: Static<typeof ConfigureQuery> }>(
      '/v1/configuration',
      {
        preHandler: need(world, 'admin'),
        bodyLimit: MAX_CONFIGURATION_BYTES,
        schema: {
          summary: 'Put new rules in force, as JSON or YAML; with dryRun only show the difference',
          querystring: ConfigureQuery,
        },
      },
      async (request) => {
        const read =
          typeof request.body === 'string' ? readConfigurationYaml(request.body) : checkConfiguration(request.body)
        if ('problems' in read) {
          const [first] = read.problems
          throw new Problem(
            422,
            'CONFIGURATION_WRONG',
            `${first?.path || 'The document'} ${first?.problem ?? 'is wrong'}.`,
            {
              more: { problems: read.problems },
            },
          )
        }
        return await world.configure(read.document, actorOf(request), request.query.dryRun ?? false)
      },
    )
  })

  app.post<{ Body: Static<typeof TokenBody> }>(
    '/v1/tokens',
    { preHandler: need(world, 'admin'), schema: { summary: 'Make a token; it is shown this once', body: TokenBody } },
    async (request, reply) => {
      const { name, scope } = request.body
      return reply.code(201).send({ name, scope, token: await world.createToken(name, scope) })
    },
  )

  app.get(
    '/v1/shops',
    { preHandler: need(world, 'read'), schema: { summary: 'Every shop and how it is connected' } },
    async () =>
      [...world.rules().shops.values()].map(({ shop, kind }) => {
        const status = world.shops().find((each) => each.shop === shop)
        return {
          shop,
          kind,
          state: kind === 'channel' ? 'connected' : (status?.state ?? 'awaited'),
          ...isoIn('baselineAt', status?.baselineAt),
          ...isoIn('ordersKnownUntil', status?.watermark),
          ...isoIn('silentFrom', status?.silentFrom),
        }
      }),
  )

  app.post<{ Params: Static<typeof ShopParams> }>(
    '/v1/shops/:shop/retire',
    {
      preHandler: need(world, 'admin'),
      schema: { summary: 'A shop that is gone: its watermark is set by decree', params: ShopParams },
    },
    async (request, reply) => {
      await world.retire(shopIn(world, request.params.shop), actorOf(request))
      return reply.code(204).send()
    },
  )

  app.get(
    '/v1/shopware-app',
    { preHandler: need(world, 'admin'), schema: { summary: 'What the app bundle must carry: its secret and version' } },
    () => world.appBundle,
  )

  app.post(
    '/v1/verify',
    { preHandler: need(world, 'operate'), schema: { summary: 'Rebuild every state from the ledger and compare' } },
    () => world.verify(),
  )

  app.get('/healthz', { schema: { summary: 'The process lives' } }, () => ({ live: true }))
  app.get('/readyz', { schema: { summary: 'The process can answer' } }, async (_, reply) => {
    const ready = await world.isReady()
    return reply.code(ready ? 200 : 503).send({ ready })
  })
  app.get('/metrics', { schema: { summary: 'Prometheus metrics' } }, async (_, reply) =>
    reply.type('text/plain; version=0.0.4').send(await world.metrics()),
  )
}

const isoIn = (name: string, moment: number | undefined): Record<string, string> =>
  moment === undefined ? {} : { [name]: new Date(moment).toISOString() }
