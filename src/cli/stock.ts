/** `holdfast stock`: what is sellable of a SKU, and from where; now, or as it was at a moment. */
import { parseArgs } from 'node:util'
import type { Static } from 'typebox'
import type { Stock } from '../http/contract.ts'
import { asJson, type Client, type Command, EXIT, plain, read, table, UsageProblem } from './command.ts'

export const stock: Command = {
  name: 'stock',
  summary: 'What is sellable of a SKU, and from where',
  usage: `holdfast stock SKU… [--shop NAME] [--at TIME] [--json]

  --at tells how it was at a moment, such as 2026-03-14T15:09:26Z, by the rules of that time.`,
  async run(args, { client, out }) {
    const { values, positionals } = read(() =>
      parseArgs({
        args: [...args],
        allowPositionals: true,
        options: { shop: { type: 'string' }, at: { type: 'string' }, json: { type: 'boolean' } },
      }),
    )
    if (positionals.length === 0) throw new UsageProblem('Name at least one SKU')
    const stocks = await stockOf(client, positionals, values)
    out(values.json ? asJson(stocks) : stocks.map(pageOf).join('\n\n'))
    return EXIT.ok
  },
}

/** In one question; by themselves where a SKU has a comma, which would be taken for two, and where the past is asked for. */
async function stockOf(
  client: Client,
  skus: readonly string[],
  { shop, at }: { readonly shop?: string; readonly at?: string },
): Promise<readonly Static<typeof Stock>[]> {
  const query = new URLSearchParams({ ...(shop === undefined ? {} : { shop }), ...(at === undefined ? {} : { at }) })
  if (at !== undefined || skus.some((sku) => sku.includes(','))) {
    const asked = skus.map((sku) => client.request('GET', `/v1/stock/${encodeURIComponent(sku)}?${query}`))
    return (await Promise.all(asked)).map(({ body }) => body as Static<typeof Stock>)
  }
  const { body } = await client.request('GET', `/v1/stock?skus=${encodeURIComponent(skus.join(','))}&${query}`)
  return body as Static<typeof Stock>[]
}

function pageOf(each: Static<typeof Stock>): string {
  if (!each.tracked) return `${plain(each.sku)}: no warehouse has said a word; it is neither published nor refused.`
  const shops = table(
    ['SHOP', 'SELLABLE', 'AVAILABLE', 'RESERVED', 'SHORTAGE', 'SAFETY'],
    each.shops.map((row) => [
      row.shop,
      row.sellableUnits,
      row.availableUnits,
      row.reservedUnits,
      row.shortageUnits,
      row.safetyUnits,
    ]),
  )
  const warehouses = table(
    ['WAREHOUSE', 'FIGURE', 'OURS NOT IN IT', 'OURS IN IT', 'CHARGED', 'TOLD AT'],
    each.warehouses.map((row) => [
      `${row.warehouse} (${row.semantics}${row.disputed ? ', disputed' : ''}${row.waitingRises > 0 ? ', a rise waits' : ''})`,
      row.figureUnits,
      row.peggedUnits,
      row.containedUnits,
      row.chargedUnits,
      row.receivedAt,
    ]),
  )
  const inbound = each.inbound.map((row) => [
    `${row.purchaseOrder}/${row.line}`,
    row.warehouse,
    row.orderedUnits,
    row.receivedUnits,
    row.eta ?? 'unknown',
    row.cancelled ? 'cancelled' : row.confirmed ? 'confirmed' : 'open',
  ])
  return [
    `${plain(each.sku)}  (ledger version ${each.ledgerVersion}${thenOf(each)})`,
    shops,
    warehouses,
    ...(inbound.length > 0 ? [table(['INBOUND', 'WAREHOUSE', 'ORDERED', 'RECEIVED', 'ETA', ''], inbound)] : []),
  ].join('\n\n')
}

const thenOf = ({ at, lastEntryAt, configuration }: Static<typeof Stock>): string =>
  at === undefined ? '' : `, as it was at ${at}: last changed ${lastEntryAt}, rules of version ${configuration}`
