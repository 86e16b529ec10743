/** A small app server for tests of the simulated shop itself: it registers, answers the gateway as told, and keeps what came. */
import { type Incoming, type Outgoing, serve } from './loopback.ts'
import { type JsonObject, objectOf, parse } from './shopware/json.ts'
import { sign } from './shopware/world.ts'

const APP_SECRET = 'a-secret-for-tests'
const SHOP_SECRET = 's'.repeat(64)

/** A gateway answer that is signed as it must be. */
export const signedAnswer = (commands: unknown): Outgoing => {
  const body = JSON.stringify(commands)
  return { status: 200, headers: { 'shopware-app-signature': sign(body, SHOP_SECRET) }, body }
}

/** The commands that refuse a cart. */
export const refusal = (message: string): readonly JsonObject[] => [
  { command: 'add-cart-error', payload: { message, blocking: true, level: 20 } },
]

/** Starts the app server; `gateway` and `webhook` may be replaced at any time. */
export async function startFakeApp() {
  const heard: { readonly gateway: Incoming[]; readonly webhooks: JsonObject[]; credentials: JsonObject } = {
    gateway: [],
    webhooks: [],
    credentials: {},
  }
  const behave: { gateway: () => Outgoing | Promise<Outgoing>; webhook: () => Outgoing } = {
    gateway: () => signedAnswer([]),
    webhook: () => ({ status: 204 }),
  }
  const isAuthentic = ({ body, headers }: Incoming) => headers['shopware-shop-signature'] === sign(body, SHOP_SECRET)
  const server = await serve((incoming) => {
    if (incoming.path === '/registration') {
      if (incoming.headers['shopware-app-signature'] !== sign(incoming.rawQuery, APP_SECRET)) return { status: 401 }
      const query = new URLSearchParams(incoming.rawQuery)
      const proof = sign(`${query.get('shop-id')}${query.get('shop-url')}Test`, APP_SECRET)
      const answer = { proof, secret: SHOP_SECRET, confirmation_url: `${server.url}/confirmation` }
      return { status: 200, body: JSON.stringify(answer) }
    }
    if (!isAuthentic(incoming)) return { status: 401 }
    if (incoming.path === '/confirmation') {
      heard.credentials = objectOf(parse(incoming.body))
      return { status: 204 }
    }
    if (incoming.path === '/gateway') {
      heard.gateway.push(incoming)
      return behave.gateway()
    }
    heard.webhooks.push(objectOf(parse(incoming.body)))
    return behave.webhook()
  })
  const manifest = {
    appName: 'Test',
    appSecret: APP_SECRET,
    registrationUrl: `${server.url}/registration`,
    gatewayUrl: `${server.url}/gateway`,
    webhooksUrl: `${server.url}/webhooks`,
  }
  return { heard, behave, manifest, stop: server.stop }
}
