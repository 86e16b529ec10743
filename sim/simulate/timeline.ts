/** Virtual time: one clock, one queue of events, no real timer. Whatever waits, waits here. */
import type { Loop, LoopOptions } from '../../src/app/loop.ts'

/** A clock that only moves when the next event is due. */
export interface Timeline {
  /** Milliseconds since 1970 of the one true clock, which is the database's. */
  readonly now: () => number
  /** Lets something happen so many ms from now; events of one moment happen in the order in which they were asked for. */
  after(ms: number, happen: () => void): void
  sleep(ms: number): Promise<void>
  /** Lets everything happen up to a moment. */
  runUntil(moment: number): Promise<void>
  /** Events that have happened. */
  readonly happened: () => number
}

const settled = (): Promise<void> => new Promise(setImmediate)

type Event = { readonly at: number; readonly no: number; readonly happen: () => void }

/** Opens a timeline that begins at a moment. */
export function timelineFrom(begin: number): Timeline {
  const queue: Event[] = []
  let now = begin
  let numbers = 0
  let happened = 0

  const after = (ms: number, happen: () => void): void => {
    push(queue, { at: now + Math.max(0, Math.round(ms)), no: numbers++, happen })
  }
  return {
    now: () => now,
    after,
    sleep: (ms) => new Promise((wake) => after(ms, wake)),
    async runUntil(moment) {
      // What the caller has just begun goes as far as it can without waiting.
      await settled()
      for (let next = queue[0]; next && next.at <= moment; next = queue[0]) {
        pop(queue)
        now = Math.max(now, next.at)
        happened += 1
        next.happen()
        // Everything that follows from it without waiting has happened when this returns.
        await settled()
      }
      now = Math.max(now, moment)
    },
    happened: () => happened,
  }
}

const isBefore = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.no < b.no)

function push(heap: Event[], event: Event): void {
  let child = heap.push(event) - 1
  while (child > 0) {
    const parent = (child - 1) >> 1
    const above = heap[parent]
    if (!above || !isBefore(event, above)) break
    heap[child] = above
    child = parent
  }
  heap[child] = event
}

function pop(heap: Event[]): void {
  const last = heap.pop()
  if (!last || heap.length === 0) return
  let parent = 0
  for (;;) {
    let child = 2 * parent + 1
    const [left, right] = [heap[child], heap[child + 1]]
    if (!left) break
    let smallest = left
    if (right && isBefore(right, left)) {
      child += 1
      smallest = right
    }
    if (!isBefore(smallest, last)) break
    heap[parent] = smallest
    parent = child
  }
  heap[parent] = last
}

/** The longest pause after failures, in ms. */
const MAX_BACK_OFF_MS = 30_000
const FIRST_BACK_OFF_MS = 250

/**
 * Loops in virtual time, with the manners of the real ones.
 *
 * @param stretch slows them down by this factor, so that a simulated hour costs less
 * @param isAlive a loop of a dead process goes no further
 */
export const loopsOn =
  (timeline: Timeline, stretch: number, isAlive: () => boolean) =>
  ({ name, round, everyMs, onTrouble }: LoopOptions): Loop => {
    let stopped = false
    let woken = false
    let running = false
    let failures = 0
    /** Only the newest rest may end in a round. */
    let rests = 0
    let ended: () => void = () => undefined

    const rest = (ms: number): void => {
      rests += 1
      const mine = rests
      timeline.after(ms, () => {
        if (mine === rests && !running && !stopped) void run()
      })
    }
    const run = async (): Promise<void> => {
      if (!isAlive()) return
      running = true
      woken = false
      let pauseMs = everyMs * stretch
      try {
        if (await round()) pauseMs = 0
        failures = 0
      } catch (cause) {
        failures += 1
        onTrouble(cause, name)
        pauseMs = Math.min(MAX_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** Math.min(failures - 1, 10))
      }
      running = false
      if (stopped) ended()
      else rest(woken && failures === 0 ? 0 : pauseMs)
    }
    rest(0)
    return {
      wake() {
        if (failures > 0 || stopped) return
        woken = true
        if (!running) rest(0)
      },
      stop() {
        stopped = true
        return running ? new Promise((done) => (ended = done)) : Promise.resolve()
      },
    }
  }
