/** A Holdfast as it runs in production: a process of its own, with a home of its own, that can be killed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Database, openDatabase } from '../../src/adapters/postgres/database.ts'

const HERE = fileURLToPath(new URL('../../', import.meta.url))
const STARTS_WITHIN_MS = 60_000
export const SOURCE_TOKEN = 'a-token-of-the-warehouse-that-nobody-guesses'

export type RunningHoldfast = {
  readonly url: string
  readonly token: string
  /** The process of the launcher: it ends when the service ends. */
  readonly process: ChildProcess
  /** Everything that it said and logged. */
  said(): string
  /** Kills the launcher and the service at once, as a machine would: nobody is told. The database server is left alone. */
  kill(): Promise<void>
  /** Asks it to stop, and waits. Returns its exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

export type RunOptions = {
  /** More of its environment. */
  readonly env?: Readonly<Record<string, string>>
  /** The folder of the version that is started; this one if absent. */
  readonly checkout?: string
}

/** Starts `holdfast serve`, on the embedded database of a home unless its environment names another. Resolves when it answers. */
export async function runHoldfast(
  home: string,
  { env = {}, checkout = HERE }: RunOptions = {},
): Promise<RunningHoldfast> {
  const child = spawn(process.execPath, [join(checkout, 'bin/holdfast.js'), 'serve'], {
    env: {
      PATH: process.env.PATH,
      HOLDFAST_HOME: home,
      PORT: '0',
      LOG_LEVEL: 'warn',
      WMS_TOKEN: SOURCE_TOKEN,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own, so that launcher and service can be killed in one blow.
    detached: true,
  })
  let said = ''
  child.stdout?.on('data', (bytes) => {
    said += String(bytes)
  })
  child.stderr?.on('data', (bytes) => {
    said += String(bytes)
  })
  const url = await new Promise<string>((answers, fails) => {
    const patience = setTimeout(() => fails(new Error(`Holdfast did not start:\n${said}`)), STARTS_WITHIN_MS)
    child.stdout?.on('data', () => {
      const found = /answers at .*?(http:\/\/[\w.:]+)/.exec(said)?.[1]
      if (found) {
        clearTimeout(patience)
        answers(found)
      }
    })
    child.once('exit', (code) => {
      clearTimeout(patience)
      fails(new Error(`Holdfast ended with ${code}:\n${said}`))
    })
  })
  const signal = async (name: NodeJS.Signals, pid: number): Promise<number | null> => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
    const ended = once(child, 'exit')
    process.kill(pid, name)
    await ended
    return child.exitCode
  }
  const pid = child.pid ?? 0
  return {
    url,
    token: readFileSync(join(home, 'admin-token'), 'utf8').trim(),
    process: child,
    said: () => said,
    kill: async () => {
      await signal('SIGKILL', -pid)
    },
    stop: (name = 'SIGTERM') => signal(name, pid),
  }
}

/** The pid and port of the database server that works in a home now; `undefined` when none does. */
export function postmasterOf(home: string): { readonly pid: number; readonly port: number } | undefined {
  const path = join(home, 'postgres', 'postmaster.pid')
  if (!existsSync(path)) return undefined
  const lines = readFileSync(path, 'utf8').split('\n')
  const [pid, port] = [Number(lines[0]), Number(lines[3])]
  return pid > 0 && port > 0 ? { pid, port } : undefined
}

/** Opens the database of a home beside its Holdfast, to look at what is really there. */
export function databaseOf(home: string): Database {
  const password = readFileSync(join(home, 'postgres-password'), 'utf8').trim()
  const url = `postgres://holdfast:${password}@127.0.0.1:${postmasterOf(home)?.port}/holdfast`
  return openDatabase({ url, schema: 'holdfast', connections: 2 })
}
