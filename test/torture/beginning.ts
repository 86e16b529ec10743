/** How a torture begins: one source, one warehouse, one channel, and goods. */
import { SOURCE_TOKEN } from '../crash/running-holdfast.ts'
import type { Asked } from './account.ts'
import type { Book } from './book.ts'
import { AMPLE, SCARCE } from './clients.ts'

/** Every process accepts a message in this time, whatever the machine is busy with besides. */
const BACK_WITHIN_MS = 60_000

/** Tells a figure until it is accepted; bounded. */
export async function tell(url: string, id: string, sku: string, units: number): Promise<void> {
  for (const giveUpAt = performance.now() + BACK_WITHIN_MS; performance.now() < giveUpAt; ) {
    const code = await fetch(`${url}/v1/sources/wms/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${SOURCE_TOKEN}`, 'webhook-id': id },
      body: JSON.stringify({ sku, available_stock: units, sequence: units }),
      signal: AbortSignal.timeout(2_000),
    }).then(
      (answer) => answer.status,
      () => undefined,
    )
    if (code === 202) return
    await new Promise((wake) => setTimeout(wake, 10))
  }
  throw new Error(`No message was accepted by ${url} within ${BACK_WITHIN_MS / 1000} s`)
}

/** Configures by way of the first process; returns when all know it. */
export async function configure(house: Asked): Promise<void> {
  const [first] = house.holdfasts
  const document = {
    sources: {
      wms: { semantics: 'net', auth: { kind: 'bearer', secretFrom: { env: 'WMS_TOKEN' } }, defaultWarehouse: 'main' },
    },
    warehouses: { main: { source: 'wms', zone: 'Europe/Berlin' } },
    shops: { till: { kind: 'channel', warehouses: ['main'], zone: 'Europe/Berlin' } },
  }
  const answer = await fetch(`${first?.url}/v1/configuration`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${house.token()}` },
    body: JSON.stringify(document),
  })
  if (answer.status !== 200) throw new Error(`The configuration was refused: ${await answer.text()}`)
  await Promise.all(house.holdfasts.map(({ url }) => untilConfigured(url, house.token())))
}

/** A process takes over what another one was told within a second or so. */
async function untilConfigured(url: string, token: string): Promise<void> {
  for (const giveUpAt = performance.now() + BACK_WITHIN_MS; performance.now() < giveUpAt; ) {
    const answer = await fetch(`${url}/v1/configuration`, { headers: { authorization: `Bearer ${token}` } })
    const { version } = (await answer.json()) as { version: number }
    if (version > 0) return
    await new Promise((wake) => setTimeout(wake, 20))
  }
  throw new Error(`${url} does not know the configuration within ${BACK_WITHIN_MS / 1000} s`)
}

/** Goods to begin with: few of what everybody wants. */
export async function stockUp({ holdfasts }: Asked, book: Book): Promise<void> {
  for (const sku of [...SCARCE, AMPLE]) {
    const units = sku === AMPLE ? 1_000_000 : 20
    const id = `supply-${sku}`
    await tell(holdfasts[0]?.url ?? '', id, sku, units)
    book.messages.add(id)
    book.figures.set(sku, units)
  }
}
