/** The call of the checkout gateway, and the five ways in which a real shop goes on without its answer. */
import { call } from '../loopback.ts'
import { type CartError, gatewayBody } from './bodies.ts'
import { objectOf, parse, phpJson } from './json.ts'
import { type Cart, type Order, shopHeaders, sign, type World } from './world.ts'

/** How one gateway call ended: heard, or why the shop went on without it. */
export type GatewayOutcome = {
  readonly heard: 'yes' | 'no-app' | 'unreachable' | 'late' | 'not-2xx' | 'unsigned' | 'not-a-list'
  readonly errors: readonly CartError[]
}

/** What the shop is doing with the cart while it asks. */
export type GatewayView = Parameters<typeof gatewayBody>[2] & { readonly edits?: Order }

/** Asks the app about a cart. Never throws: a shop goes on. */
export async function askGateway(
  world: World,
  cart: Cart,
  view: GatewayView,
  timeoutMs: number,
): Promise<GatewayOutcome> {
  const { app } = world
  if (app === undefined) return { heard: 'no-app', errors: [] }
  if (world.ask !== undefined) return world.ask(cart, view, timeoutMs)
  const body = phpJson(gatewayBody(world, cart, view))
  const deaf = (heard: GatewayOutcome['heard']): GatewayOutcome => ({ heard, errors: [] })
  let answer: Awaited<ReturnType<typeof call>>
  try {
    answer = await call({
      method: 'POST',
      url: app.gatewayUrl,
      headers: { ...shopHeaders(cart.language), 'shopware-shop-signature': sign(body, app.secret) },
      body,
      timeoutMs,
    })
  } catch (cause) {
    const name = cause instanceof Error ? cause.name : ''
    return deaf(name === 'AbortError' || name === 'TimeoutError' ? 'late' : 'unreachable')
  }
  if (answer.status < 200 || answer.status > 299) return deaf('not-2xx')
  if (answer.headers['shopware-app-signature'] !== sign(answer.body, app.secret)) return deaf('unsigned')
  const commands = parse(answer.body)
  if (!Array.isArray(commands)) return deaf('not-a-list')
  return { heard: 'yes', errors: commands.flatMap((command, index) => errorOf(command, index)) }
}

/** A command's payload becomes named arguments in PHP: one unknown key, or a wrong type, and the command is void. */
function errorOf(command: unknown, index: number): CartError[] {
  const { command: name, payload } = objectOf(command)
  if (name !== 'add-cart-error') return []
  const { message, blocking = false, level = 10, ...unknown } = objectOf(payload)
  if (Object.keys(unknown).length > 0 || typeof message !== 'string' || typeof blocking !== 'boolean') return []
  if (level !== 0 && level !== 10 && level !== 20) return []
  return [
    {
      key: `checkout-gateway-error-${index}`,
      messageKey: 'checkout-gateway-error',
      message,
      level,
      blockOrder: blocking,
      persistent: false,
    },
  ]
}
