/** `holdfast reserve`: a hold for one basket, placed or given back, as any other channel would. */
import { parseArgs } from 'node:util'
import { asJson, type Command, EXIT, plain, read, table, UsageProblem } from './command.ts'

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
    const acts = values.place !== undefined || values.release === true
    if (acts && lines.length > 0) throw new UsageProblem('An order or a release names no lines')
    if (values.place !== undefined && values.release) throw new UsageProblem('Place it or release it, not both')
    if (!acts && lines.length === 0) throw new UsageProblem('Name what to hold, such as TSHIRT-BLK-M=2')
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
  const digits = text.slice(at + 1)
  if (at <= 0 || !/^[1-9][0-9]{0,9}$/.test(digits))
    throw new UsageProblem(`"${plain(text)}": write SKU=UNITS, such as TSHIRT-BLK-M=2`)
  return { sku: text.slice(0, at), units: Number(digits) }
}

function told(body: unknown): string {
  if (typeof body !== 'object' || body === null) return 'Done.'
  if ('releasedUnits' in body) return `${body.releasedUnits} units given back.`
  if ('order' in body && 'fromHoldsUnits' in body)
    return plain(`Order ${body.order}: ${body.fromHoldsUnits} units from its hold.`)
  const { lines, until } = body as {
    lines: {
      sku: string
      askedUnits: number
      grantedUnits: number
      supplies: { kind: string; warehouse?: string; units: number; day?: string }[]
    }[]
    until?: string
  }
  const rows = lines.map((line) => [
    line.sku,
    line.askedUnits,
    line.grantedUnits,
    line.supplies
      .map((part) => `${part.units} ${part.warehouse ?? part.kind}${part.day === undefined ? '' : ` on ${part.day}`}`)
      .join(', '),
  ])
  return `${table(['SKU', 'ASKED', 'GRANTED', 'FROM'], rows)}${until === undefined ? '' : `\n\nHeld until ${until}.`}`
}
