/**
 * Clients of every kind over HTTP: a warehouse and channels. Each asks the same thing again, under the same Idempotency-Key, until
 * it is answered, at whichever process it likes, now and then at two at once; and keeps in the book what it was told.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Random } from '../../sim/random.ts'
import { SOURCE_TOKEN } from '../crash/running-holdfast.ts'
import type { Basket, Book } from './book.ts'

/** Few and short, so that baskets meet. */
export const SCARCE = ['SCARCE-1', 'SCARCE-2', 'SCARCE-3', 'SCARCE-4'] as const
export const AMPLE = 'AMPLE-1'

export type Doors = {
  /** Where each process is called. */
  readonly urls: readonly string[]
  readonly token: () => string
}

type Answer = { readonly code: number; readonly body: unknown }
type Request = {
  readonly method: string
  readonly path: string
  readonly body?: unknown
  readonly headers: Readonly<Record<string, string>>
}

/** A client that hears nothing for so long asks again. */
const ANSWERS_WITHIN_MS = 4_000
/** How long a client waits before it asks again. */
const PAUSE_MS = 40
/** A request that was never answered in this time, although everything was mended, is lost. */
const GIVES_UP_AFTER_MS = 60_000

export type Clients = {
  /** Resolves after so many more outcomes, answered or not; rejects when nothing at all happens for too long. */
  after(outcomes: number, what?: 'answered'): Promise<void>
  /** Ends once every request that is under way has its answer. */
  stop(): Promise<void>
}

/** One request to one process. `undefined` when the outcome is not known. */
async function ask(url: string, { method, path, body, headers }: Request): Promise<Answer | undefined> {
  try {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(ANSWERS_WITHIN_MS),
    })
    return { code: answer.status, body: await answer.json() }
  } catch {
    return undefined
  }
}

/** Starts so many clients, each with a chance of its own. */
export function startClients(book: Book, doors: Doors, name: string, randoms: readonly Random[]): Clients {
  let stopped = false
  let noticed = (): void => undefined
  const note = (what: 'answered' | 'unanswered'): void => {
    book[what] += 1
    noticed()
  }
  const running = randoms.map((random, number) => {
    const client = new Client(book, doors, random, `${name}-${number}`, note, () => stopped)
    return number === 0 ? client.beWarehouse() : client.beChannel()
  })
  return {
    after: (outcomes, what) =>
      new Promise((resolve, reject) => {
        const count = (): number => book.answered + (what === 'answered' ? 0 : book.unanswered)
        const goal = count() + outcomes
        const patience = setTimeout(() => reject(new Error('Nothing happened any more')), GIVES_UP_AFTER_MS)
        noticed = () => {
          if (count() < goal) return
          clearTimeout(patience)
          resolve()
        }
        noticed()
      }),
    async stop() {
      stopped = true
      await Promise.all(running)
    },
  }
}

class Client {
  readonly #book: Book
  readonly #doors: Doors
  readonly #random: Random
  readonly #name: string
  readonly #note: (what: 'answered' | 'unanswered') => void
  readonly #isStopped: () => boolean
  #asked = 0

  constructor(
    book: Book,
    doors: Doors,
    random: Random,
    name: string,
    note: (what: 'answered' | 'unanswered') => void,
    isStopped: () => boolean,
  ) {
    this.#book = book
    this.#doors = doors
    this.#random = random
    this.#name = name
    this.#note = note
    this.#isStopped = isStopped
  }

  /** Goods come in: figures that rise, of every SKU that channels fight for, and of some that nobody orders. */
  async beWarehouse(): Promise<void> {
    for (let n = 1; !this.#isStopped(); n += 1) {
      const sku = this.#random.chance(0.5) ? this.#random.pick(SCARCE) : `TOLD-${this.#random.whole(20)}`
      await this.tell(`${this.#name}-${n}`, sku, (this.#book.figures.get(sku) ?? 0) + 1 + this.#random.whole(8))
    }
  }

  async tell(id: string, sku: string, units: number): Promise<void> {
    // Units only rise, so the number is its own sequence.
    const answer = await this.#insist({
      method: 'POST',
      path: '/v1/sources/wms/messages',
      body: { sku, available_stock: units, sequence: units },
      headers: { authorization: `Bearer ${SOURCE_TOKEN}`, 'webhook-id': id },
    })
    if (answer?.code !== 202) return this.#wrong(`message ${id}`, answer)
    this.#book.messages.add(id)
    this.#book.figures.set(sku, units)
  }

  async beChannel(): Promise<void> {
    for (let n = 1; !this.#isStopped(); n += 1) {
      if (this.#random.chance(0.15)) await this.#orderUnheld(`${this.#name}-fact-${n}`)
      else await this.#oneBasket(`${this.#name}-${n}`)
    }
  }

  /** A basket's life, or a part of it. */
  async #oneBasket(key: string): Promise<void> {
    const basket: Basket = { key, lines: new Map(), state: 'refused' }
    this.#book.baskets.set(key, basket)
    await this.#hold(basket)
    while (basket.state === 'open' && this.#random.chance(0.4)) await this.#hold(basket)
    if (this.#random.chance(0.3)) await this.#look(basket)
    if (basket.state !== 'open') return
    const fate = this.#random.next()
    if (fate < 0.35) await this.#place(basket)
    else if (fate < 0.8) await this.#release(basket)
    if (this.#random.chance(0.2)) await this.#look(basket)
  }

  /** Holds other units under the same key; a refusal leaves what was held. */
  async #hold(basket: Basket): Promise<void> {
    const lines = new Map<string, number>()
    for (let line = this.#random.whole(2); line >= 0; line -= 1)
      lines.set(this.#random.chance(0.1) ? AMPLE : this.#random.pick(SCARCE), 1 + this.#random.whole(3))
    const answer = await this.#write('PUT', `/reservations/${basket.key}`, {
      lines: [...lines].map(([sku, units]) => ({ sku, units })),
      until: new Date(Date.now() + SIX_DAYS_MS).toISOString(),
    })
    if (answer?.code === 409) return
    if (answer?.code !== 201 && answer?.code !== 200) return this.#wrong(`hold ${basket.key}`, answer)
    basket.lines = lines
    basket.state = 'open'
  }

  async #place(basket: Basket): Promise<void> {
    const answer = await this.#write('POST', `/reservations/${basket.key}/place`, { order: `N-${basket.key}` })
    if (answer?.code !== 200) return this.#wrong(`place ${basket.key}`, answer)
    basket.state = 'placed'
  }

  async #release(basket: Basket): Promise<void> {
    const answer = await this.#write('DELETE', `/reservations/${basket.key}`)
    if (answer?.code !== 200) return this.#wrong(`release ${basket.key}`, answer)
    basket.state = 'released'
  }

  /** What was answered is what anybody sees from then on. */
  async #look(basket: Basket): Promise<void> {
    const answer = await this.#insist({
      method: 'GET',
      path: `/v1/shops/till/reservations/${basket.key}`,
      headers: this.#token(),
    })
    const seen = answer?.code === 404 ? new Map() : unitsOf(answer?.body)
    const known = basket.state === 'open' ? basket.lines : new Map()
    if (!isDeepStrictEqual(sorted(seen), sorted(known)))
      this.#book.wrong.push(`basket ${basket.key}: ${basket.state}, ${show(known)}, but looked like ${show(seen)}`)
  }

  async #orderUnheld(order: string): Promise<void> {
    const units = 1 + this.#random.whole(3)
    const answer = await this.#write('POST', '/orders', { order, lines: [{ lineId: '1', sku: AMPLE, units }] })
    if (answer?.code !== 200) return this.#wrong(`order ${order}`, answer)
    this.#book.facts.set(order, { sku: AMPLE, units })
  }

  async #write(method: string, path: string, body?: unknown): Promise<Answer | undefined> {
    this.#asked += 1
    return await this.#insist({
      method,
      path: `/v1/shops/till${path}`,
      ...(body === undefined ? {} : { body }),
      headers: { ...this.#token(), 'idempotency-key': `${this.#name}-${this.#asked}` },
    })
  }

  readonly #token = () => ({ authorization: `Bearer ${this.#doors.token()}` })

  /** Asks until it is answered. Twice at once, both answers have to be the same. */
  async #insist(request: Request): Promise<Answer | undefined> {
    const { urls } = this.#doors
    for (const giveUpAt = performance.now() + GIVES_UP_AFTER_MS; performance.now() < giveUpAt; ) {
      const first = this.#random.whole(urls.length)
      const isHedged = urls.length > 1 && this.#random.chance(0.1)
      const asked = isHedged ? [first, (first + 1) % urls.length] : [first]
      const answers = (await Promise.all(asked.map((index) => ask(urls[index] ?? '', request)))).filter(isFinal)
      const [answer, other] = answers
      if (answer) {
        this.#note('answered')
        if (other && request.headers['idempotency-key'] !== undefined && !isDeepStrictEqual(answer, other))
          this.#book.wrong.push(`${request.method} ${request.path}: two answers, ${brief(answer)} and ${brief(other)}`)
        return answer
      }
      this.#note('unanswered')
      await new Promise((wake) => setTimeout(wake, PAUSE_MS))
    }
    return undefined
  }

  #wrong(what: string, answer: Answer | undefined): void {
    this.#book.wrong.push(`${what}: ${answer === undefined ? 'was never answered' : brief(answer)}`)
  }
}

const SIX_DAYS_MS = 6 * 24 * 60 * 60_000

/** An answer that decides: "come back" and "something broke" do not. */
const isFinal = (answer: Answer | undefined): answer is Answer =>
  answer !== undefined && answer.code < 500 && answer.code !== 429

const brief = ({ code, body }: Answer): string => `${code} ${JSON.stringify(body).slice(0, 300)}`
const sorted = (units: ReadonlyMap<string, number>) => [...units].sort(([a], [b]) => (a < b ? -1 : 1))
const show = (units: ReadonlyMap<string, number>): string => JSON.stringify(sorted(units))

function unitsOf(body: unknown): ReadonlyMap<string, number> {
  const { lines = [] } = (body ?? {}) as { lines?: readonly { sku: string; grantedUnits: number }[] }
  return new Map(lines.map(({ sku, grantedUnits }) => [sku, grantedUnits]))
}
