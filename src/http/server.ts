/** The HTTP server: routes, limits, and one way to answer errors. */
import swagger from '@fastify/swagger'
import fastify, { type FastifyInstance } from 'fastify'
import { LaneBusy } from '../app/lane.ts'
import { Failure } from '../errors.ts'
import { homePage } from './home-page.ts'
import { documentOf, Problem } from './problem.ts'
import { doorRoutes } from './routes/doors.ts'
import { operationRoutes } from './routes/operations.ts'
import { reservationRoutes } from './routes/reservations.ts'
import { stockRoutes } from './routes/stock.ts'
import type { HttpWorld } from './world.ts'

/** What an ordinary request may bring. */
const MAX_BODY_BYTES = 1024 * 1024
/** A body that takes longer to arrive is given up. */
const REQUEST_WITHIN_MS = 30_000
const MAX_PARAM_CHARACTERS = 1_024

/** Builds the server; it listens when told to. */
export async function buildServer(world: HttpWorld, version: string): Promise<FastifyInstance> {
  const app = fastify({
    exposeHeadRoutes: true,
    logger: false,
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_WITHIN_MS,
    routerOptions: { maxParamLength: MAX_PARAM_CHARACTERS, caseSensitive: true },
    return503OnClosing: true,
    forceCloseConnections: 'idle',
    ajv: { customOptions: { coerceTypes: 'array', removeAdditional: false } },
  })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Holdfast',
        version,
        description: 'What may still be promised, to whom, for which day.',
        license: { name: 'MIT' },
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
  })
  app.setErrorHandler((cause, request, reply) => {
    const problem = problemOf(cause, (bug) =>
      world.onBug(bug, `${request.method} ${request.routeOptions.url ?? 'unknown route'}`),
    )
    return reply
      .code(problem.httpCode)
      .headers(problem.headers)
      .type('application/problem+json')
      .send(JSON.stringify(documentOf(problem)))
  })
  app.setNotFoundHandler(() => {
    throw new Problem(404, 'NOT_FOUND', 'There is nothing here. GET /openapi.json lists every door.')
  })
  const doors = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ url, method }) => {
    const methods = doors.get(url) ?? new Set()
    for (const each of [method].flat()) methods.add(each)
    doors.set(url, methods)
  })
  app.addHook('onSend', async (_, reply) => {
    reply.header('x-content-type-options', 'nosniff').header('cache-control', 'no-store')
  })

  reservationRoutes(app, world)
  stockRoutes(app, world)
  doorRoutes(app, world)
  operationRoutes(app, world)
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger())
  app.get('/', { schema: { hide: true } }, (_, reply) => reply.type('text/html; charset=utf-8').send(homePage(version)))
  // The encapsulated doors are registered by now; what follows is only the refusals.
  await app.after()
  refuseOtherMethods(app, doors)
  return app
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'] as const

/** Every door answers a method that it does not know with 405, before it reads a body. */
function refuseOtherMethods(app: FastifyInstance, doors: ReadonlyMap<string, ReadonlySet<string>>): void {
  for (const [url, methods] of [...doors]) {
    const others = METHODS.filter((method) => !methods.has(method))
    const allow = [...methods].filter((method) => method !== 'HEAD').join(', ')
    app.route({
      method: others,
      url,
      schema: { hide: true },
      onRequest: async () => {
        throw new Problem(405, 'METHOD_NOT_ALLOWED', `This door answers ${allow}.`, { headers: { allow } })
      },
      handler: () => undefined,
    })
  }
}

/** Everything thrown becomes a problem document; what we did not foresee is a bug, told to us and not to the client. */
function problemOf(cause: unknown, onBug: (bug: unknown) => void): Problem {
  if (cause instanceof Problem) return cause
  if (cause instanceof LaneBusy) {
    return new Problem(503, 'LANE_BUSY', 'Too many decisions wait. Try again in a moment.', {
      headers: { 'retry-after': String(cause.retryAfterSeconds) },
    })
  }
  if (cause instanceof Failure && cause.code === 'DATABASE_UNREACHABLE') return DATABASE_AWAY
  if (!(cause instanceof Error)) {
    onBug(cause)
    return BUG
  }
  if ('validation' in cause && Array.isArray(cause.validation)) {
    return new Problem(422, 'REQUEST_WRONG', `${cause.message}.`, {
      more: { problems: cause.validation.map(fieldProblem) },
    })
  }
  const httpCode = 'statusCode' in cause && typeof cause.statusCode === 'number' ? cause.statusCode : 500
  const known = CLIENT_ERRORS[httpCode]
  if (known) return new Problem(httpCode, known[0], known[1])
  if (isDatabaseAway(cause)) return DATABASE_AWAY
  onBug(cause)
  return BUG
}

const BUG = new Problem(500, 'BUG', 'Something broke on our side. It has been recorded; nothing was changed.')
const DATABASE_AWAY = new Problem(
  503,
  'DATABASE_UNREACHABLE',
  'The database does not answer. Nothing was taken; try again.',
  {
    headers: { 'retry-after': '1' },
  },
)

const CLIENT_ERRORS: Readonly<Record<number, readonly [string, string]>> = {
  400: ['BODY_UNREADABLE', 'The body is no JSON, or the address is malformed.'],
  413: ['BODY_TOO_LARGE', 'The body is larger than this door takes.'],
  415: ['MEDIA_TYPE_UNSUPPORTED', 'Send application/json.'],
}

const fieldProblem = (problem: unknown): unknown => {
  const { instancePath, message } = problem as { instancePath?: string; message?: string }
  return { field: instancePath?.slice(1).replaceAll('/', '.'), problem: message }
}

const isDatabaseAway = (cause: Error): boolean =>
  ('code' in cause && typeof cause.code === 'string' && /^(08|57P|53|ECONN|ENOTFOUND|EPIPE)/.test(cause.code)) ||
  /Connection terminated|timeout exceeded when trying to connect/.test(cause.message)
