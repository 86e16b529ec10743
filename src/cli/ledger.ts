/** `holdfast ledger`: every change, searched, exported, and archived. */
import { parseArgs } from 'node:util'
import type { Static } from 'typebox'
import type { LedgerPage } from '../http/contract.ts'
import { archiveLedger } from './archive-ledger.ts'
import { asJson, type Command, EXIT, read, table, UsageProblem, wholeNumber } from './command.ts'
import { exportLedger } from './export-ledger.ts'
import { FILTER, queryOf } from './ledger-filter.ts'

export const ledger: Command = {
  name: 'ledger',
  summary: 'Every change: who, when, why, from what to what',
  usage: `holdfast ledger [FILTER] [--after N] [--limit N] [--json]
  holdfast ledger export [FILTER] [--format ndjson|csv] [--out FILE]
  holdfast ledger months [--json]
  holdfast ledger archive --before YYYY-MM --out FOLDER [--dry-run] [--json]

  FILTER: [--sku SKU] [--actor NAME] [--cause TEXT] [--kind COMMAND] [--from TIME] [--to TIME]; all that is given must fit.
  A time is written as 2026-03-14T15:09:26Z; --from is in it, --to is not.
  export writes what is found, or all of it with its seals, to FILE or to the standard output.
  archive writes the months before YYYY-MM into files and takes them out of the database once each file is proved.`,
  async run(args, shell) {
    const [verb, ...rest] = args
    if (verb === 'export') return await exportLedger(rest, shell)
    if (verb === 'archive') return await archiveLedger(rest, shell)
    if (verb === 'months') return await months(rest, shell)
    if (verb !== undefined && !verb.startsWith('-')) throw new UsageProblem(`ledger does not know "${verb}"`)
    return await search(args, shell)
  },
}

const search: Command['run'] = async (args, { client, out }) => {
  const { values } = read(() =>
    parseArgs({
      args: [...args],
      options: { ...FILTER, after: { type: 'string' }, limit: { type: 'string' }, json: { type: 'boolean' } },
    }),
  )
  const { json, ...asked } = values
  if (asked.limit !== undefined) wholeNumber(asked.limit, '--limit')
  // A place in the ledger is one or two numbers.
  for (const part of asked.after?.split('.') ?? []) wholeNumber(part, '--after')
  const { body } = await client.request('GET', `/v1/ledger?${queryOf(asked)}`)
  const { entries, next } = body as Static<typeof LedgerPage>
  const rows = entries.map((entry) => [
    entry.at,
    entry.stream,
    entry.version,
    entry.kind,
    whyOf(entry.body),
    entry.actor,
    entry.cause,
  ])
  const more = next === undefined ? '' : `\n\nMore: --after ${next}`
  out(json ? asJson(body) : table(['AT', 'STREAM', 'VERSION', 'COMMAND', 'WHAT', 'WHO', 'CAUSE'], rows) + more)
  return EXIT.ok
}

/** The changes of an entry in a few words. */
function whyOf(body: unknown): string {
  const { changes } = body as {
    changes?: { why?: string; demand?: { units: number }; shelf?: { figure: { units: number } } }[]
  }
  return (changes ?? [])
    .flatMap(({ why, demand, shelf }) =>
      why === undefined ? [] : [`${why}${demand ? ` ${demand.units}` : shelf ? ` ${shelf.figure.units}` : ''}`],
    )
    .join(', ')
    .slice(0, 60)
}

type Months = {
  readonly kept: readonly { readonly month: string; readonly sealedEntries: number }[]
  readonly archived: readonly { readonly month: string; readonly entries: number; readonly sha256: string }[]
}

const months: Command['run'] = async (args, { client, out }) => {
  const { values } = read(() => parseArgs({ args: [...args], options: { json: { type: 'boolean' } } }))
  const { body } = await client.request('GET', '/v1/ledger/months')
  const { kept, archived } = body as Months
  const rows = [
    ...archived.map(({ month, entries, sha256 }) => [month, entries, `archived, SHA-256 ${sha256}`]),
    ...kept.map(({ month, sealedEntries }) => [month, sealedEntries, 'here']),
  ]
  out(values.json ? asJson(body) : table(['MONTH', 'ENTRIES', ''], rows))
  return EXIT.ok
}
