/** `holdfast reserve`: a hold for one basket, placed or given back, as any other channel would. */
import { parseArgs } from 'node:util'
import { asJson, type Command, EXIT, read, table, UsageProblem } from './command.ts'

export const reserve: Command = {
  name: 'reserve',
  summary: 'Hold units for a basket, place its order, or give it back',
  usage: `holdfast reserve SHOP KEY SKU=UNITS… [--partial] [--until TIME] [--json]
  holdfast reserve SHOP KEY --place ORDER
  holdfast reserve SHOP KEY --release`,
  async run(args, { client, out }) {
    const { values, positionals } = read(() =>
      parseArgs({
        args: [...args],
        allowPositionals: true,
        options: {
          partial: { type: 'boolean' },
          until: { type: 'string' },
          place: { type: 'string' },
          release: { type: 'boolean' },
          json: { type: 'boolean' },
        },
      }),
    )
    const [shop, key, ...lines] = positionals
    if (shop === undefined || key === undefined) throw new UsageProblem('Name a shop and a key')
    const path = `/v1/shops/${encodeURIComponent(shop)}/reservations/${encodeURIComponent(key)}`
    const { body } =
      values.place !== undefined
        ? await client.request('POST', `${path}/place`, { body: { order: values.place } })
        : values.release
          ? await client.request('DELETE', path)
          : await client.request('PUT', path, {
              body: {
                lines: lines.map(lineOf),
                mode: values.partial ? 'partial' : 'all',
                ...(values.until === undefined ? {} : { until: values.until }),
              },
            })
    out(values.json ? asJson(body) : told(body))
    return EXIT.ok
  },
}

function lineOf(text: string): { sku: string; units: number } {
  const at = text.lastIndexOf('=')
  const units = Number(text.slice(at + 1))
  if (at <= 0 || !Number.isInteger(units) || units < 1)
    throw new UsageProblem(`"${text}": write SKU=UNITS, such as TSHIRT-BLK-M=2`)
  return { sku: text.slice(0, at), units }
}

function told(body: unknown): string {
  if (typeof body !== 'object' || body === null) return 'Done.'
  if ('releasedUnits' in body) return `${body.releasedUnits} units given back.`
  if ('order' in body && 'fromHoldsUnits' in body)
    return `Order ${body.order}: ${body.fromHoldsUnits} units from its hold.`
  const { lines, until } = body as {
    lines: {
      sku: string
      askedUnits: number
      grantedUnits: number
      supplies: { kind: string; warehouse?: string; units: number }[]
    }[]
    until?: string
  }
  const rows = lines.map((line) => [
    line.sku,
    line.askedUnits,
    line.grantedUnits,
    line.supplies.map((part) => `${part.units} ${part.warehouse ?? part.kind}`).join(', '),
  ])
  return `${table(['SKU', 'ASKED', 'GRANTED', 'FROM'], rows)}${until === undefined ? '' : `\n\nHeld until ${until}.`}`
}
