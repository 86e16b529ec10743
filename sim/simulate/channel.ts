/** A marketplace, a till or an ERP that speaks Holdfast's API: it holds, replaces, places and gives back, and asks again when it heard nothing. */

import type { HoldAnswer } from '../../src/core/hold.ts'
import { instantOf, shopOf, skuOf } from '../../src/core/ids.ts'
import { Failure } from '../../src/errors.ts'
import type { Holdfast } from './holdfast.ts'
import type { Attempt } from './judge.ts'
import { chosenFrom, type Noise } from './noise.ts'
import type { Sightings } from './rare.ts'
import type { Rates } from './shape.ts'
import type { Timeline } from './timeline.ts'
import type { Weather } from './weather.ts'

export type ChannelLine = { readonly line: string; readonly sku: string; readonly units: number }
export type ChannelOrder = {
  readonly channel: string
  readonly orderNumber: string
  state: 'open' | 'cancelled'
  readonly lines: readonly ChannelLine[]
}
type Basket = {
  readonly channel: string
  readonly key: string
  lines: readonly { readonly sku: string; readonly units: number }[]
  until: number
  state: 'asking' | 'held' | 'placed' | 'gone'
  attempt: Attempt | undefined
}

export type ChannelOptions = {
  readonly names: readonly string[]
  readonly timeline: Timeline
  readonly weather: Weather
  readonly noise: Noise
  readonly rates: Rates
  readonly rare: Sightings
  readonly holdfast: () => Holdfast | undefined
  /** Holdfast granted a basket until a moment. */
  readonly onGranted: (channel: string, lines: Basket['lines'], until: number, replaced?: Attempt) => Attempt
  /** An order is recorded. */
  readonly onOrder: (order: ChannelOrder) => void
  readonly onBroken: (law: string, detail: string) => void
}

export interface Channels {
  readonly orders: readonly ChannelOrder[]
  hold(lines: Basket['lines'], forMs: number): Promise<void>
  replace(pick: number, units: number): Promise<void>
  place(pick: number): Promise<void>
  release(pick: number): Promise<void>
  cancel(pick: number): Promise<void>
}

const PATIENCE_MS = 8_000
const ASK_AGAIN_MS = 1_000
/** A client gives up after so many tries; an order it tells until it is heard. */
const MAX_TRIES = 4

export function openChannels(options: ChannelOptions): Channels {
  const { timeline, weather, noise, rates, rare } = options
  const baskets: Basket[] = []
  const orders: ChannelOrder[] = []

  /** One call; `undefined` when nothing was heard, although everything may have been done. */
  async function ask<T>(call: (holdfast: Holdfast) => Promise<T>): Promise<T | undefined> {
    const holdfast = options.holdfast()
    if (!holdfast?.isListening()) return undefined
    const answer = await Promise.race([
      call(holdfast).catch((cause: unknown) => {
        if (cause instanceof Failure) return undefined
        throw cause
      }),
      timeline.sleep(PATIENCE_MS).then(() => undefined),
    ])
    const isLost = !weather.isCalm() && noise.chance(rates.lostApiAnswer)
    return isLost ? undefined : answer
  }

  const reservationOf = ({ channel, key }: Basket): string => `api:${channel}:${key}`

  async function askForHold(basket: Basket): Promise<HoldAnswer | undefined> {
    const { channel, lines, until } = basket
    if (basket.attempt) basket.attempt.state = 'over'
    for (let tried = 1; tried <= MAX_TRIES; tried++) {
      const answer = await ask(async (holdfast) => {
        const answered = await holdfast.lane.submit(
          {
            kind: 'hold',
            shop: shopOf(channel),
            reservation: reservationOf(basket),
            via: 'api',
            lines: lines.map(({ sku, units }) => ({ sku: skuOf(sku), units })),
            mode: 'all',
            until: instantOf(until),
          },
          { actor: `token:${channel}`, cause: 'request' },
          'checkout',
        )
        if (basket.attempt) basket.attempt.state = 'over'
        if (answered.granted) basket.attempt = options.onGranted(channel, lines, until, basket.attempt)
        return answered
      })
      if (answer) return answer
      rare.saw('channel asked again after a lost answer')
      await timeline.sleep(ASK_AGAIN_MS)
    }
    return undefined
  }

  function lookAfter(basket: Basket): void {
    const holdfast = options.holdfast()
    if (!holdfast?.isListening() || timeline.now() >= basket.until) return
    const held = holdfast.held(shopOf(basket.channel), reservationOf(basket))
    for (const { sku, units } of basket.lines) {
      if (held.get(sku) === units) continue
      options.onBroken('acknowledged', `${basket.key} was granted ${units} ${sku} and holds ${held.get(sku) ?? 0}`)
    }
  }

  const heldBaskets = (): Basket[] => baskets.filter(({ state }) => state === 'held')

  /** Tells an order until it is heard. */
  async function tell(order: ChannelOrder, reservation?: string, attempt?: Attempt): Promise<void> {
    for (;;) {
      const answer = await ask(async (holdfast) => {
        const shop = shopOf(order.channel)
        const answered = await holdfast.lane.submit(
          {
            kind: 'order',
            shop,
            ...(reservation === undefined ? {} : { reservation }),
            order: {
              orderId: order.orderNumber,
              orderNumber: order.orderNumber,
              state: order.state,
              lines: order.lines.map(({ line, sku, units }) => ({ lineId: line, sku: skuOf(sku), units })),
            },
          },
          { actor: `token:${order.channel}`, cause: 'request' },
        )
        if (!orders.includes(order)) {
          orders.push(order)
          if (attempt) attempt.state = 'ordered'
          options.onOrder(order)
        }
        await holdfast.onRecorded([order.orderNumber])
        return answered
      })
      if (answer) return
      await timeline.sleep(ASK_AGAIN_MS)
    }
  }

  return {
    orders,
    async hold(lines, forMs) {
      const [channel] = options.names
      if (channel === undefined) return
      const basket: Basket = {
        channel,
        key: `b${noise.hex(24)}`,
        lines,
        until: timeline.now() + forMs,
        state: 'asking',
        attempt: undefined,
      }
      const answer = await askForHold(basket)
      basket.state = answer?.granted ? 'held' : 'gone'
      baskets.push(basket)
      if (!answer?.granted) return
      rare.saw('channel held by key')
      lookAfter(basket)
    },
    async replace(pick, units) {
      const basket = chosenFrom(heldBaskets(), pick, ({ key }) => key)
      const [first, ...others] = basket?.lines ?? []
      if (!basket || !first) return
      const before = basket.lines
      basket.state = 'asking'
      basket.lines = [{ ...first, units }, ...others]
      const answer = await askForHold(basket)
      basket.state = answer === undefined ? 'gone' : 'held'
      if (!answer?.granted) {
        basket.lines = before
        return
      }
      rare.saw('channel replaced its hold')
      lookAfter(basket)
    },
    async place(pick) {
      const basket = chosenFrom(heldBaskets(), pick, ({ key }) => key)
      if (!basket) return
      basket.state = 'placed'
      rare.saw('channel placed its hold')
      const orderNumber = `${basket.channel}-${basket.key}`
      const lines = basket.lines.map(({ sku, units }) => ({ line: `${orderNumber}-${sku}`, sku, units }))
      await tell({ channel: basket.channel, orderNumber, state: 'open', lines }, reservationOf(basket), basket.attempt)
    },
    async release(pick) {
      const basket = chosenFrom(heldBaskets(), pick, ({ key }) => key)
      if (!basket) return
      basket.state = 'gone'
      if (basket.attempt) basket.attempt.state = 'over'
      rare.saw('channel released its hold')
      await ask((holdfast) =>
        holdfast.lane.submit(
          { kind: 'release', shop: shopOf(basket.channel), reservation: reservationOf(basket) },
          { actor: `token:${basket.channel}`, cause: 'request' },
        ),
      )
    },
    async cancel(pick) {
      const open = orders.filter(({ state }) => state === 'open')
      const order = chosenFrom(open, pick, ({ orderNumber }) => orderNumber)
      if (!order) return
      order.state = 'cancelled'
      await tell(order)
    },
  }
}
