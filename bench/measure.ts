/**
 * Callers that ask, wait for the answer and ask again; how many are answered in a second, how long each waits, and how much
 * processor both sides spend on it. On a machine that others use too the last is the figure that can be believed.
 */
import { readdirSync, readFileSync } from 'node:fs'

/** What is compared: something done again and again by so many callers at once. */
export type Contender = {
  readonly name: string
  readonly callers: number
  /** Units of work of one call, where it is more than one. */
  readonly perCall?: number
  readonly call: (caller: number, n: number) => Promise<unknown>
}

export type Measured = {
  readonly name: string
  readonly callers: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Processor time for each unit of work, in microseconds: this process, which holds the callers too, and PostgreSQL's. */
  readonly ownCpuUs: number
  readonly serverCpuUs: number | undefined
}

export type Pace = { readonly seconds: number; readonly warmUpSeconds: number }

/** Measures one contender once. What one of its callers throws is thrown, once all others have come to rest. */
export async function measure(
  { name, callers, perCall = 1, call }: Contender,
  { seconds, warmUpSeconds }: Pace,
  serverCpu: ServerCpu,
): Promise<Measured> {
  const waitedMs: number[] = []
  let phase: 'warming up' | 'counting' | 'over' = 'warming up'
  const ask = async (caller: number): Promise<void> => {
    for (let n = 0; phase !== 'over'; n += 1) {
      const since = performance.now()
      await call(caller, n)
      if (phase === 'counting') waitedMs.push(performance.now() - since)
    }
  }
  const asking = Array.from({ length: callers }, (_, caller) => ask(caller))
  const allAsking = Promise.all(asking)
  try {
    await Promise.race([allAsking, passing(warmUpSeconds)])
    phase = 'counting'
    const began = { at: performance.now(), own: process.cpuUsage(), server: serverCpu() }
    await Promise.race([allAsking, passing(seconds)])
    phase = 'over'
    const elapsedMs = performance.now() - began.at
    const own = process.cpuUsage(began.own)
    const serverUs = spentUs(began.server, serverCpu())
    const units = Math.max(1, waitedMs.length * perCall)
    waitedMs.sort((a, b) => a - b)
    const at = (share: number): number => waitedMs[Math.floor(waitedMs.length * share)] ?? 0
    return {
      name,
      callers,
      perSecond: (waitedMs.length * perCall * 1_000) / elapsedMs,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      ownCpuUs: (own.user + own.system) / units,
      serverCpuUs: serverUs === undefined ? undefined : serverUs / units,
    }
  } finally {
    phase = 'over'
    await Promise.allSettled(asking)
  }
}

const passing = (seconds: number): Promise<void> => new Promise((pass) => setTimeout(pass, seconds * 1_000))

/** Measures contenders in turn, round after round, so that what else the machine does falls on all of them; gives the medians. */
export async function compare(
  contenders: readonly Contender[],
  pace: Pace & { readonly rounds: number },
  serverCpu: ServerCpu,
): Promise<readonly Measured[]> {
  const measured = contenders.map((): Measured[] => [])
  for (let round = 0; round < pace.rounds; round += 1) {
    for (const [index, contender] of contenders.entries()) {
      measured[index]?.push(await measure(contender, pace, serverCpu))
    }
  }
  return measured.map((rounds) => {
    const [first] = rounds
    if (!first) throw new Error('Nothing was measured')
    const middle = (of: (each: Measured) => number): number => median(rounds.map(of))
    return {
      name: first.name,
      callers: first.callers,
      perSecond: middle(({ perSecond }) => perSecond),
      p50Ms: middle(({ p50Ms }) => p50Ms),
      p99Ms: middle(({ p99Ms }) => p99Ms),
      ownCpuUs: middle(({ ownCpuUs }) => ownCpuUs),
      serverCpuUs: first.serverCpuUs === undefined ? undefined : middle((each) => each.serverCpuUs ?? 0),
    }
  })
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

/** Processor time of each process of a server so far, in microseconds by process id; `undefined` where nobody tells. */
export type ServerCpu = () => ReadonlyMap<string, number> | undefined

/** What the processes spent in between. One that has come meanwhile counts from its beginning, one that has ended not at all. */
export function spentUs(before: ReturnType<ServerCpu>, after: ReturnType<ServerCpu>): number | undefined {
  if (!before || !after) return undefined
  let spent = 0
  for (const [pid, us] of after) spent += us - (before.get(pid) ?? 0)
  return spent
}

/** Reads `/proc`: the server's first process and its children. */
export function cpuOfServer(serverPid: number): ReturnType<ServerCpu> {
  try {
    const spent = new Map<string, number>()
    for (const name of readdirSync('/proc')) {
      const fields = /^\d+$/.test(name) ? statOf(name) : undefined
      if (fields && (Number(name) === serverPid || Number(fields[1]) === serverPid))
        spent.set(name, (Number(fields[11]) + Number(fields[12])) * TICK_US)
    }
    return spent
  } catch {
    return undefined
  }
}

/** Linux counts in hundredths of a second. */
const TICK_US = 10_000

/** The fields of `/proc/…/stat` after the name, which may hold anything; `undefined` when the process has just ended. */
export function statOf(pid: string | number): readonly string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}
