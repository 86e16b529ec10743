/** `holdfast simulate`: whole worlds in virtual time, from a seed, until enough has happened or a law is broken. */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { asJson, type Command, EXIT, read, type Shell, UsageProblem } from './command.ts'

export const simulate: Command = {
  name: 'simulate',
  summary: 'Run whole worlds in virtual time and look for a broken law; needs no service and no database',
  usage: `holdfast simulate [--seed N] [--operations N] [--length N] [--threads N] [--json]

  --seed N        the first seed; the same seed tells the same story (1)
  --operations N  how much is made to happen; seed after seed until it is done (1000000)
  --length N      operations of one seed, before its calm and its last look (400)
  --threads N     worlds that are run side by side (as many as the machine has cores)
  --json          for programs

  Exit code 1: a law was broken, or a run of a million operations never reached one of the rare states.`,
  async run(args, shell) {
    const { values } = read(() =>
      parseArgs({
        args: [...args],
        options: {
          seed: { type: 'string', default: '1' },
          operations: { type: 'string', default: '1000000' },
          length: { type: 'string', default: '400' },
          threads: { type: 'string', default: String(availableParallelism()) },
          json: { type: 'boolean', default: false },
        },
      }),
    )
    const seed = whole('--seed', values.seed)
    const operations = whole('--operations', values.operations)
    const length = whole('--length', values.length)
    const threads = Math.min(MAX_THREADS, whole('--threads', values.threads))
    // The simulated world is no part of the service: it is loaded only by who asks for it.
    const { simulate: run } = await import('../../sim/simulate/simulate.ts')
    const began = performance.now()
    const report = await run({ seed, operations, length, threads: Math.min(threads, Math.ceil(operations / length)) })
    const seconds = (performance.now() - began) / 1_000
    if (values.json) {
      shell.out(asJson({ ...report, rare: Object.fromEntries(report.rare), seconds }))
      return report.isFailed ? EXIT.failed : EXIT.ok
    }
    tell(shell, report, seconds)
    return report.isFailed ? EXIT.failed : EXIT.ok
  },
}

type Report = Awaited<ReturnType<typeof import('../../sim/simulate/simulate.ts')['simulate']>>

/** A whole number from 1 up to what a seed can be. */
function whole(option: string, text: string): number {
  const number = Number(text)
  if (!/^[0-9]+$/.test(text) || number < 1 || number >= 2 ** 31) {
    throw new UsageProblem(`${option} must be a whole number from 1 to ${2 ** 31 - 1}`)
  }
  return number
}

function tell({ out }: Shell, report: Report, seconds: number): void {
  const { seeds, operations, passedMs, rare, unreached, failing } = report
  const hours = (passedMs / 3_600_000).toFixed(1)
  out(`${operations} operations in ${seeds} worlds, ${hours} hours of their time`)
  out(`${seconds.toFixed(1)} s, ${Math.round(operations / seconds)} operations/s`)
  out('')
  out('States that are rare, and how often they were reached:')
  for (const [state, times] of rare) out(`${String(times).padStart(9)}  ${state}`)
  out('')
  if (unreached.length > 0) out(`${unreached.length} of ${rare.size} rare states were not reached.`)
  if (!failing) {
    out('0 broken laws.')
    return
  }
  const { broken, trace } = failing
  for (const line of trace) out(line.length > MAX_LINE ? `${line.slice(0, MAX_LINE)} …` : line)
  out('')
  out(`BROKEN: ${broken.law}: ${broken.detail}`)
  out(`Above: the ${failing.operations.length} operations that matter. All of them: ${failing.replay}`)
}

/** Characters of a line of a trace that are told. */
const MAX_LINE = 400
/** More threads than that gain nothing. */
const MAX_THREADS = 64
