/** `holdfast apply`: puts a holdfast.yaml in force, as one versioned change. */
import { parseArgs } from 'node:util'
import type { Difference } from '../app/configuration-file.ts'
import { asJson, type Command, EXIT, plain, read, readBytes, UsageProblem } from './command.ts'

export const apply: Command = {
  name: 'apply',
  summary: 'Put a holdfast.yaml in force, as one versioned change',
  usage: 'holdfast apply FILE [--dry-run] [--json]',
  async run(args, { client, out }) {
    const { values, positionals } = read(() =>
      parseArgs({
        args: [...args],
        allowPositionals: true,
        options: { 'dry-run': { type: 'boolean' }, json: { type: 'boolean' } },
      }),
    )
    const [file] = positionals
    if (file === undefined || positionals.length > 1) throw new UsageProblem('Name one file')
    const { body } = await client.request('PUT', `/v1/configuration?dryRun=${values['dry-run'] ?? false}`, {
      raw: readBytes(file),
      headers: { 'content-type': 'application/yaml' },
    })
    const answer = body as { version: number; changes: Difference[] }
    out(values.json ? asJson(answer) : told(answer, values['dry-run'] ?? false))
    return EXIT.ok
  },
}

function told({ version, changes }: { version: number; changes: Difference[] }, dryRun: boolean): string {
  if (changes.length === 0) return `Nothing to change: version ${version} says the same.`
  const lines = changes.map(({ path, before, after }) => `  ${path}: ${short(before)} → ${short(after)}`)
  return [
    dryRun
      ? `Would change ${changes.length} values (dry run, nothing was changed):`
      : `Version ${version} is in force:`,
    ...lines,
  ]
    .map(plain)
    .join('\n')
}

const short = (value: unknown): string => (value === undefined ? '—' : JSON.stringify(value).slice(0, 120))
