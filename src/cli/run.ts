/** Finds the command, gives it the world, and turns what it throws into a sentence and an exit code. */
import { ConfigProblem, readClientConfig } from '../config.ts'
import { apply } from './apply.ts'
import { bench } from './bench.ts'
import { type Client, type Command, clientOf, EXIT, Refused, type Shell, Unreachable, UsageProblem } from './command.ts'
import { exportConfiguration } from './export.ts'
import { ledger } from './ledger.ts'
import { deadLetters, incidents, shops } from './lists.ts'
import { reserve } from './reserve.ts'
import { send } from './send.ts'
import { demo, serve, start } from './serve.ts'
import { shopwareApp } from './shopware-app.ts'
import { simulate } from './simulate.ts'
import { stock } from './stock.ts'
import { tokens } from './tokens.ts'
import { trust } from './trust.ts'
import { verify } from './verify.ts'

export const COMMANDS: readonly Command[] = [
  start,
  serve,
  demo,
  apply,
  exportConfiguration,
  send,
  stock,
  reserve,
  ledger,
  incidents,
  deadLetters,
  shops,
  tokens,
  trust,
  verify,
  simulate,
  bench,
  shopwareApp,
]

type Outside = Pick<Shell, 'env' | 'out' | 'err' | 'version'>

/** Runs one command line; the first argument names the command. Returns its exit code and throws nothing. */
export async function run([name, ...args]: readonly string[], outside: Outside): Promise<number> {
  const { out, err, env, version } = outside
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const about = COMMANDS.find((each) => each.name === args[0])
    out(about ? helpOf(about) : help(version))
    return name === undefined ? EXIT.usage : EXIT.ok
  }
  if (name === '--version') {
    out(version)
    return EXIT.ok
  }
  const command = COMMANDS.find((each) => each.name === name)
  if (!command) {
    err(`There is no command ${JSON.stringify(name)}.\n\n${help(version)}`)
    return EXIT.usage
  }
  if (asksForHelp(args)) {
    out(helpOf(command))
    return EXIT.ok
  }
  try {
    return await command.run(args, { ...outside, client: lazyClient(env) })
  } catch (cause) {
    return told(cause, command, err)
  }
}

/** What follows `--` is never an option. */
const asksForHelp = (args: readonly string[]): boolean => {
  const end = args.indexOf('--')
  return args.slice(0, end < 0 ? args.length : end).some((each) => each === '--help' || each === '-h')
}

/** Reads the environment when the service is first asked, so that `serve` does not stumble over what only clients need. */
function lazyClient(env: Shell['env']): Client {
  let client: Client | undefined
  const known = (): Client => {
    client ??= clientOf(readClientConfig(env))
    return client
  }
  return {
    request: (...asked) => known().request(...asked),
    open: (...asked) => known().open(...asked),
  }
}

function told(cause: unknown, command: Command, err: Shell['err']): number {
  if (cause instanceof UsageProblem) {
    err(`${cause.message}.\n\n  ${command.usage}`)
    return EXIT.usage
  }
  err(cause instanceof Error ? cause.message : String(cause))
  if (cause instanceof ConfigProblem) return EXIT.usage
  if (cause instanceof Refused) return EXIT.refused
  return cause instanceof Unreachable ? EXIT.unreachable : EXIT.failed
}

const helpOf = ({ summary, usage }: Command): string => `${summary}\n\n  ${usage}`

function help(version: string): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length))
  return [
    `Holdfast ${version}: what may still be promised, to whom, for which day.`,
    '',
    'holdfast COMMAND [--help]',
    '',
    ...COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'Exit codes: 0 done · 1 failed or something is wrong · 2 wrong call · 3 the service said no · 4 nobody answers.',
    'Environment: HOLDFAST_URL and HOLDFAST_TOKEN for commands; DATABASE_URL, HOLDFAST_HOME, HOLDFAST_SCHEMA, HOST, PORT,',
    'HOLDFAST_PUBLIC_URL, LOG_LEVEL for the service.',
  ].join('\n')
}
