/** A whole Holdfast over HTTP on a database of its own, for the tests of the doors. */
import { createHmac, randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { freshDatabase } from '../../test/postgres.ts'
import type { ConfigurationDocument } from '../app/configuration-file.ts'
import { readConfig } from '../config.ts'
import { startService } from '../service.ts'

export const WMS_SECRET = `whsec_${Buffer.alloc(32, 3).toString('base64')}`
export const ERP_TOKEN = 'the-token-of-the-erp'
const SECRETS: Readonly<Record<string, string>> = { WMS_SECRET, ERP_TOKEN }

export const WORLD: ConfigurationDocument = {
  sources: {
    wms: {
      semantics: 'net',
      defaultWarehouse: 'main',
      auth: { kind: 'standard-webhooks', secretFrom: { env: 'WMS_SECRET' } },
    },
    erp: { semantics: 'net', defaultWarehouse: 'depot', auth: { kind: 'bearer', secretFrom: { env: 'ERP_TOKEN' } } },
  },
  warehouses: { main: { source: 'wms', zone: 'Europe/Berlin' }, depot: { source: 'erp', zone: 'Europe/Berlin' } },
  shops: { till: { kind: 'channel', warehouses: ['main'], zone: 'Europe/Berlin' } },
}

export type Told = {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever was answered
  readonly body: any
}
export type Served = Awaited<ReturnType<typeof serve>>

/** Starts it, configured as {@link WORLD} says. */
export async function serve() {
  const fresh = await freshDatabase()
  const home = await mkdtemp(join(tmpdir(), 'holdfast-doors-'))
  const logged: string[] = []
  const service = await startService({
    config: readConfig({ DATABASE_URL: fresh.url, HOLDFAST_HOME: home, PORT: '0' }),
    log: pino({ level: 'warn' }, { write: (line: string) => logged.push(line) }),
    version: '0.0.0',
    secret: (name) => SECRETS[name],
  })
  const { adminToken: token, url } = service

  const ask = async (
    method: string,
    path: string,
    { body, headers = {}, as = token }: { body?: unknown; headers?: Record<string, string>; as?: string | null } = {},
  ): Promise<Told> => {
    const isRaw = typeof body === 'string' || body instanceof Uint8Array
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(as === null ? {} : { authorization: `Bearer ${as}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isRaw ? body : JSON.stringify(body) }),
    })
    const text = await answer.text()
    const isJson = /\bjson\b/.test(answer.headers.get('content-type') ?? '')
    return { status: answer.status, headers: answer.headers, text, body: isJson ? JSON.parse(text) : undefined }
  }
  await ask('PUT', '/v1/configuration', { body: WORLD })

  const deliver = (body: unknown, { id = randomUUID() as string, headers = {} as Record<string, string> } = {}) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    return ask('POST', '/v1/sources/wms/messages', {
      body: text,
      as: null,
      headers: { ...signed(text, id), ...headers },
    })
  }
  const stock = async (sku: string) => (await ask('GET', `/v1/stock?skus=${encodeURIComponent(sku)}`)).body[0]
  const applied = async (): Promise<void> => {
    await until(async () => {
      const { rows } = await fresh.database.pool.query<{ count: number }>(
        `select count(*)::int as count from inbox where state = 'pending'`,
      )
      return rows[0]?.count === 0
    })
  }

  return {
    url,
    token,
    port: Number(new URL(url).port),
    database: fresh.database,
    logged,
    ask,
    deliver,
    stock,
    /** Waits until everything that was taken is applied. */
    applied,
    /** The sellable units of a SKU at the till, once everything that was taken is applied. */
    async sellable(sku: string): Promise<number> {
      await applied()
      return (await stock(sku)).shops[0].sellableUnits
    },
    async tokenFor(scope: 'read' | 'operate'): Promise<string> {
      return (await ask('POST', '/v1/tokens', { body: { name: `a-${scope}`, scope } })).body.token
    },
    raw: (text: string | Buffer) => rawRequest(Number(new URL(url).port), text),
    async end(): Promise<void> {
      await service.stop()
      await fresh.drop()
      await rm(home, { recursive: true, force: true })
    },
  }
}

/** The headers of Standard Webhooks for the source `wms`. */
export function signed(
  body: string | Buffer,
  id: string,
  seconds = String(Math.floor(Date.now() / 1000)),
): Record<string, string> {
  const key = Buffer.from(WMS_SECRET.replace('whsec_', ''), 'base64')
  const signature = createHmac('sha256', key).update(`${id}.${seconds}.`).update(body).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': seconds, 'webhook-signature': `v1,${signature}` }
}

/** Writes bytes to a socket and brings what is answered until the other side closes. */
export function rawRequest(port: number, text: string | Buffer): Promise<string> {
  return new Promise((answered, failed) => {
    const socket = connect(port, '127.0.0.1')
    let heard = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk) => {
      heard += chunk
    })
    socket.on('error', (cause) => (heard === '' ? failed(cause) : answered(heard)))
    socket.on('close', () => answered(heard))
    socket.write(text)
  })
}

/** Looks again and again, some hundred times, until it is so. */
export async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let look = 0; look < 800; look += 1) {
    if (await isSo()) return
    await new Promise((again) => setTimeout(again, 25))
  }
  throw new Error('It never came true')
}
