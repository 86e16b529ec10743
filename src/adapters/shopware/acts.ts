/** What we do to orders of a shop: changes of state, each sent once and never repeated blindly. */
import type { ActOutcome, ShopActs } from '../../app/ports.ts'
import type { AdminApi } from './admin-api.ts'
import { errorsOf, failureOf } from './answers.ts'

/** The acts on orders of one shop. */
export const shopActs = (api: AdminApi, url: string): ShopActs => ({
  cancelOrder: (orderId) => transition(api, url, `/api/_action/order/${orderId}/state/cancel`),
})

/** Takes one step of a state machine. 400 and 404 are refusals: the step is not open from there, or the order is gone. */
async function transition(api: AdminApi, url: string, path: string): Promise<ActOutcome> {
  const answer = await api.send({ method: 'POST', path, body: {} })
  if (answer.status < 300) return { done: true }
  if (answer.status !== 400 && answer.status !== 404) throw failureOf(url, answer)
  const [error] = errorsOf(answer)
  return { done: false, reason: `${error?.code ?? answer.status} ${error?.detail ?? ''}`.trim() }
}
