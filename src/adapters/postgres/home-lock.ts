/** One Holdfast per data folder: a lock that a killed process cannot leave behind for ever. */
import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Another living process works in this folder. */
export class HomeInUse extends Error {
  readonly code = 'HOME_IN_USE'
  constructor(home: string, pid: number) {
    super(
      `HOME_IN_USE: process ${pid} already works in ${home}. Stop it, or give this one a folder of its own with HOLDFAST_HOME ` +
        '(or a database of its own with DATABASE_URL, which several processes may share).',
    )
    this.name = 'HomeInUse'
  }
}

type Holder = { readonly pid: number; readonly startedAt: string }

/**
 * Takes the lock of a folder, making the folder if need be. A lock whose process is gone is taken over; a pid that was given to
 * another process meanwhile is told apart by its start time.
 *
 * @returns gives the lock back
 * @throws HomeInUse
 */
export function lockHome(home: string): () => void {
  mkdirSync(home, { recursive: true })
  const path = join(home, 'lock')
  const mine = JSON.stringify({ pid: process.pid, startedAt: startOf(process.pid) ?? '' } satisfies Holder)
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, mine)
  try {
    // Twice: once for the stale lock that is put aside, once to see that nobody else was quicker.
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      try {
        linkSync(draft, path)
        return () => {
          if (readText(path) === mine) rmSync(path, { force: true })
        }
      } catch {
        const text = readText(path)
        const holder = holderOf(text)
        if (holder && startOf(holder.pid) === holder.startedAt) throw new HomeInUse(home, holder.pid)
        putAside(path, text)
      }
    }
    throw new HomeInUse(home, holderOf(readText(path))?.pid ?? 0)
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Moves exactly the stale lock that was read out of the way: somebody may have put a fresh one in its place. */
function putAside(path: string, stale: string | undefined): void {
  const aside = `${path}.stale.${process.pid}`
  try {
    renameSync(path, aside)
    if (readText(aside) !== stale) linkSync(aside, path)
    rmSync(aside, { force: true })
  } catch {
    // Somebody else was quicker; the next attempt sees what he left.
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function holderOf(text: string | undefined): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text ?? '')
    if (typeof value !== 'object' || value === null || !('pid' in value) || !('startedAt' in value)) return undefined
    return typeof value.pid === 'number' && typeof value.startedAt === 'string'
      ? { pid: value.pid, startedAt: value.startedAt }
      : undefined
  } catch {
    return undefined
  }
}

/** When a process started, in whatever words the system has; `undefined` when it does not live. */
export function startOf(pid: number): string | undefined {
  const stat = readText(`/proc/${pid}/stat`)
  // Field 22, counted after the command's name, which may hold anything up to the last bracket. "Z": ended, not yet collected.
  if (stat !== undefined) {
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? undefined : fields[19]
  }
  if (process.platform === 'linux') return undefined
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined
  } catch {
    return undefined
  }
}
