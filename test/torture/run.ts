/** `npm run torture -- --rounds 100 --seed 7`: tortures Holdfasts of this checkout, tells each round, and how to have it again. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { torture } from './torture.ts'

const HELP = `npm run torture -- [--rounds N] [--seed N] [--other FOLDER] [--only TEXT]

  --rounds N      kills, each at a random moment under load (100)
  --seed N        what happens when (a new one each time)
  --other FOLDER  a checkout of another version with the same tables: it runs as the second process
  --only TEXT     only kills and troubles whose name holds this text

  Exit code 1: something that was answered is lost, or there twice, or not what was answered.
`
const HERE = resolve(import.meta.dirname, '../..')

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '100' },
    seed: { type: 'string', default: String(1 + Math.floor(Math.random() * 2 ** 31)) },
    other: { type: 'string' },
    only: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) process.stdout.write(HELP)
else process.exitCode = await run(whole('rounds', values.rounds), whole('seed', values.seed))

async function run(rounds: number, seed: number): Promise<number> {
  const { other, only } = values
  if (other !== undefined && !existsSync(join(other, 'bin/holdfast.js'))) throw new Error(`${other} is no checkout`)
  const say = (line: string): boolean => process.stdout.write(`${line}\n`)
  say(`Seed ${seed}, ${rounds} rounds, two processes${other === undefined ? '' : `, the second of ${other}`}.`)
  const began = performance.now()
  const report = await torture({
    seed,
    rounds,
    checkouts: [HERE, other === undefined ? HERE : resolve(other)],
    log: say,
    ...(only === undefined ? {} : { only }),
  })
  const back = report.rounds.map(({ backAfterMs }) => backAfterMs).sort((a, b) => a - b)
  say('')
  say(`${report.rounds.length} kills in ${Math.round((performance.now() - began) / 1000)} s.`)
  say(
    `${report.answered} requests were answered, ${report.unanswered} were not and were asked again; ${report.entries} ledger entries.`,
  )
  say(
    `Back after ${Math.round(back[Math.floor(back.length / 2)] ?? 0)} ms (median), ${Math.round(back.at(-1) ?? 0)} ms (worst).`,
  )
  if (report.wrong.length === 0) {
    say(
      'Nothing that was answered is lost, nothing is there twice, every number is the one that was promised, verify holds.',
    )
    return 0
  }
  for (const line of report.wrong) say(`WRONG: ${line}`)
  const more = [
    ...(other === undefined ? [] : [`--other ${other}`]),
    ...(only === undefined ? [] : [`--only '${only}'`]),
  ]
  say(`Again: npm run torture -- ${[`--rounds ${report.rounds.length}`, `--seed ${seed}`, ...more].join(' ')}`)
  return 1
}

function whole(name: string, text: string): number {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1 || number > 2 ** 31)
    throw new Error(`--${name} is "${text}": use a whole number from 1 on`)
  return number
}
