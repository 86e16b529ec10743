/**
 * A warehouse that tells its stock: it signs each message after Standard Webhooks and reads what Holdfast answers.
 *
 *   WMS_SECRET=whsec_… npx holdfast serve        with examples/holdfast.yaml applied
 *   WMS_SECRET=whsec_… HOLDFAST_TOKEN=… node examples/warehouse.ts        Node 24 or newer
 */
import { createHmac, randomUUID } from 'node:crypto'

const url = process.env.HOLDFAST_URL ?? 'http://127.0.0.1:4600'
const token = process.env.HOLDFAST_TOKEN ?? ''
const secret = process.env.WMS_SECRET ?? ''

/** Sends one delivery. The id is the identity of the message: repeat it when you repeat the message. */
async function send(id: string, message: unknown, key = secret): Promise<void> {
  const body = JSON.stringify(message)
  const timestamp = String(Math.floor(Date.now() / 1000))
  const signature = createHmac('sha256', Buffer.from(key.replace('whsec_', ''), 'base64'))
    .update(`${id}.${timestamp}.${body}`)
    .digest('base64')
  const answer = await fetch(`${url}/v1/sources/wms/messages`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${signature}`,
    },
    body,
  })
  console.log(`  ${answer.status} ${told(await answer.json())}`)
}

type Receipt = {
  readonly accepted: number
  readonly repeated: number
  readonly deadLetters: readonly { readonly index: number; readonly field: string; readonly reason: string }[]
  readonly notes: readonly string[]
}

function told(answer: unknown): string {
  if (typeof answer === 'object' && answer !== null && 'code' in answer) return String(answer.code)
  const { accepted, repeated, deadLetters, notes } = answer as Receipt
  const letters = deadLetters.map(
    ({ index, field, reason }) => `; message ${index} is a dead letter: ${field} ${reason}`,
  )
  return `accepted ${accepted}, known already ${repeated}${letters.join('')}${notes.map((note) => `; note ${note}`).join('')}`
}

/** The answer above says that a message is on disk. When it is applied, the figure shows it: milliseconds later. */
async function figureOf(sku: string, units: number): Promise<string> {
  for (let look = 0; look < 200; look += 1) {
    const answer = await fetch(`${url}/v1/stock?skus=${sku}`, { headers: { authorization: `Bearer ${token}` } })
    const [stock] = (await answer.json()) as { warehouses: { warehouse: string; figureUnits: number }[] }[]
    const first = stock?.warehouses[0]
    if (first?.figureUnits === units) return `${first.warehouse} has ${first.figureUnits} ${sku}`
    await new Promise((again) => setTimeout(again, 50))
  }
  throw new Error(`${sku} never came to ${units}`)
}

const shirt = {
  sku: 'TSHIRT-BLK-M',
  available_stock: 42,
  reserved_stock: 5,
  incoming_stock: 20,
  backorder_allowed: true,
}

console.log('One flat message:')
const id = `msg_${randomUUID()}`
await send(id, shirt)
console.log(`  ${await figureOf('TSHIRT-BLK-M', 42)}`)

console.log('The same message again, as after a lost answer:')
await send(id, shirt)

console.log('The same id with other content:')
await send(id, { ...shirt, available_stock: 41 })

console.log('Two messages at once, one of them unusable; the good one counts:')
await send(`msg_${randomUUID()}`, [
  { ...shirt, sku: 'MUG-BLUE', available_stock: 7 },
  { ...shirt, available_stock: 'many' },
])
console.log(`  ${await figureOf('MUG-BLUE', 7)}`)

console.log('A message that somebody else signed:')
await send(`msg_${randomUUID()}`, shirt, 'whsec_c29tZWJvZHkgZWxzZSBzaWduZWQgdGhpcw==')
