/** Webhooks through a queue worker: four attempts, ten strikes, and a log by which lost ones can be read back. */
import { call } from '../loopback.ts'
import { road } from '../network.ts'
import { type JsonObject, phpJson } from './json.ts'
import { shopHeaders, sign, type Webhook, type WebhookLog, type World } from './world.ts'

/** When a message is tried again, in ms after the try before, as seen on a real shop. */
export const RETRY_AFTER_MS = [1_000, 2_000, 6_000] as const
/** Messages given up in a row after which a webhook is switched off for good. */
export const STRIKES = 10
/** How long one delivery may take, in ms. */
const DELIVERY_TIMEOUT_MS = 20_000

/** The queue worker. */
export interface Worker {
  /** Hands an event to every active webhook that listens to it. */
  emit(event: string, payload: unknown): void
  /** Stops sending; events wait. */
  pause(): void
  /** Sends what waited, in order. */
  resume(): void
  /** Waits until nothing is under way, retries included. */
  settled(): Promise<void>
}

/** @param retryFactor 1 retries as a real shop; smaller is faster, 0 at once */
export function webhookWorker(world: World, retryFactor: number): Worker {
  const lane = road(world.random, {
    get lose() {
      return world.faults.loseWebhooks ?? 0
    },
    get reorder() {
      return world.faults.reorderWebhooks ?? 0
    },
  })
  let paused = false
  const waiting: (() => void)[] = []
  const retries = new Set<Promise<void>>()

  const attempt = async (webhook: Webhook, row: WebhookLog, source: JsonObject, tried: number): Promise<void> => {
    const { app } = world
    if (app === undefined || !webhook.active) return
    const body = phpJson({ ...row.requestContent, source, timestamp: Math.floor(world.now() / 1000) })
    const status = await call({
      method: 'POST',
      url: webhook.url,
      headers: { ...shopHeaders(), 'shopware-shop-signature': sign(body, app.secret) },
      body,
      timeoutMs: DELIVERY_TIMEOUT_MS,
    }).then(
      (answer) => answer.status,
      () => 0,
    )
    row.responseStatusCode = status === 0 ? null : status
    if (status >= 200 && status < 300) {
      row.deliveryStatus = 'success'
      webhook.errorCount = 0
      return
    }
    const waitMs = RETRY_AFTER_MS[tried]
    if (waitMs === undefined) return giveUp(webhook, row)
    // The worker does not wait for a retry: others go on meanwhile.
    const retry = (async () => {
      await world.pause(waitMs * retryFactor)
      await attempt(webhook, row, source, tried + 1)
    })()
    retries.add(retry)
    void retry.finally(() => retries.delete(retry))
  }

  const giveUp = (webhook: Webhook, row: WebhookLog): void => {
    row.deliveryStatus = 'failed'
    webhook.errorCount++
    if (webhook.errorCount < STRIKES) return
    webhook.active = false
    webhook.errorCount = 0
  }

  return {
    emit(event, payload) {
      const { app } = world
      for (const webhook of app?.webhooks ?? []) {
        if (webhook.eventName !== event || !webhook.active) continue
        const id = world.random.hex(32)
        const source = { url: world.url, eventId: id, shopId: world.shopId, appVersion: app?.version ?? '' }
        const row: WebhookLog = {
          id,
          webhookName: webhook.name,
          eventName: event,
          deliveryStatus: 'queued',
          responseStatusCode: null,
          // The payload is the state at the time of the event, the timestamp that of the sending.
          requestContent: structuredClone({ data: { payload, event } }),
          createdAt: world.now(),
        }
        world.log.push(row)
        const start = () => lane.carry(() => attempt(webhook, row, source, 0))
        if (paused) waiting.push(start)
        else start()
      }
    },
    pause() {
      paused = true
    },
    resume() {
      paused = false
      for (const start of waiting.splice(0)) start()
    },
    async settled() {
      await lane.settled()
      // Bounded: each message is tried four times.
      while (retries.size > 0) await Promise.all(retries)
    },
  }
}
