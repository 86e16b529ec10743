/** `openapi.json`: what the routes' schemas say, with every refusal described and every door's proof named. */
import { PROBLEMS, type ProblemCode } from './problem.ts'

/** The refusals of a route, beside those that every door of its kind has. */
export const problems = (...codes: readonly ProblemCode[]): { readonly 'x-problems': readonly ProblemCode[] } => ({
  'x-problems': codes,
})

/** What can be wrong with any JSON body. */
export const BODY_PROBLEMS = [
  'REQUEST_WRONG',
  'BODY_UNREADABLE',
  'BODY_TOO_LARGE',
  'MEDIA_TYPE_UNSUPPORTED',
  'ENCODING_UNSUPPORTED',
] as const satisfies readonly ProblemCode[]

/** A door that asks for no proof. */
export const OPEN: { readonly security: readonly never[] } = { security: [] }

type SecurityScheme =
  | { type: 'http'; scheme: string; description: string }
  | { type: 'apiKey'; in: 'header'; name: string; description: string }

/** The proofs that the doors ask for. */
export const SECURITY_SCHEMES: Record<string, SecurityScheme> = {
  token: { type: 'http', scheme: 'bearer', description: 'A token with a scope: read, operate or admin' },
  standardWebhook: {
    type: 'apiKey',
    in: 'header',
    name: 'webhook-signature',
    description: 'Standard Webhooks: webhook-id, webhook-timestamp and webhook-signature over the raw body',
  },
  sourceHmac: {
    type: 'apiKey',
    in: 'header',
    name: 'x-signature',
    description: 'HMAC-SHA256 over the raw body, in the header that the source is configured with',
  },
  sourceToken: { type: 'http', scheme: 'bearer', description: 'The token that the source is configured with' },
  shopwareApp: {
    type: 'apiKey',
    in: 'header',
    name: 'shopware-app-signature',
    description: 'HMAC-SHA256 over the raw query with the secret of the app',
  },
  shopwareShop: {
    type: 'apiKey',
    in: 'header',
    name: 'shopware-shop-signature',
    description: 'HMAC-SHA256 over the raw body with the secret of the shop',
  },
}

/** Names the proofs of a door that is not opened by one of our tokens. */
export const provedBy = (...schemes: readonly string[]) => ({
  security: schemes.map((scheme) => ({ [scheme]: [] })),
})

/** A body that a route reads as it came, for the description alone. */
export const rawBody = (description: string, ...types: readonly string[]) => ({
  'x-body': { required: true, description, content: Object.fromEntries(types.map((type) => [type, { schema: {} }])) },
})

type Operation = Record<string, unknown> & {
  security?: readonly unknown[]
  responses?: Record<string, unknown>
  'x-problems'?: readonly ProblemCode[]
  'x-body'?: unknown
}
type Document = Record<string, unknown> & { paths?: Record<string, Record<string, Operation>> }

/** Completes what was collected from the routes. */
export function completed(collected: object, problemSchema: object): Document {
  const document: Document = { ...structuredClone(collected) }
  for (const [path, methods] of Object.entries(document.paths ?? {})) {
    for (const [method, operation] of Object.entries(methods)) {
      methods[method] = completedOperation(method, path, operation)
    }
  }
  return {
    ...document,
    components: { securitySchemes: SECURITY_SCHEMES, schemas: { Problem: problemSchema } },
  }
}

function completedOperation(method: string, path: string, operation: Operation): Operation {
  const { 'x-problems': own = [], 'x-body': body, ...rest } = operation
  const ofToken =
    rest.security === undefined ? (['TOKEN_MISSING', 'SCOPE_TOO_NARROW', 'DATABASE_UNREACHABLE'] as const) : []
  const byStatus = Map.groupBy([...own, ...ofToken], (code) => PROBLEMS[code][0])
  const refusals = [...byStatus].map(([status, codes]) => [
    status,
    problemResponse(codes.map((code) => `\`${code}\`: ${PROBLEMS[code][1]}`).join('\n\n')),
  ])
  const parameters = Array.isArray(rest.parameters) ? rest.parameters : []
  const headers = [
    ...(own.includes('KEY_REUSED') ? [IDEMPOTENCY_KEY] : []),
    ...(byStatus.has(409) ? [ACCEPT_LANGUAGE] : []),
  ]
  return {
    operationId: operationIdOf(method, path),
    tags: [path.split('/').filter((part) => part !== 'v1' && part !== '')[0] ?? 'service'],
    ...rest,
    ...(parameters.length + headers.length === 0 ? {} : { parameters: [...parameters, ...headers] }),
    ...(body === undefined ? {} : { requestBody: body }),
    responses: {
      ...rest.responses,
      ...Object.fromEntries(refusals),
      default: problemResponse('Any other refusal'),
    },
  }
}

const IDEMPOTENCY_KEY = {
  in: 'header',
  name: 'Idempotency-Key',
  required: false,
  description:
    'Names the attempt to send: the same key with the same content is answered as before, refusals among them',
  schema: { type: 'string', minLength: 1, maxLength: 200 },
}
const ACCEPT_LANGUAGE = {
  in: 'header',
  name: 'Accept-Language',
  required: false,
  description: 'The language of `message` in a refusal: de or en',
  schema: { type: 'string' },
}

const problemResponse = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
})

/** `put /v1/shops/{shop}/reservations/{key}` → `putShopsShopReservationsKey` */
const operationIdOf = (method: string, path: string): string =>
  method +
  path
    .split(/[^A-Za-z0-9]+/)
    .filter((part) => part !== '' && part !== 'v1')
    .map((part) => part[0]?.toUpperCase() + part.slice(1))
    .join('')
