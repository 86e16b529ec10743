/**
 * The checkout gateway over HTTP: calls of a real Shopware's size, signed, through the shop's door, the lane and a signed answer.
 * Callers, door and lane share this process, so its processor time holds all three.
 */
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import fastify from 'fastify'
import { shopwareDoors } from '../src/adapters/shopware/doors.ts'
import type { RegistrationRecord } from '../src/adapters/shopware/registration-record.ts'
import { SHOP_SIGNATURE, signBody } from '../src/adapters/shopware/signature.ts'
import { instantOf, shopOf } from '../src/core/ids.ts'
import { figure, origin, rules } from './commands.ts'
import { compare, type Measured, spentUs } from './measure.ts'
import { HOT, skuAt, type World } from './world.ts'

const SECRET = 'a secret of the shop'
const URL_OF_SHOP = 'http://shop.example'
const RECORDED = new URL('../test/fixtures/shopware-6.6.7.1/checkout-gateway.json', import.meta.url)

type Pace = { readonly seconds: number; readonly warmUpSeconds: number; readonly rounds: number }
type Row = Measured & { readonly note?: string }

/** As many as can be answered, then a steady 300 in a second, then 100 in a second while a snapshot is decided. */
export async function gateway(world: World, pace: Pace): Promise<readonly Row[]> {
  await world.fill()
  const door = await openDoor(world)
  try {
    const most = await compare(
      [{ name: 'signed gateway calls, 64 callers', callers: 64, call: door.ask }],
      pace,
      world.serverCpu,
    )
    const steady = await steadily(world, door.ask, { perSecond: 300, seconds: pace.seconds * 2 })
    const loading = load(world)
    const beside = await steadily(world, door.ask, { perSecond: 100, seconds: pace.seconds * 2 })
    const rows = await loading.stop()
    return [
      ...most.map((row) => ({ ...row, note: `${door.bytes} bytes each` })),
      { ...steady, name: 'a steady 300/s' },
      { ...beside, name: 'a steady 100/s beside a snapshot', note: `${rows} rows/s decided meanwhile` },
    ]
  } finally {
    await door.close()
  }
}

async function openDoor({ lane }: World) {
  const shop = shopOf('nord')
  const live = { url: URL_OF_SHOP, secret: SECRET, credentials: { apiKey: '', secretKey: '' } }
  const record: RegistrationRecord = { shopwareShopId: 'benchShop0000001', shop, revision: 1, live }
  const unused = async () => undefined
  const doors = shopwareDoors({
    handshake: () => ({
      store: {
        load: async () => record,
        liveOf: async () => record,
        save: async () => false,
        invitedUntil: async () => undefined,
        invite: async () => undefined,
      },
      appSecret: '',
      confirmationUrl: URL_OF_SHOP,
      policy: { allowPrivate: true },
      shopWithUrl: () => undefined,
    }),
    now: () => instantOf(Date.now()),
    checkout: {
      lane,
      rules: () => rules,
      status: () => ({
        shop,
        state: 'connected',
        baselineAt: instantOf(0),
        silentFrom: undefined,
        returnedAt: undefined,
        readSinceReturn: true,
        watermark: undefined,
      }),
      lastShown: () => undefined,
      afterAnswer: () => undefined,
      states: async () => [],
      onCall: () => undefined,
      now: async () => instantOf(Date.now()),
    },
    basketOf: (token) => Buffer.from(signBody(token, SECRET), 'hex'),
    digest: (text) => signBody(text, SECRET),
    isNewWebhook: async () => true,
    onConnected: unused,
    onAway: unused,
    onOrders: () => undefined,
    onProducts: unused,
    onUnusable: unused,
    onIncident: unused,
    onUnauthentic: () => undefined,
    onAnswered: () => undefined,
    onTrouble: () => undefined,
  })
  const app = fastify({ bodyLimit: 16 * 1024 * 1024 })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, done) => done(null, body))
  app.post('/shopware/checkout-gateway', async ({ body, headers }, reply) => {
    const signature = headers[SHOP_SIGNATURE]
    const answer = await doors.gateway(Buffer.isBuffer(body) ? body : Buffer.alloc(0), {
      [SHOP_SIGNATURE]: typeof signature === 'string' ? signature : '',
    })
    return reply.code(answer.httpCode).headers(answer.headers).send(answer.body)
  })
  const address = new URL('/shopware/checkout-gateway', await app.listen({ host: '127.0.0.1', port: 0 }))
  const agent = new Agent({ keepAlive: true, maxSockets: 256 })
  const [head = '', tail = ''] = recordedBody(record.shopwareShopId).split(LINE_KEY)
  let count = 0
  return {
    bytes: Buffer.byteLength(head) + Buffer.byteLength(tail) + 40,
    /** One order call for one unit of the hot SKU. Throws unless it is answered with a yes. */
    async ask(): Promise<void> {
      count += 1
      const body = Buffer.from(`${head}bench-${process.pid}-${count}${tail}`)
      const answer = await post(agent, address, body)
      if (answer !== '200 []') throw new Error(`The gateway answered ${answer}`)
    },
    async close(): Promise<void> {
      agent.destroy()
      await app.close()
    },
  }
}

const LINE_KEY = 'the-line-key-of-this-call'

/** A recorded order call, about the hot SKU. */
function recordedBody(shopwareShopId: string): string {
  const { body: text } = JSON.parse(readFileSync(RECORDED, 'utf8'))
  const body = JSON.parse(text)
  body.source = { ...body.source, url: URL_OF_SHOP, shopId: shopwareShopId }
  body.salesChannelContext.context.states = { 'checkout-order-route': 'checkout-order-route' }
  const [line] = body.cart.lineItems
  line.quantity = 1
  line.payload = { ...line.payload, productNumber: HOT, holdfastKey: LINE_KEY }
  body.cart.lineItems = [line]
  body.cart.errors = []
  return JSON.stringify(body)
}

const post = (agent: Agent, address: URL, body: Buffer): Promise<string> =>
  new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      'content-length': body.length,
      [SHOP_SIGNATURE]: signBody(body, SECRET),
    }
    const call = request(address, { method: 'POST', agent, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () => resolve(`${response.statusCode} ${text}`))
    })
    call.on('error', reject)
    call.end(body)
  })

/** Calls at fixed moments, whether the former ones are answered or not: a late answer delays none of the calls behind it. */
async function steadily(
  { serverCpu }: World,
  ask: () => Promise<void>,
  { perSecond, seconds }: { perSecond: number; seconds: number },
): Promise<Measured> {
  const waitedMs: number[] = []
  const calls: Promise<void>[] = []
  const began = { at: performance.now(), own: process.cpuUsage(), server: serverCpu() }
  for (let n = 0; n < perSecond * seconds; n += 1) {
    const due = began.at + (n * 1_000) / perSecond
    const early = due - performance.now()
    if (early > 0) await new Promise((pass) => setTimeout(pass, early))
    calls.push(ask().then(() => void waitedMs.push(performance.now() - due)))
  }
  await Promise.all(calls)
  const elapsedMs = performance.now() - began.at
  const own = process.cpuUsage(began.own)
  const serverUs = spentUs(began.server, serverCpu())
  waitedMs.sort((a, b) => a - b)
  const at = (share: number): number => waitedMs[Math.floor(waitedMs.length * share)] ?? 0
  return {
    name: '',
    callers: 0,
    perSecond: (waitedMs.length * 1_000) / elapsedMs,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    ownCpuUs: (own.user + own.system) / waitedMs.length,
    serverCpuUs: serverUs === undefined ? undefined : serverUs / waitedMs.length,
  }
}

/** Figures of a snapshot, decided as fast as they go, until it is stopped. */
function load({ lane }: World) {
  let isOn = true
  let rows = 0
  const since = performance.now()
  const work = (async () => {
    for (let from = 0; isOn; from += 1_000) {
      const words = Array.from({ length: 1_000 }, (_, n) =>
        figure(skuAt(from + n), 900_000_000 - from, 1_000_000 + from),
      )
      await Promise.all(words.map((word) => lane.submit(word, origin, 'bulk')))
      rows += words.length
    }
  })()
  return {
    async stop(): Promise<number> {
      isOn = false
      await work
      return Math.round((rows * 1_000) / (performance.now() - since))
    },
  }
}
