/** The app's four doors: proves who calls, reads what he says, hands it to the use case, and signs the answer. */
import { createHash } from 'node:crypto'
import type { CheckoutOutcome, CheckoutPorts } from '../../app/checkout.ts'
import { answerCheckout } from '../../app/checkout.ts'
import type { Instant, ShopId } from '../../core/ids.ts'
import { digestBuyer } from './buyer.ts'
import { type GatewayCall, gatewayAnswer, readGatewayCall, refuseCart } from './gateway.ts'
import { confirm, disconnect, type HandshakeResult, type HandshakeWorld, register, senderOf } from './handshake.ts'
import { isFromItsUrl, type RegistrationRecord } from './registration-record.ts'
import { SHOP_SIGNATURE } from './signature.ts'
import { isForeignStock, reduceWebhook, type Webhook } from './webhook.ts'

type Headers = Readonly<Record<string, string | undefined>>
type Answer = { readonly httpCode: number; readonly headers: Readonly<Record<string, string>>; readonly body: string }

export type ShopwareDoorPorts = {
  readonly handshake: () => HandshakeWorld
  readonly now: () => Instant
  readonly checkout: CheckoutPorts
  /** Names a basket without keeping its token. */
  readonly basketOf: (cartToken: string) => Uint8Array
  /** A keyed digest in hex: names a buyer without telling who he is. */
  readonly digest: (text: string) => string
  readonly isNewWebhook: (shopwareShopId: string, eventId: string) => Promise<boolean>
  readonly onConnected: (shop: ShopId) => Promise<void>
  readonly onAway: (shop: ShopId, state: 'gone' | 'inactive') => Promise<void>
  readonly onOrders: (shop: ShopId) => void
  readonly onProducts: (shop: ShopId, productIds: readonly string[], byOthers: readonly string[]) => Promise<void>
  /** An authentic webhook that cannot be read, by its fingerprint. */
  readonly onUnusable: (shop: ShopId, fingerprint: string, reason: string) => Promise<void>
  readonly onIncident: (incident: { code: string; key: string; cause: string; shop?: string }) => Promise<unknown>
  readonly onUnauthentic: (door: string) => void
  readonly onAnswered: (shop: ShopId, outcome: CheckoutOutcome, seconds: number) => void
  readonly onTrouble: (cause: unknown, where: string) => void
}

/** How long a registration is believed without asking the database: a call must be answered with the database away. */
const RECORD_FRESH_MS = 1_000
const UNAUTHENTIC: Answer = {
  httpCode: 401,
  headers: { 'content-type': 'application/json' },
  body: '{"error":"The message is not authentic."}',
}
const OK: Answer = { httpCode: 204, headers: {}, body: '' }

export function shopwareDoors(ports: ShopwareDoorPorts) {
  const records = rememberedRecords(ports)

  const told = async (result: HandshakeResult, door: string): Promise<Answer> => {
    if (result.refusal !== undefined) ports.onUnauthentic(`${door}:${result.refusal}`)
    if (result.connected) {
      records.forget(result.connected.shopwareShopId)
      await ports.onConnected(result.connected.shop)
    }
    return {
      httpCode: result.answer.status,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(result.answer.body),
    }
  }

  return {
    registration: async (rawQuery: string, headers: Headers): Promise<Answer> =>
      told(await register(ports.handshake(), rawQuery, headers, ports.now()), 'registration'),

    confirmation: async (raw: Buffer, headers: Headers): Promise<Answer> =>
      told(await confirm(ports.handshake(), raw, headers, ports.now()), 'confirmation'),

    async gateway(raw: Buffer, headers: Headers): Promise<Answer> {
      const began = performance.now()
      const record = await senderOf(raw, headers, records.load, ports.now())
      const secret = record?.live?.secret
      if (!record || secret === undefined) return refuse(ports, 'gateway')
      const call = readGatewayCall(raw, headers['sw-user-language'])
      if ('unreadable' in call) {
        // Refusing what we cannot read would stop every order of a shop whose version changed its form: it goes on, and people are told.
        await tell(ports, { code: 'GATEWAY_UNREADABLE', key: record.shop, cause: call.unreadable, shop: record.shop })
        return signed([], secret)
      }
      if (call.shopwareShopId !== record.shopwareShopId) return refuse(ports, 'gateway')
      if (!isFromItsUrl(record, call.sourceUrl)) {
        await tell(ports, {
          code: 'STAGING_COPY',
          key: record.shop,
          cause: `a copy of the shop calls from ${call.sourceUrl}`,
          shop: record.shop,
        })
        return signed([], secret)
      }
      const { outcome, objections } = await answerCheckout(
        ports.checkout,
        record.shop,
        reduced(call, record.shop, ports),
      )
      ports.onAnswered(record.shop, outcome, (performance.now() - began) / 1000)
      return signed(refuseCart(call.language, objections), secret)
    },

    async webhook(raw: Buffer, headers: Headers): Promise<Answer> {
      const record = await senderOf(raw, headers, records.load, ports.now())
      if (!record) return refuse(ports, 'webhooks')
      const webhook = reduceWebhook(raw)
      if ('unreadable' in webhook) {
        await ports.onUnusable(record.shop, fingerprintOf(raw), webhook.unreadable)
        return OK
      }
      if (webhook.shopwareShopId !== record.shopwareShopId) return refuse(ports, 'webhooks')
      if (!isFromItsUrl(record, webhook.sourceUrl)) return OK
      if (!(await ports.isNewWebhook(webhook.shopwareShopId, webhook.eventId))) return OK
      await obey(ports, record, webhook, raw, headers, records.forget)
      return OK
    },
  }
}

/** What is kept of a body that nobody can read: it may name a customer, so nothing of what it says. */
const fingerprintOf = (raw: Buffer): string =>
  JSON.stringify({ bytes: raw.length, sha256: createHash('sha256').update(raw).digest('hex') })

const signed = (commands: Parameters<typeof gatewayAnswer>[0], secret: string): Answer => ({
  httpCode: 200,
  ...gatewayAnswer(commands, secret),
})

function refuse(ports: ShopwareDoorPorts, door: string): Answer {
  ports.onUnauthentic(door)
  return UNAUTHENTIC
}

const reduced = (call: GatewayCall, shop: ShopId, { basketOf, digest }: ShopwareDoorPorts) => ({
  isOrderCall: call.isOrderCall,
  isConfirmPage: call.isConfirmPage,
  isAdminOrder: call.isAdminOrder,
  isEditOrder: call.isEditOrder,
  cartBlocked: call.cartBlocked,
  basket: basketOf(call.cartToken),
  // Whoever orders in the administration buys for somebody: his caps are not the merchant's.
  buyer: call.isAdminOrder ? {} : digestBuyer(call.buyer, shop, digest),
  lines: call.lines,
})

/** A webhook is a hint: which orders or products to look at. */
async function obey(
  ports: ShopwareDoorPorts,
  record: RegistrationRecord,
  webhook: Webhook,
  raw: Buffer,
  headers: Headers,
  forget: (id: string) => void,
) {
  switch (webhook.kind) {
    case 'order':
      ports.onOrders(record.shop)
      return
    case 'product':
      await ports.onProducts(
        record.shop,
        webhook.products.map(({ productId }) => productId),
        webhook.products.filter(isForeignStock).map(({ productId }) => productId),
      )
      return
    case 'lifecycle':
      if (webhook.event === 'app.deactivated') await ports.onAway(record.shop, 'inactive')
      if (webhook.event === 'app.activated') await ports.onConnected(record.shop)
      if (webhook.event === 'app.deleted') {
        forget(record.shopwareShopId)
        const gone = await disconnect(
          ports.handshake().store,
          record.shopwareShopId,
          raw,
          headers[SHOP_SIGNATURE],
          ports.now(),
        )
        if (gone) await ports.onAway(record.shop, 'gone')
      }
      return
    case 'ignored':
      return
  }
}

/** Telling people must never keep a checkout waiting or fail it. */
const tell = (ports: ShopwareDoorPorts, incident: Parameters<ShopwareDoorPorts['onIncident']>[0]): Promise<void> => {
  ports.onIncident(incident).catch((cause: unknown) => ports.onTrouble(cause, 'incident'))
  return Promise.resolve()
}

/** Registrations by Shopware's shop id, asked for again after a second, and believed longer while the database is away. */
function rememberedRecords(ports: ShopwareDoorPorts) {
  const known = new Map<string, { readonly record: RegistrationRecord | undefined; readonly at: number }>()
  /** Unknown ids are not remembered for ever: whoever guesses them must not fill our memory. */
  const MAX_KNOWN = 1_000
  return {
    forget: (shopwareShopId: string): void => {
      known.delete(shopwareShopId)
    },
    async load(shopwareShopId: string): Promise<RegistrationRecord | undefined> {
      const remembered = known.get(shopwareShopId)
      if (remembered && performance.now() - remembered.at < RECORD_FRESH_MS) return remembered.record
      try {
        const record = await ports.handshake().store.load(shopwareShopId)
        if (known.size >= MAX_KNOWN) known.clear()
        known.set(shopwareShopId, { record, at: performance.now() })
        return record
      } catch (cause) {
        if (remembered) return remembered.record
        throw cause
      }
    },
  }
}
