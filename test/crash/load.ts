/** Load over HTTP that remembers every answer, so that each can be held against what is found after a crash. */
import type { RunningHoldfast } from './running-holdfast.ts'
import { SOURCE_TOKEN } from './running-holdfast.ts'

export const SKUS = ['CRASH-1', 'CRASH-2', 'CRASH-3', 'CRASH-4', 'CRASH-5'] as const

/** What was asked, and what was answered; `unknown` when nobody answered or the answer said nothing about the outcome. */
export type Logged = (
  | { readonly what: 'message'; readonly id: string; readonly outcome: 'acknowledged' | 'unknown' }
  | { readonly what: 'hold'; readonly key: string; readonly units: number; readonly outcome: 'granted' | 'unknown' }
  | { readonly what: 'order'; readonly order: string; readonly units: number; readonly outcome: 'recorded' | 'unknown' }
) & { readonly answer: Answer | undefined }

type Answer = { readonly code: number; readonly body: unknown }

/** One request; `undefined` when the connection broke. */
async function ask(
  holdfast: RunningHoldfast,
  method: string,
  path: string,
  body: unknown,
  headers: Record<string, string> = { authorization: `Bearer ${holdfast.token}` },
): Promise<Answer | undefined> {
  try {
    const answer = await fetch(`${holdfast.url}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
    return { code: answer.status, body: await answer.json() }
  } catch {
    return undefined
  }
}

/** One source, one warehouse, one channel, and more units than any test asks for. */
export async function configure(holdfast: RunningHoldfast): Promise<void> {
  const document = {
    sources: {
      wms: {
        semantics: 'net',
        auth: { kind: 'bearer', secretFrom: { env: 'WMS_TOKEN' } },
        defaultWarehouse: 'main',
      },
    },
    warehouses: { main: { source: 'wms', zone: 'Europe/Berlin' } },
    shops: { till: { kind: 'channel', warehouses: ['main'], zone: 'Europe/Berlin' } },
  }
  const configured = await ask(holdfast, 'PUT', '/v1/configuration', document)
  if (configured?.code !== 200) throw new Error(`The configuration was refused: ${JSON.stringify(configured)}`)
  for (const sku of SKUS) {
    const told = await tell(holdfast, `supply-${sku}`, sku, 1_000_000, 1)
    if (told.outcome !== 'acknowledged') throw new Error('The supply was not acknowledged')
  }
}

/** The warehouse tells a figure. */
export async function tell(holdfast: RunningHoldfast, id: string, sku: string, units: number, sequence: number) {
  const message = { sku, available_stock: units, sequence }
  const headers = { authorization: `Bearer ${SOURCE_TOKEN}`, 'webhook-id': id }
  const answer = await ask(holdfast, 'POST', '/v1/sources/wms/messages', message, headers)
  return { what: 'message', id, outcome: answer?.code === 202 ? 'acknowledged' : 'unknown', answer } satisfies Logged
}

/** A channel holds units under a key. */
export async function hold(holdfast: RunningHoldfast, key: string, sku: string, units: number) {
  const answer = await ask(holdfast, 'PUT', `/v1/shops/till/reservations/${key}`, { lines: [{ sku, units }] })
  const granted = answer?.code === 201 || answer?.code === 200
  return { what: 'hold', key, units, outcome: granted ? 'granted' : 'unknown', answer } satisfies Logged
}

/** The order of a key is a fact. */
export async function place(holdfast: RunningHoldfast, key: string, units: number) {
  const order = `N-${key}`
  const answer = await ask(holdfast, 'POST', `/v1/shops/till/reservations/${key}/place`, { order })
  return {
    what: 'order',
    order,
    units,
    outcome: answer?.code === 200 ? 'recorded' : 'unknown',
    answer,
  } satisfies Logged
}

/** Tells figures until one is acknowledged. Returns the milliseconds it took; bounded. */
export async function firstAccepted(holdfast: RunningHoldfast, name: string): Promise<number> {
  const since = performance.now()
  for (let attempt = 0; performance.now() - since < 30_000; attempt += 1) {
    const { outcome } = await tell(holdfast, `${name}-${attempt}`, 'FIRST', 1, attempt + 1)
    if (outcome === 'acknowledged') return performance.now() - since
    await new Promise((wake) => setTimeout(wake, 10))
  }
  throw new Error('No message was accepted within 30 s')
}

export type Load = {
  /** Resolves once so many requests have been answered with a yes. */
  untilAnswered(count: number): Promise<void>
  /** Ends after the requests that are under way. */
  stop(): Promise<readonly Logged[]>
}

/** Clients that do one thing after the other, each its own: a figure, a hold, and for every second hold its order. */
export function startLoad(holdfast: RunningHoldfast, name: string, clients = 8): Load {
  const log: Logged[] = []
  let stopped = false
  let answered = 0
  let noticed = (): void => undefined
  const note = (entry: Logged): Logged => {
    log.push(entry)
    if (entry.outcome !== 'unknown') answered += 1
    noticed()
    return entry
  }
  const client = async (number: number): Promise<void> => {
    for (let n = 0; !stopped; n += 1) {
      const key = `${name}-${number}-${n}`
      const sku = SKUS[(number + n) % SKUS.length] ?? ''
      const units = 1 + (n % 3)
      const told = note(await tell(holdfast, key, `TOLD-${number}`, n, n + 1))
      const held = note(await hold(holdfast, key, sku, units))
      if (held.outcome === 'granted' && n % 2 === 0) note(await place(holdfast, key, units))
      // Nobody answers: a real client would wait too.
      if (told.outcome === 'unknown' && held.outcome === 'unknown') await new Promise((wake) => setTimeout(wake, 20))
    }
  }
  const running = Promise.all(Array.from({ length: clients }, (_, number) => client(number)))
  return {
    untilAnswered: (count) =>
      new Promise((resolve, reject) => {
        const goal = answered + count
        const patience = setTimeout(() => reject(new Error(`Only ${answered} of ${goal} were answered`)), 30_000)
        noticed = () => {
          if (answered < goal) return
          clearTimeout(patience)
          resolve()
        }
        noticed()
      }),
    async stop() {
      stopped = true
      await running
      return log
    },
  }
}
