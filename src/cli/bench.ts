/** `holdfast bench`: how much this machine decides in a second, beside what everybody writes first. */
import { parseArgs } from 'node:util'
import { asJson, type Command, EXIT, read, UsageProblem } from './command.ts'

export const bench: Command = {
  name: 'bench',
  summary: 'Measure decisions and messages per second on this machine, beside a naive transaction',
  usage: `holdfast bench [WHAT …] [--seconds N] [--rounds N] [--write FOLDER] [--json]

  WHAT            hot, baskets, gateway, buyers, messages, processes, growth, waiting, beside-bulk (all of them)
  --seconds N     how long each measurement lasts (3)
  --rounds N      how often those that are compared take turns; the median counts (3)
  --write FOLDER  write the results there, as JSON, a page and a picture each
  --json          for programs

  Measures on a PostgreSQL of its own, or in a schema of its own on the server of DATABASE_URL; both are gone afterwards.`,
  async run(args, shell) {
    const { values, positionals } = read(() =>
      parseArgs({
        args: [...args],
        allowPositionals: true,
        options: {
          seconds: { type: 'string', default: '3' },
          rounds: { type: 'string', default: '3' },
          write: { type: 'string' },
          json: { type: 'boolean', default: false },
        },
      }),
    )
    // The benchmarks are no part of the service: they are loaded only by who asks for them.
    const { bench: run, SCENARIO_NAMES } = await import('../../bench/bench.ts')
    const unknown = positionals.find((name) => !SCENARIO_NAMES.includes(name))
    if (unknown !== undefined)
      throw new UsageProblem(`${JSON.stringify(unknown)} is none of ${SCENARIO_NAMES.join(', ')}`)
    const report = await run({
      what: positionals,
      pace: { seconds: few('--seconds', values.seconds), rounds: few('--rounds', values.rounds), warmUpSeconds: 1 },
      databaseUrl: shell.env.DATABASE_URL,
      folder: values.write,
      out: values.json ? () => undefined : shell.out,
    })
    if (values.json) shell.out(asJson(report))
    return EXIT.ok
  },
}

function few(option: string, text: string): number {
  const number = Number(text)
  if (!/^[0-9]+$/.test(text) || number < 1 || number > 600)
    throw new UsageProblem(`${option} must be a whole number from 1 to 600`)
  return number
}
