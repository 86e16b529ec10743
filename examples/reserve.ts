/**
 * A till that reserves: holds units for a basket, changes its mind, orders, and gives back. Run examples/warehouse.ts before it,
 * so that there is something to sell.
 *
 *   HOLDFAST_TOKEN=… node examples/reserve.ts        Node 24 or newer; npx holdfast tokens create till --scope operate
 */
import { randomUUID } from 'node:crypto'

const url = process.env.HOLDFAST_URL ?? 'http://127.0.0.1:4600'
const token = process.env.HOLDFAST_TOKEN ?? ''

/** One request. Every write may carry an Idempotency-Key: sent again with the same one, it is answered as before. */
async function ask(
  method: string,
  path: string,
  body?: unknown,
  idempotencyKey: string = randomUUID(),
): Promise<unknown> {
  const answer = await fetch(`${url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      'idempotency-key': idempotencyKey,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const read: unknown = await answer.json()
  console.log(`  ${answer.status} ${told(read)}`)
  return read
}

type Held = {
  readonly lines: readonly {
    readonly sku: string
    readonly grantedUnits: number
    readonly supplies: readonly { readonly warehouse?: string; readonly kind: string }[]
  }[]
}
type Placed = { readonly order: string; readonly fromHoldsUnits: number; readonly unheldUnits: number }
type Refused = { readonly code: string; readonly detail: string }

function told(answer: unknown): string {
  if (typeof answer !== 'object' || answer === null) return String(answer)
  if ('code' in answer) return `${(answer as Refused).code}: ${(answer as Refused).detail}`
  if ('releasedUnits' in answer) return `${answer.releasedUnits} given back`
  if ('order' in answer) {
    const { order, fromHoldsUnits, unheldUnits } = answer as Placed
    return `order ${order}: ${fromHoldsUnits} from its hold, ${unheldUnits} unheld`
  }
  return (answer as Held).lines
    .map(({ sku, grantedUnits, supplies }) => {
      const from = new Set(supplies.map(({ warehouse, kind }) => warehouse ?? kind))
      return `${grantedUnits} ${sku} held from ${[...from].join(', ')}`
    })
    .join('; ')
}

async function sellable(): Promise<void> {
  const answer = await fetch(`${url}/v1/stock?skus=TSHIRT-BLK-M&shop=till`, {
    headers: { authorization: `Bearer ${token}` },
  })
  const [stock] = (await answer.json()) as { shops: { sellableUnits: number; reservedUnits: number }[] }[]
  console.log(`  sellable ${stock?.shops[0]?.sellableUnits}, reserved ${stock?.shops[0]?.reservedUnits}`)
}

const shirts = (units: number) => ({ lines: [{ sku: 'TSHIRT-BLK-M', units }] })
const basket = '/v1/shops/till/reservations/basket-1'

console.log('Two shirts for a basket:')
const key = randomUUID()
await ask('PUT', basket, shirts(2), key)
console.log('The answer was lost, the same is sent again:')
await ask('PUT', basket, shirts(2), key)
console.log('Now three; the key of the basket is the same, so the hold is replaced:')
await ask('PUT', basket, shirts(3))
await sellable()

console.log('Another basket wants more than there is:')
await ask('PUT', '/v1/shops/till/reservations/basket-2', shirts(100))
console.log('It takes what there is:')
await ask('PUT', '/v1/shops/till/reservations/basket-2', { ...shirts(100), mode: 'partial' })
console.log('And gives it back:')
await ask('DELETE', '/v1/shops/till/reservations/basket-2')

console.log('The first basket is ordered:')
await ask('POST', `${basket}/place`, { order: 'T-1001' })
await sellable()
console.log('A phone order that nobody held:')
await ask('POST', '/v1/shops/till/orders', { order: 'T-1002', lines: [{ lineId: '1', sku: 'TSHIRT-BLK-M', units: 1 }] })
await sellable()
