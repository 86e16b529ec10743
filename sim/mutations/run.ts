/**
 * Plants each bug of this folder and lets the simulator look for it: a simulator that finds no planted bug proves nothing by
 * finding none. `node bin/run.js mutations [--seeds 200] [--ranges 1] [--operations 300] [--only NAME,…] [--markdown]`
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Found } from './hunt.ts'
import { bugOf, bugs } from './plant.ts'

/** Processes at once. */
const AT_ONCE = 2
/** A bug that makes Holdfast go in circles must not keep the others waiting. */
const WITHIN_MS = 10 * 60_000
/** The first seed of each range: they never overlap. */
const RANGE = 10_000

type Options = { readonly seeds: number; readonly ranges: number; readonly operations: number }
/** What became of a bug in one range; without a law it was not found. */
type Result = { readonly tried: number; readonly seed?: number; readonly law?: string }

function look(bug: string, from: number, { seeds, operations }: Options, skip: readonly number[]): Promise<Found> {
  const args = [bug, from, seeds, operations, skip.join(',')].map(String)
  const child = spawn(process.execPath, [join(import.meta.dirname, 'hunt.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: WITHIN_MS,
  })
  let told = ''
  child.stdout.on('data', (chunk: Buffer) => (told += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(told) as Found)
      else reject(new Error(`${bug} from seed ${from}: ended with ${code}`))
    })
  })
}

/** Works off a list of things to do, a few at once. */
async function atOnce<T>(jobs: readonly T[], work: (job: T) => Promise<void>): Promise<void> {
  const queue = [...jobs]
  const worker = async (): Promise<void> => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) await work(job)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}

const startOf = (range: number): number => range * RANGE + 1
const say = (line: string): void => void process.stdout.write(`${line}\n`)

/** Seeds that break a law by themselves, in halves so that all processes have work. */
async function dirtySeeds(options: Options): Promise<ReadonlyMap<number, readonly number[]>> {
  const dirty = new Map<number, number[]>()
  const half = Math.ceil(options.seeds / 2)
  const jobs = Array.from({ length: options.ranges }, (_, range) => [
    { range, from: startOf(range), seeds: half },
    { range, from: startOf(range) + half, seeds: options.seeds - half },
  ]).flat()
  await atOnce(jobs, async ({ range, from, seeds }) => {
    const { broken } = await look('-', from, { ...options, seeds }, [])
    dirty.set(range, [...(dirty.get(range) ?? []), ...broken.map(({ seed }) => seed)])
    for (const { seed, law } of broken) say(`Without any bug, seed ${seed} breaks a law, and finds none: ${law}`)
  })
  return dirty
}

async function lookForAll(names: readonly string[], options: Options): Promise<ReadonlyMap<string, readonly Result[]>> {
  const dirty = await dirtySeeds(options)
  const results = new Map<string, Result[]>(names.map((name) => [name, []]))
  const jobs = names.flatMap((name) => Array.from({ length: options.ranges }, (_, range) => ({ name, range })))
  await atOnce(jobs, async ({ name, range }) => {
    const { tried, broken } = await look(name, startOf(range), options, dirty.get(range) ?? []).catch(
      (cause: unknown): Found => {
        say(String(cause))
        return { tried: 0, broken: [] }
      },
    )
    const [first] = broken
    results.get(name)?.push({ tried, ...first })
    say(
      `${name.padEnd(36)} ${first ? `seed ${first.seed}, the ${tried}. tried: ${first.law}` : `NOT FOUND in ${tried} seeds`}`,
    )
  })
  return results
}

/** The middle one; of an even number the larger. Not found counts as more than any number. */
const median = (tries: readonly number[]): number =>
  [...tries].sort((a, b) => a - b)[Math.floor(tries.length / 2)] ?? Number.POSITIVE_INFINITY
const triesOf = ({ tried, law }: Result): number => (law === undefined ? Number.POSITIVE_INFINITY : tried)
const numberOf = (tries: number): string => (Number.isFinite(tries) ? String(tries) : 'not found')

function table(results: ReadonlyMap<string, readonly Result[]>): readonly string[] {
  const rows = [...results].map(([name, each]) => {
    const tries = each.map(triesOf)
    const laws = [...new Set(each.flatMap(({ law }) => law ?? []))].join(', ')
    return `| \`${name}\` | ${bugOf(name).about} | ${laws || '–'} | ${numberOf(median(tries))} | ${numberOf(Math.max(...tries))} |`
  })
  return ['| planted bug | what it does | found by | seeds, median | worst |', '|---|---|---|---|---|', ...rows]
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '200' },
      ranges: { type: 'string', default: '1' },
      operations: { type: 'string', default: '250' },
      only: { type: 'string' },
      markdown: { type: 'boolean', default: false },
    },
  })
  const only = values.only?.split(',')
  const names = bugs().filter((name) => only === undefined || only.includes(name))
  const options = {
    seeds: Number(values.seeds),
    ranges: Number(values.ranges),
    operations: Number(values.operations),
  }
  const results = await lookForAll(names, options)
  if (values.markdown) for (const row of table(results)) say(row)
  const worst = [...results.values()].map((each) => Math.max(...each.map(triesOf)))
  const found = worst.filter(Number.isFinite)
  say(`${found.length} of ${worst.length} found in every range; seeds until then: median ${numberOf(median(found))}`)
  process.exitCode = found.length === worst.length ? 0 : 1
}
