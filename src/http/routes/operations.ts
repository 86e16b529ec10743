/** Running the service: configuration, tokens, shops, health, metrics. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { textOf } from '../../adapters/wms/json.ts'
import { changeProblems } from '../../app/configuration-change.ts'
import { type ConfigurationProblem, checkConfiguration, readConfigurationYaml } from '../../app/configuration-file.ts'
import { shopOf, warehouseOf } from '../../core/ids.ts'
import { actorOf, need } from '../auth.ts'
import type { Bodies } from '../bodies.ts'
import {
  AppBundle,
  ConfigurationAnswer,
  Live,
  Ready,
  Release,
  ShopAnswer,
  ShopParams,
  TokenAnswer,
  TokenBody,
  Trusted,
  Verified,
  WarehouseParams,
} from '../contract.ts'
import { Invitation } from '../contract-shops.ts'
import { BODY_PROBLEMS, OPEN, problems, rawBody } from '../openapi.ts'
import { Problem } from '../problem.ts'
import { streamsOf } from '../streams.ts'
import type { HttpWorld } from '../world.ts'

const ConfigureQuery = Type.Object(
  { dryRun: Type.Optional(Type.Boolean({ description: 'true or false' })) },
  { additionalProperties: false },
)
const MAX_CONFIGURATION_BYTES = 8 * 1024 * 1024

export function operationRoutes(app: FastifyInstance, world: HttpWorld, bodies: Bodies): void {
  const streamed = streamsOf(app)

  app.get(
    '/v1/configuration',
    {
      onRequest: need(world, 'read'),
      schema: { summary: 'The rules in force', response: { 200: ConfigurationAnswer } },
    },
    () => world.configuration(),
  )

  app.register(async (yaml) => {
    yaml.addContentTypeParser(
      ['application/yaml', 'text/yaml', 'application/x-yaml'],
      async (request: FastifyRequest, payload: FastifyRequest['raw']) => {
        const text = textOf(await bodies.read(payload, request.routeOptions.bodyLimit ?? MAX_CONFIGURATION_BYTES))
        if (text === undefined) throw new Problem('BODY_UNREADABLE', 'The body is not UTF-8.')
        return text
      },
    )
    yaml.put<{ Querystring: Static<typeof ConfigureQuery> }>(
      '/v1/configuration',
      {
        onRequest: need(world, 'admin'),
        bodyLimit: MAX_CONFIGURATION_BYTES,
        schema: {
          summary: 'Put new rules in force, as JSON or YAML; with dryRun only show the difference',
          querystring: ConfigureQuery,
          ...rawBody('The whole configuration', 'application/json', 'application/yaml'),
          response: { 200: ConfigurationAnswer },
          ...problems(
            'CONFIGURATION_WRONG',
            'REQUEST_WRONG',
            'BODY_UNREADABLE',
            'BODY_TOO_LARGE',
            'MEDIA_TYPE_UNSUPPORTED',
          ),
        },
      },
      async (request) => {
        const read =
          typeof request.body === 'string' ? readConfigurationYaml(request.body) : checkConfiguration(request.body)
        if ('problems' in read) throw configurationWrong(read.problems)
        const changes = changeProblems((await world.configuration()).document, read.document)
        if (changes.length > 0) throw configurationWrong(changes)
        return await world.configure(read.document, actorOf(request), request.query.dryRun ?? false)
      },
    )
  })

  app.post<{ Body: Static<typeof TokenBody> }>(
    '/v1/tokens',
    {
      onRequest: need(world, 'admin'),
      schema: {
        summary: 'Make a token; it is shown this once',
        body: TokenBody,
        response: { 201: TokenAnswer },
        ...problems(...BODY_PROBLEMS),
      },
    },
    async (request, reply) => {
      const { name, scope } = request.body
      return reply.code(201).send({ name, scope, token: await world.createToken(name, scope) })
    },
  )

  app.get(
    '/v1/shops',
    {
      onRequest: need(world, 'read'),
      schema: { summary: 'Every shop and how it is connected', response: { 200: Type.Array(ShopAnswer) } },
    },
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
      onRequest: need(world, 'admin'),
      schema: {
        summary: 'A shop that is gone: its watermark is set by decree',
        params: ShopParams,
        response: { 204: Type.Null({ description: 'It is retired' }) },
        ...problems('SHOP_UNKNOWN', 'REQUEST_WRONG'),
      },
    },
    async (request, reply) => {
      await world.retire(shopOf(request.params.shop), actorOf(request))
      return reply.code(204).send()
    },
  )

  app.post<{ Params: Static<typeof ShopParams> }>(
    '/v1/shops/:shop/release',
    {
      onRequest: need(world, 'admin'),
      schema: {
        summary: 'Leaves a shop: no number is published any more, and each product gets its own close-out back',
        description: 'Ask again to see how far it has come: `state` is `releasing`, then `gone`.',
        params: ShopParams,
        response: { 200: Release },
        ...problems('SHOP_UNKNOWN', 'REQUEST_WRONG'),
      },
    },
    async (request) => {
      const shop = shopOf(request.params.shop)
      return { shop, ...(await world.release(shop, actorOf(request))) }
    },
  )

  app.post<{ Params: Static<typeof ShopParams> }>(
    '/v1/shops/:shop/invite',
    {
      onRequest: need(world, 'admin'),
      schema: {
        summary:
          'Lets a shop register once without proof: for the first time, after it moved, or in place of another installation',
        params: ShopParams,
        response: { 200: Invitation },
        ...problems('SHOP_UNKNOWN', 'REQUEST_WRONG'),
      },
    },
    async (request) => {
      const shop = shopOf(request.params.shop)
      return { shop, until: new Date(await world.invite(shop, actorOf(request))).toISOString() }
    },
  )

  app.post<{ Params: Static<typeof WarehouseParams> }>(
    '/v1/warehouses/:warehouse/trust',
    {
      onRequest: need(world, 'operate'),
      schema: {
        summary:
          'A warehouse that seemed restored from a backup is believed again: its next figure counts, not the lowest',
        params: WarehouseParams,
        response: { 200: Trusted },
        ...problems('WAREHOUSE_UNKNOWN', 'REQUEST_WRONG'),
      },
    },
    async (request) => {
      const warehouse = warehouseOf(request.params.warehouse)
      if (!world.rules().warehouses.has(warehouse)) throw new Problem('WAREHOUSE_UNKNOWN')
      return { trustedSkus: await world.trust(warehouse, actorOf(request)) }
    },
  )

  app.get(
    '/v1/shopware-app',
    {
      onRequest: need(world, 'admin'),
      schema: { summary: 'What the app bundle must carry: its secret and version', response: { 200: AppBundle } },
    },
    () => world.appBundle,
  )

  app.post(
    '/v1/verify',
    {
      onRequest: need(world, 'operate'),
      schema: {
        summary: 'Rebuild every state from the ledger and compare',
        description:
          'A large ledger takes minutes: with `Accept: application/x-ndjson` lines like `{"progress": …}` come first, and the last line is the verdict.',
        response: { 200: Verified },
      },
    },
    async (request, reply) => {
      if (!/\bapplication\/x-ndjson\b/.test(request.headers.accept ?? '')) return await world.verify()
      return reply.type('application/x-ndjson').send(streamed(verdictLines(world)))
    },
  )

  app.get('/healthz', { schema: { summary: 'The process lives', ...OPEN, response: { 200: Live } } }, () => ({
    live: true,
  }))
  app.get(
    '/readyz',
    { schema: { summary: 'The process can answer', ...OPEN, response: { 200: Ready, 503: Ready } } },
    async (_, reply) => {
      const ready = await world.isReady()
      return reply.code(ready ? 200 : 503).send({ ready })
    },
  )
  app.get(
    '/metrics',
    { schema: { summary: 'Prometheus metrics', ...OPEN, produces: ['text/plain'], response: { 200: Type.String() } } },
    async (_, reply) => reply.type('text/plain; version=0.0.4').send(await world.metrics()),
  )
}

/** What `verify` tells, line by line, and its verdict. */
async function* verdictLines(world: HttpWorld): AsyncGenerator<string> {
  const told: string[] = []
  let wake: () => void = () => undefined
  const verdict = world
    .verify((text) => {
      told.push(text)
      wake()
    })
    .finally(() => wake())
  let isDone = false
  verdict.then(
    () => {
      isDone = true
    },
    () => {
      isDone = true
    },
  )
  while (!isDone) {
    await Promise.race([verdict.catch(() => undefined), new Promise<void>((woken) => (wake = woken))])
    for (const text of told.splice(0)) yield `${JSON.stringify({ progress: text })}\n`
  }
  yield `${JSON.stringify(await verdict)}\n`
}

const isoIn = (name: string, moment: number | undefined): Record<string, string> =>
  moment === undefined ? {} : { [name]: new Date(moment).toISOString() }

function configurationWrong(wrong: readonly ConfigurationProblem[]): Problem {
  const [first] = wrong
  return new Problem('CONFIGURATION_WRONG', `${first?.path || 'The document'} ${first?.problem ?? 'is wrong'}.`, {
    more: { problems: wrong },
  })
}
