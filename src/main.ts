/** The entry: finds the command, gives it the environment, and turns what it throws into a sentence and an exit code. */
import { readFileSync } from 'node:fs'
import { apply } from './cli/apply.ts'
import { type Command, clientOf, EXIT, Refused, type Shell, Unreachable, UsageProblem } from './cli/command.ts'
import { exportConfiguration } from './cli/export.ts'
import { deadLetters, incidents, ledger, shops } from './cli/lists.ts'
import { reserve } from './cli/reserve.ts'
import { send } from './cli/send.ts'
import { demo, serve, start } from './cli/serve.ts'
import { shopwareApp } from './cli/shopware-app.ts'
import { stock } from './cli/stock.ts'
import { tokens } from './cli/tokens.ts'
import { verify } from './cli/verify.ts'
import { ConfigProblem, readClientConfig } from './config.ts'

const COMMANDS: readonly Command[] = [
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
  verify,
  shopwareApp,
]

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

function help(): string {
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

async function main([name, ...args]: readonly string[]): Promise<number> {
  const out = (text: string): boolean => process.stdout.write(`${text}\n`)
  const err = (text: string): boolean => process.stderr.write(`${text}\n`)
  if (name === undefined || name === '--help' || name === 'help') {
    out(help())
    return name === undefined ? EXIT.usage : EXIT.ok
  }
  if (name === '--version') {
    out(version)
    return EXIT.ok
  }
  const command = COMMANDS.find((each) => each.name === name)
  if (!command) {
    err(`There is no command "${name}".\n\n${help()}`)
    return EXIT.usage
  }
  if (args.includes('--help')) {
    out(`${command.summary}\n\n  ${command.usage}`)
    return EXIT.ok
  }
  try {
    const shell: Shell = { env: process.env, out, err, version, client: clientOf(readClientConfig(process.env)) }
    return await command.run(args, shell)
  } catch (cause) {
    if (cause instanceof UsageProblem) {
      err(`${cause.message}.\n\n  ${command.usage}`)
      return EXIT.usage
    }
    if (cause instanceof ConfigProblem) {
      err(cause.message)
      return EXIT.usage
    }
    err(cause instanceof Error ? cause.message : String(cause))
    if (cause instanceof Refused) return EXIT.refused
    return cause instanceof Unreachable ? EXIT.unreachable : EXIT.failed
  }
}

process.exitCode = await main(process.argv.slice(2))
