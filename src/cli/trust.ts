/** `holdfast trust`: an operator's word that a restarted warehouse may be believed again. */
import { parseArgs } from 'node:util'
import type { Static } from 'typebox'
import type { Trusted } from '../http/contract.ts'
import { asJson, type Command, EXIT, read, UsageProblem } from './command.ts'

export const trust: Command = {
  name: 'trust',
  summary: 'Believe a warehouse again that seemed restored from a backup',
  usage: `holdfast trust WAREHOUSE [--json]

  Until then the lowest of its figures counts (incident RESTART_SUSPECTED). Then have it send a full snapshot.`,
  async run(args, { client, out }) {
    const { values, positionals } = read(() =>
      parseArgs({ args: [...args], options: { json: { type: 'boolean' } }, allowPositionals: true }),
    )
    const [warehouse, ...more] = positionals
    if (warehouse === undefined || more.length > 0) throw new UsageProblem('Name one warehouse')
    const { body } = await client.request('POST', `/v1/warehouses/${encodeURIComponent(warehouse)}/trust`)
    const { trustedSkus } = body as Static<typeof Trusted>
    out(values.json ? asJson(body) : `${warehouse} is believed again, for ${trustedSkus} SKUs.`)
    return EXIT.ok
  },
}
