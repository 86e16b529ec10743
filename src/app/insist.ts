/** Commands that must get into the lane although their caller has gone: again and again, within bounds, until they are in. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Command } from '../core/decide.ts'
import type { Lane, Origin } from './lane.ts'

/** Commands that are insisted on at once. Beyond it only reading the orders (L2) finds what they stood for. */
const MAX_INSISTED = 10_000
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 5_000
/** Tries of one command: about ten minutes, far longer than a failover takes. */
const MAX_TRIES = 120

export type Insist = {
  /** Hands a command to the lane until it is taken. Never throws. */
  readonly submit: (command: Command, origin: Origin) => void
  /** Gives up what is still waiting. */
  stop(): void
}

/**
 * @param onGivenUp told about a command that never got in, with what kept it out
 * @param pause waits so many ms, or until it is called off; real time if absent
 */
export function insistOn(
  lane: Lane,
  onGivenUp: (cause: unknown, command: Command) => void,
  pause: (ms: number, calledOff: AbortSignal) => Promise<void> = (ms, signal) => delay(ms, undefined, { signal }),
): Insist {
  const stopped = new AbortController()
  let waiting = 0

  async function insist(command: Command, origin: Origin): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS
    for (let tried = 1; ; tried += 1) {
      try {
        await lane.submit(command, origin, 'checkout')
        return
      } catch (cause) {
        if (tried === MAX_TRIES || stopped.signal.aborted) return onGivenUp(cause, command)
      }
      await pause(pauseMs, stopped.signal).catch(() => undefined)
      pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)
    }
  }

  return {
    submit(command, origin) {
      if (waiting >= MAX_INSISTED) return onGivenUp(new Error('Too many commands are insisted on'), command)
      waiting += 1
      void insist(command, origin).finally(() => {
        waiting -= 1
      })
    },
    stop: () => stopped.abort(),
  }
}
