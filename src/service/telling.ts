/** How the parts of a service tell what went wrong: counted, and written to the log. */
import type { Logger } from 'pino'
import { createMetrics, type Metrics } from '../metrics.ts'

export type Telling = {
  readonly log: Logger
  readonly metrics: Metrics
  /** A round of a loop failed; it is tried again. `loop` may name its shop behind a colon. */
  trouble(cause: unknown, loop: string): void
  /** An invariant broke. */
  bug(cause: unknown, where: string): void
}

export function tellingOn(log: Logger): Telling {
  const metrics = createMetrics()
  return {
    log,
    metrics,
    trouble(cause, loop) {
      metrics.troubles.inc({ loop: loop.split(':')[0] ?? loop })
      log.warn({ loop, cause: textOf(cause) }, 'A round failed and is tried again.')
    },
    bug(cause, where) {
      metrics.bugs.inc()
      log.error(
        { where, cause: cause instanceof Error ? cause.stack : String(cause) },
        'An invariant broke. The unit of work left no trace.',
      )
    },
  }
}

export const textOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
