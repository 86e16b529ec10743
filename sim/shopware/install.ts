/** The handshake of the app system, as Shopware 6.6.7.1 makes it. */
import { call } from '../loopback.ts'
import { objectOf, parse, phpJson, textOf } from './json.ts'
import { shopHeaders, sign, type World } from './world.ts'

/** What the shop reads from the app's manifest. */
export type AppManifest = {
  readonly appName: string
  readonly version?: string
  readonly registrationUrl: string
  readonly appSecret: string
  readonly gatewayUrl: string
  readonly webhooksUrl: string
  /** The events that the app listens to; those of Holdfast's manifest if absent. */
  readonly events?: readonly string[]
}

/** How an installation ended: `refused` carries what the app said. */
export type Installed = { readonly installed: true } | { readonly installed: false; readonly refused: string }

/** Shopware waits this long for either message. */
const HANDSHAKE_TIMEOUT_MS = 5_000

/** Registers the app and confirms. As in 6.6, a second registration carries no proof of the former secret. */
export async function installApp(world: World, manifest: AppManifest): Promise<Installed> {
  const no = (refused: string): Installed => ({ installed: false, refused })
  const seconds = String(Math.floor(world.now() / 1000))
  const query = `shop-id=${world.shopId}&shop-url=${world.url}&timestamp=${seconds}`
  const { 'content-type': _, ...headers } = shopHeaders()
  const asked = await call({
    method: 'GET',
    url: `${manifest.registrationUrl}?${query}`,
    headers: { ...headers, 'shopware-app-signature': sign(query, manifest.appSecret) },
    timeoutMs: HANDSHAKE_TIMEOUT_MS,
  })
  const answer = objectOf(parse(asked.body))
  const secret = textOf(answer.secret)
  const confirmationUrl = textOf(answer.confirmation_url)
  if (secret === undefined || confirmationUrl === undefined) return no(`${asked.status} ${asked.body.slice(0, 300)}`)
  if (secret.length < 64 || secret.length > 255) return no('the secret must have 64 to 255 characters')
  const proof = sign(`${world.shopId}${world.url}${manifest.appName}`, manifest.appSecret)
  if (answer.proof !== proof) return no('the app server provided an invalid proof')

  const apiKey = `SWIA${world.random.hex(22).toUpperCase()}`
  const secretKey = world.random.hex(48)
  const body = phpJson({ apiKey, secretKey, timestamp: seconds, shopUrl: world.url, shopId: world.shopId })
  // The old credentials end here and the new ones live, whatever the confirmation brings: 6.6 saves first.
  const version = manifest.version ?? '1.0.0'
  world.app = {
    name: manifest.appName,
    version,
    gatewayUrl: manifest.gatewayUrl,
    secret,
    apiKey,
    secretKey,
    webhooks: (manifest.events ?? HOLDFAST_EVENTS).map((eventName) => ({
      id: world.random.hex(32),
      name: eventName,
      eventName,
      url: manifest.webhooksUrl,
      active: true,
      errorCount: 0,
    })),
  }
  const confirmed = await call({
    method: 'POST',
    url: confirmationUrl,
    headers: { ...shopHeaders(), 'shopware-shop-signature': sign(body, secret) },
    body,
    timeoutMs: HANDSHAKE_TIMEOUT_MS,
  })
  if (confirmed.status < 200 || confirmed.status > 299) {
    world.app = undefined
    return no(`${confirmed.status} ${confirmed.body.slice(0, 300)}`)
  }
  world.emit('app.installed', { appVersion: version })
  world.emit('app.activated', [])
  return { installed: true }
}

/** The events of Holdfast's own manifest. */
const HOLDFAST_EVENTS = [
  'checkout.order.placed',
  'order.written',
  'order.deleted',
  ...['cancelled', 'open'].map((state) => `state_enter.order.state.${state}`),
  ...['paid', 'open', 'failed', 'cancelled', 'refunded'].map((state) => `state_enter.order_transaction.state.${state}`),
  ...['shipped', 'returned', 'cancelled'].map((state) => `state_enter.order_delivery.state.${state}`),
  'product.written',
  'product.deleted',
  ...['installed', 'updated', 'activated', 'deactivated', 'deleted'].map((act) => `app.${act}`),
]
