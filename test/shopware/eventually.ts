/** How long anything may take that is bound to happen, in milliseconds: far above what it takes, so that a slow machine fails no test. */
export const EVENTUALLY_MS = 120_000
const LOOK_EVERY_MS = 25

/** Looks again and again until something holds, and gives what it saw then; says what it saw last when it never does. */
export async function eventually<T>(
  look: () => Promise<T> | T,
  holds: (seen: T) => boolean,
  what: string,
  withinMs = EVENTUALLY_MS,
): Promise<T> {
  let last: T | undefined
  for (const untilMs = performance.now() + withinMs; performance.now() < untilMs; ) {
    last = await look()
    if (holds(last)) return last
    await new Promise((again) => setTimeout(again, LOOK_EVERY_MS))
  }
  throw new Error(`NEVER_TRUE: ${what}, within ${withinMs} ms; last seen ${JSON.stringify(last)}`)
}
