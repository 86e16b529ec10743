/** A source and its signed deliveries, for the tests of this folder. */
import { createHash, createHmac } from 'node:crypto'
import { instantOf } from '../../core/ids.ts'
import type { SourceConfig } from './source-config.ts'

export const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
export const OLD_SECRET = `whsec_${Buffer.alloc(32, 8).toString('base64')}`
/** 2026-11-23T08:00:00Z */
export const NOW = instantOf(Date.parse('2026-11-23T08:00:00Z'))

export const sourceNamed = (more: Partial<SourceConfig> = {}): SourceConfig => ({
  name: 'wms',
  dialect: 'auto',
  auth: { kind: 'standard-webhooks', secrets: [SECRET] },
  semantics: 'net',
  defaultWarehouse: 'main',
  warehouses: ['main', 'west'],
  availableIncludesReserved: false,
  ...more,
})

export const reading = () => ({ receivedAt: NOW, notes: new Set<string>() })

export const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()

/** The headers of Standard Webhooks over a body. */
export function signed(
  body: string | Buffer,
  {
    id = 'msg-1',
    seconds = String(NOW / 1000),
    secret = SECRET,
  }: { id?: string; seconds?: string; secret?: string } = {},
): Record<string, string> {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  const signature = createHmac('sha256', key).update(`${id}.${seconds}.`).update(body).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': seconds, 'webhook-signature': `v1,${signature}` }
}
