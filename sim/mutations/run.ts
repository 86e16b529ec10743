/**
 * Plants each bug of this folder into a copy of the tree and lets the simulator look for it: a simulator that finds no planted bug
 * proves nothing by finding none. `node sim/mutations/run.ts [seeds]`, with the Node that runs TypeScript.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Found } from './hunt.ts'

const ROOT = join(import.meta.dirname, '../..')
const HERE = import.meta.dirname
/** Seeds at most for one bug. */
const [seeds = '200'] = process.argv.slice(2)
const OPERATIONS = '250'
/** A bug that makes Holdfast go in circles must not keep the others waiting. */
const WITHIN_MS = 10 * 60_000

/** More seeds than this that break a law by themselves, and the tree is no ground to plant bugs in. */
const MAX_KNOWN = 10

/** A copy of what the simulator needs, with a bug planted; `undefined`: as it is. */
function plant(patch: string | undefined): string {
  const tree = mkdtempSync(join(tmpdir(), 'holdfast-planted-'))
  for (const folder of ['src', 'sim', 'test', 'package.json'])
    cpSync(join(ROOT, folder), join(tree, folder), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'))
  if (patch !== undefined) execFileSync('git', ['apply', '--recount', join(HERE, patch)], { cwd: tree })
  return tree
}

function hunt(patch: string | undefined, skip: readonly number[]): Found {
  const tree = plant(patch)
  try {
    const told = execFileSync(
      process.execPath,
      [join(tree, 'sim/mutations/hunt.ts'), seeds, OPERATIONS, skip.join(',')],
      { cwd: tree, timeout: WITHIN_MS, stdio: ['ignore', 'pipe', 'ignore'] },
    )
    return JSON.parse(told.toString().trim().split('\n').at(-1) ?? '{}') as Found
  } catch {
    return { tried: 0, law: 'it never ended' }
  } finally {
    rmSync(tree, { recursive: true, force: true })
  }
}

/** The planted bugs, by file name. */
export const patches = (): readonly string[] => readdirSync(HERE).filter((name) => name.endsWith('.patch'))

if (process.argv[1] === import.meta.filename) lookForAll()

function lookForAll(): void {
  // A seed that breaks a law by itself finds no planted bug.
  const known: number[] = []
  for (let clean = hunt(undefined, known); clean.law !== undefined; clean = hunt(undefined, known)) {
    if (clean.seed === undefined || known.length >= MAX_KNOWN)
      throw new Error(`The tree itself is broken: ${clean.law}`)
    known.push(clean.seed)
  }
  if (known.length > 0) process.stdout.write(`Seeds that break a law without any planted bug: ${known.join(', ')}\n`)

  const tries: number[] = []
  let missed = 0
  for (const patch of patches()) {
    const { tried, seed, law } = hunt(patch, known)
    if (law === undefined) missed += 1
    else tries.push(tried)
    const name = patch.replace('.patch', '').padEnd(30)
    process.stdout.write(
      `${name} ${law === undefined ? `NOT FOUND in ${tried} seeds` : `seed ${seed}, the ${tried}. tried: ${law}`}\n`,
    )
  }
  tries.sort((a, b) => a - b)
  process.stdout.write(
    `${tries.length} of ${tries.length + missed} found; seeds until then: median ${tries[tries.length >> 1]}, worst ${tries.at(-1)}\n`,
  )
  process.exitCode = missed === 0 ? 0 : 1
}
