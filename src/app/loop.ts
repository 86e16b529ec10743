/** Work that is done again and again: at once when woken, else after a while, more slowly while it fails, until it is stopped. */
import { Failure } from '../errors.ts'

export type LoopOptions = {
  readonly name: string
  /** One round. Returns whether there is more to do at once. */
  readonly round: () => Promise<boolean>
  /** Pause between rounds when there is nothing more to do. */
  readonly everyMs: number
  /** Told about each failed round. */
  readonly onTrouble: (cause: unknown, loop: string) => void
}

export type Loop = {
  /** Starts the next round at once, or right after the present one. */
  wake(): void
  /** Ends after the present round. */
  stop(): Promise<void>
}

/** Longest pause after failures. */
const MAX_BACK_OFF_MS = 30_000
const FIRST_BACK_OFF_MS = 250

export function startLoop({ name, round, everyMs, onTrouble }: LoopOptions): Loop {
  let stopped = false
  let woken = false
  let rouse: (() => void) | undefined
  let failures = 0

  const rest = (ms: number): Promise<void> =>
    new Promise((resume) => {
      const timer = setTimeout(resume, ms)
      rouse = () => {
        clearTimeout(timer)
        resume()
      }
    })

  async function run(): Promise<void> {
    while (!stopped) {
      woken = false
      let pauseMs = everyMs
      try {
        const more = await round()
        failures = 0
        if (more) pauseMs = 0
      } catch (cause) {
        failures += 1
        onTrouble(cause, name)
        pauseMs = backOffMs(failures, cause)
      }
      // Being woken cuts a rest short, but never the pause after a failure: a storm of hints must not become a storm of calls.
      if (stopped || (woken && failures === 0) || pauseMs === 0) continue
      await rest(pauseMs)
    }
  }
  const ended = run()

  return {
    wake() {
      woken = true
      if (failures === 0) rouse?.()
    },
    async stop() {
      stopped = true
      rouse?.()
      await ended
    },
  }
}

function backOffMs(failures: number, cause: unknown): number {
  const asked = cause instanceof Failure ? (cause.retryAfterMs ?? 0) : 0
  const own = Math.min(MAX_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** Math.min(failures - 1, 10))
  // Half of it at random, so that many processes do not come back together.
  return Math.max(asked, own / 2 + Math.random() * (own / 2))
}
