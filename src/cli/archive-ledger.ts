/** `holdfast ledger archive`: months into files, and out of the database once each file is proved. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { asJson, type Client, type Command, EXIT, plain, read, UsageProblem } from './command.ts'
import { exportMonth } from './export-ledger.ts'

/** How often the service is asked whether a month is archived: each answer may take 20 seconds. */
const MAX_ASKED = 1_000

type Archived = { readonly month: string; readonly entries: number; readonly sha256: string; readonly file: string }

export const archiveLedger: Command['run'] = async (args, { client, out, err }) => {
  const { values } = read(() =>
    parseArgs({
      args: [...args],
      options: {
        before: { type: 'string' },
        out: { type: 'string' },
        'dry-run': { type: 'boolean' },
        json: { type: 'boolean' },
      },
    }),
  )
  const { before, out: folder, json } = values
  if (before === undefined || !/^20\d\d-(0[1-9]|1[0-2])$/.test(before))
    throw new UsageProblem('--before must be a month such as 2026-03; it stays, those before it go')
  const { body } = await client.request('GET', '/v1/ledger/months')
  const { kept } = body as { kept: readonly { month: string; sealedEntries: number }[] }
  const due = kept.filter(({ month }) => month < before)
  if (values['dry-run']) {
    const lines = due.map(({ month, sealedEntries }) => `  ${month}: ${sealedEntries} entries`)
    out(
      json ? asJson(due) : [`Would archive ${due.length} months (dry run, nothing was changed):`, ...lines].join('\n'),
    )
    return EXIT.ok
  }
  if (folder === undefined || !isFolder(folder)) throw new UsageProblem('--out must be a folder that exists')
  const archived: Archived[] = []
  for (const { month } of due) {
    const file = join(folder, `ledger-${month}.ndjson`)
    const { sha256 } = await exportMonth(client, month, file)
    err(`${month}: written to ${plain(file)}`)
    archived.push({ ...(await untilArchived(client, month, sha256, err)), file })
  }
  const lines = archived.map(
    ({ month, entries, sha256, file }) => `${month}  ${entries} entries  ${plain(file)}  SHA-256 ${sha256}`,
  )
  const end = 'Keep the files: they are the only copy. holdfast verify --archive FILE proves one at any time.'
  out(
    json ? asJson(archived) : due.length === 0 ? `No month before ${before} is here.` : [...lines, '', end].join('\n'),
  )
  return EXIT.ok
}

async function untilArchived(client: Client, month: string, sha256: string, err: (text: string) => void) {
  for (let asked = 0; asked < MAX_ASKED; asked += 1) {
    const { body } = await client.request('POST', `/v1/ledger/months/${month}/archive`, { body: { sha256 } })
    const step = body as { state: string; what: string; entries?: number }
    if (step.state === 'archived') return { month, entries: step.entries ?? 0, sha256 }
    err(`${month}: ${plain(step.what)}`)
  }
  throw new Error(`${month} is not archived yet. Its file is whole; run the same command again.`)
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
