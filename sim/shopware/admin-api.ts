/** The part of the Admin API that an integration for stock needs, with the refusals that were seen on a real shop. */
import type { Incoming, Outgoing } from '../loopback.ts'
import { BadCriteria, search } from './criteria.ts'
import { type JsonObject, moment, objectOf, parse, phpJson, textOf } from './json.ts'
import { cancelOrder } from './order-life.ts'
import { orderRow, productRow } from './rows.ts'
import { syncProducts } from './sync.ts'
import type { WebhookLog, World } from './world.ts'

/** Wrong credentials from one address after which it is shut out, with right ones too. */
export const WRONG_BEFORE_THROTTLE = 10

/** @param tokenLifeMs how long an access token is good; the real shop gives ten minutes */
export function adminApi(world: World, tokenLifeMs: number): (incoming: Incoming) => Outgoing {
  const tokens = new Map<string, number>()
  let wrong = 0
  const json = (status: number, body: unknown): Outgoing => ({
    status,
    headers: { 'content-type': 'application/json', date: new Date(world.now()).toUTCString() },
    body: JSON.stringify(body),
  })
  const fail = (status: number, code: string, detail: string, meta?: JsonObject) =>
    json(status, {
      errors: [{ status: String(status), code, title: detail, detail, ...(meta === undefined ? {} : { meta }) }],
    })

  const giveToken = (body: JsonObject): Outgoing => {
    const seconds = 600
    if (wrong >= WRONG_BEFORE_THROTTLE)
      return fail(429, 'FRAMEWORK__AUTH_THROTTLED', 'Too many requests', { parameters: { seconds } })
    const { app } = world
    if (app === undefined || body.client_id !== app.apiKey || body.client_secret !== app.secretKey) {
      wrong++
      return fail(401, '4', 'Client authentication failed')
    }
    const token = world.random.hex(64)
    tokens.set(token, world.now() + tokenLifeMs)
    return json(200, { token_type: 'Bearer', expires_in: Math.floor(tokenLifeMs / 1000), access_token: token })
  }

  const found = (rows: JsonObject[], criteria: JsonObject, associations: readonly string[] = []): Outgoing => {
    try {
      const data = search(rows, criteria, associations)
      return json(200, { total: data.length, data, aggregations: [] })
    } catch (cause) {
      if (!(cause instanceof BadCriteria)) throw cause
      return fail(400, 'FRAMEWORK__INVALID_CRITERIA', cause.message)
    }
  }

  const cancel = (orderId: string): Outgoing => {
    if (!world.orders.has(orderId)) return fail(404, 'CHECKOUT__ORDER_ORDER_NOT_FOUND', 'Order not found')
    cancelOrder(world, orderId)
    return json(200, {})
  }

  const patchWebhook = (id: string, change: JsonObject): Outgoing => {
    const webhook = world.app?.webhooks.find((each) => each.id === id)
    if (webhook === undefined) return fail(404, 'FRAMEWORK__WRITE_TYPE_INTEND_ERROR', 'no such webhook')
    if (typeof change.active === 'boolean') webhook.active = change.active
    if (typeof change.url === 'string') webhook.url = change.url
    return { status: 204 }
  }

  return ({ method, path, headers, body: text }) => {
    if (world.faults.adminApiAway) return fail(503, 'FRAMEWORK__SERVICE_UNAVAILABLE', 'Service unavailable')
    const body = objectOf(parse(text))
    if (method === 'POST' && path === '/api/oauth/token') return giveToken(body)
    const token = textOf(headers.authorization)?.replace(/^Bearer /, '') ?? ''
    if (world.app === undefined || (tokens.get(token) ?? 0) <= world.now())
      return fail(401, '9', 'The resource owner or authorization server denied the request.')
    const cancelled = /^\/api\/_action\/order\/([0-9a-f]{32})\/state\/cancel$/.exec(path)?.[1]
    if (cancelled !== undefined && method === 'POST') return cancel(cancelled)
    if (path.startsWith('/api/webhook/') && method === 'PATCH') return patchWebhook(path.slice(13), body)
    switch (`${method} ${path}`) {
      case 'GET /api/_info/version':
        return json(200, { version: '6.6.7.1' })
      case 'GET /api/app-system/app-url-change/url-difference':
        return world.faults.movedTo === undefined
          ? { status: 204 }
          : json(200, { oldUrl: world.url, newUrl: world.faults.movedTo })
      case 'DELETE /api/_action/cache':
        world.cacheClears += 1
        return { status: 204 }
      case 'POST /api/search/order':
        return found(
          [...world.orders.values()].map((order) => orderRow(world, order)),
          body,
          ['lineItems', 'stateMachineState', 'transactions', 'deliveries'],
        )
      case 'POST /api/search/product':
        return found([...world.products.values()].map(productRow), body)
      case 'POST /api/search/webhook':
        return found(
          world.app.webhooks.map((webhook) => ({ ...webhook, apiAlias: 'webhook' })),
          body,
        )
      case 'POST /api/search/webhook-event-log':
        return found(
          world.log.map((row) => ({
            ...row,
            requestContent: { body: bodyOf(world, row) },
            createdAt: moment(row.createdAt),
            apiAlias: 'webhook_event_log',
          })),
          body,
        )
      case 'POST /api/_action/sync': {
        const { status, body: answer } = syncProducts(world, body)
        return json(status, answer)
      }
      default:
        return fail(404, '0', `No route found for "${method} ${path}"`)
    }
  }
}

/** What was sent, or would have been, as the log keeps it. */
const bodyOf = (world: World, row: WebhookLog): string =>
  phpJson({
    ...row.requestContent,
    source: { url: world.url, eventId: row.id, shopId: world.shopId, appVersion: world.app?.version ?? '' },
    timestamp: Math.floor(row.createdAt / 1000),
  })
