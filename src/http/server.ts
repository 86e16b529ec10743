/** The HTTP server: routes, limits, and one way to answer errors. */
import type { Socket } from 'node:net'
import swagger from '@fastify/swagger'
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { TSchema } from 'typebox'
import { isOutage } from '../adapters/postgres/outage.ts'
import { readJson, textOf } from '../adapters/wms/json.ts'
import { LaneBusy } from '../app/lane.ts'
import { Failure } from '../errors.ts'
import { preferredLanguage } from '../messages.ts'
import { type Bodies, createBodies } from './bodies.ts'
import { ProblemDocument } from './contract.ts'
import { homePage } from './home-page.ts'
import { completed, OPEN, SECURITY_SCHEMES } from './openapi.ts'
import { documentOf, Problem, type ProblemCode } from './problem.ts'
import { doorRoutes } from './routes/doors.ts'
import { incidentRoutes } from './routes/incidents.ts'
import { ledgerRoutes } from './routes/ledger.ts'
import { operationRoutes } from './routes/operations.ts'
import { reservationRoutes } from './routes/reservations.ts'
import { resyncRoutes } from './routes/resync.ts'
import { stockRoutes } from './routes/stock.ts'
import { validatorOf } from './validate.ts'
import type { HttpWorld } from './world.ts'

/** What an ordinary request may bring. */
const MAX_BODY_BYTES = 1024 * 1024
/** A SKU of 255 characters, each written as twelve in an address. */
const MAX_PARAM_CHARACTERS = 4_096
/** More than any proxy adds. Node itself bounds their length to 16 KiB, and would drop what is above its own count in silence. */
const MAX_HEADERS = 200

/** How patient the server is. Node's own defaults (a minute, five minutes, no end of connections) let few clients hold it. */
export type Patience = {
  /** Headers, and the whole request, that take longer to arrive are given up. */
  readonly headersWithinMs: number
  readonly requestWithinMs: number
  /** How often that is looked at. */
  readonly checkEveryMs: number
  readonly connections: number
}

const PATIENCE: Patience = {
  headersWithinMs: 10_000,
  requestWithinMs: 30_000,
  checkEveryMs: 1_000,
  connections: 10_000,
}

/** Builds the server; it listens when told to. */
export async function buildServer(
  world: HttpWorld,
  version: string,
  patience: Patience = PATIENCE,
): Promise<FastifyInstance> {
  const app = fastify({
    exposeHeadRoutes: true,
    logger: false,
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: patience.requestWithinMs,
    http: { headersTimeout: patience.headersWithinMs, connectionsCheckingInterval: patience.checkEveryMs },
    routerOptions: { maxParamLength: MAX_PARAM_CHARACTERS, caseSensitive: true },
    return503OnClosing: true,
    forceCloseConnections: 'idle',
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: (_, request, reply) => answer(new Problem('BODY_UNREADABLE'), request, reply),
  })
  app.server.maxConnections = patience.connections
  app.server.maxHeadersCount = 0
  app.setValidatorCompiler<TSchema>(({ schema, httpPart }) => validatorOf(schema, httpPart))
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Holdfast',
        version,
        description: 'What may still be promised, to whom, for which day.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/' }],
      components: { securitySchemes: SECURITY_SCHEMES },
      security: [{ token: [] }],
    },
  })
  app.setErrorHandler((cause: unknown, request, reply) => {
    const onBug = (bug: unknown) => world.onBug(bug, `${request.method} ${request.routeOptions.url ?? 'unknown route'}`)
    return answer(problemOf(cause, onBug), request, reply)
  })
  app.setNotFoundHandler(() => {
    throw new Problem('NOT_FOUND', 'There is nothing here. GET /openapi.json lists every door.')
  })
  const doors = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ url, method }) => {
    const methods = doors.get(url) ?? new Set()
    for (const each of [method].flat()) methods.add(each)
    doors.set(url, methods)
  })
  app.addHook('onRequest', async (request) => refuseOddHeaders(request))
  app.addHook('onSend', async (_, reply) => {
    reply.header('x-content-type-options', 'nosniff').header('cache-control', 'no-store')
  })
  const bodies = createBodies()
  app.addHook('onResponse', async ({ raw }) => bodies.done(raw))
  app.addHook('onRequestAbort', async ({ raw }) => bodies.done(raw))
  readStrictly(app, bodies)

  reservationRoutes(app, world)
  stockRoutes(app, world)
  incidentRoutes(app, world)
  ledgerRoutes(app, world)
  doorRoutes(app, world, bodies)
  operationRoutes(app, world, bodies)
  resyncRoutes(app, world)
  let document: object | undefined
  app.get('/openapi.json', { schema: { summary: 'This description', ...OPEN } }, () => {
    document ??= completed(app.swagger(), ProblemDocument)
    return document
  })
  app.get('/', { schema: { hide: true } }, (_, reply) => reply.type('text/html; charset=utf-8').send(homePage(version)))
  // The encapsulated doors are registered by now; what follows is only the refusals.
  await app.after()
  refuseOtherMethods(app, doors)
  return app
}

function answer(problem: Problem, request: FastifyRequest, reply: FastifyReply) {
  const language = preferredLanguage(request.headers['accept-language'])
  if (problem.say) reply.header('content-language', language).header('vary', 'accept-language')
  return reply
    .code(problem.httpCode)
    .headers(problem.headers)
    .type('application/problem+json')
    .send(JSON.stringify(documentOf(problem, language)))
}

const CLOSE = { headers: { connection: 'close' } }

function refuseOddHeaders({ raw, headers }: FastifyRequest): void {
  if (raw.rawHeaders.length / 2 > MAX_HEADERS) throw new Problem('HEADERS_TOO_LARGE', undefined, CLOSE)
  // Bodies grow a thousandfold when they are unpacked: nobody who speaks to us packs them.
  if (headers['content-encoding'] !== undefined) throw new Problem('ENCODING_UNSUPPORTED', undefined, CLOSE)
}

/** JSON is read as at the warehouse's door: no key twice, no number that changes on the way, no depth without end. */
function readStrictly(app: FastifyInstance, bodies: Bodies): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', async (request: FastifyRequest, payload: FastifyRequest['raw']) => {
    const charset = /charset\s*=\s*"?([^";\s]*)/i.exec(request.headers['content-type'] ?? '')?.[1]
    if (charset !== undefined && !/^utf-?8$/i.test(charset))
      throw new Problem('MEDIA_TYPE_UNSUPPORTED', 'JSON is UTF-8.', CLOSE)
    const raw = await bodies.read(payload, request.routeOptions.bodyLimit ?? MAX_BODY_BYTES)
    if (raw.length === 0) return undefined
    const text = textOf(raw)
    if (text === undefined) throw new Problem('BODY_UNREADABLE', 'The body is not UTF-8.')
    const read = readJson(text)
    if ('value' in read) return read.value
    throw new Problem('BODY_UNREADABLE', `${read.problem} (at character ${read.at}).`)
  })
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
        throw new Problem('METHOD_NOT_ALLOWED', `This door answers ${allow}.`, { headers: { allow } })
      },
      handler: () => undefined,
    })
  }
}

/** Everything thrown becomes a problem document; what we did not foresee is a bug, told to us and not to the client. */
function problemOf(cause: unknown, onBug: (bug: unknown) => void): Problem {
  if (cause instanceof Problem) return cause
  if (cause instanceof LaneBusy) {
    return new Problem('LANE_BUSY', undefined, { headers: { 'retry-after': String(cause.retryAfterSeconds) } })
  }
  if (cause instanceof Failure && cause.code === 'DATABASE_UNREACHABLE') return DATABASE_AWAY
  if (cause instanceof Failure && cause.code === 'TABLES_NEWER') return OUTDATED
  const known = cause instanceof Error ? FASTIFY_CODES[(cause as FastifyError).statusCode ?? 500] : undefined
  if (known) return new Problem(known, undefined, CLOSE)
  if (isOutage(cause)) return DATABASE_AWAY
  onBug(cause)
  return new Problem('BUG')
}

const DATABASE_AWAY = new Problem(
  'DATABASE_UNREACHABLE',
  'The database does not answer. The outcome is unknown until you ask again.',
  { headers: { 'retry-after': '1' } },
)

const OUTDATED = new Problem('TABLES_NEWER', undefined, { headers: { 'retry-after': '1', connection: 'close' } })

const FASTIFY_CODES: Readonly<Record<number, ProblemCode>> = {
  400: 'BODY_UNREADABLE',
  413: 'BODY_TOO_LARGE',
  415: 'MEDIA_TYPE_UNSUPPORTED',
}

const BROKEN: Readonly<Record<string, ProblemCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_TIMEOUT',
  HPE_HEADER_OVERFLOW: 'HEADERS_TOO_LARGE',
}

/** What is no HTTP, too slow or too long never becomes a request; it is answered on the bare socket, which is then closed. */
function answerBrokenRequest(cause: { readonly code?: string }, socket: Socket): void {
  if (cause.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const problem = new Problem(BROKEN[cause.code ?? ''] ?? 'REQUEST_MALFORMED')
  const body = JSON.stringify(documentOf(problem, 'en'))
  socket.end(
    `HTTP/1.1 ${problem.httpCode} ${STATUS_TEXTS[problem.httpCode] ?? 'Bad Request'}\r\n` +
      `content-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  )
}

const STATUS_TEXTS: Readonly<Record<number, string>> = {
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
}
