/** The lane on the store: one command after another, each a transaction of its own. */
import { AlreadyAnswered, type Lane, type OriginOf, type Urgency } from '../../app/lane.ts'
import type { Configuration } from '../../core/configuration.ts'
import type { Answer, AnswerOf, Command } from '../../core/decide.ts'
import type { Sku } from '../../core/ids.ts'
import { type Decided, decideOn, type MemoryOrigin } from './decision.ts'
import type { MemoryStore } from './store.ts'

export type MemoryLaneOptions = {
  readonly store: MemoryStore
  readonly configuration: () => Configuration
  readonly onChanged?: (skus: readonly Sku[]) => void
  /** Told when a command failed although nothing was wrong with the store: a bug. */
  readonly onBug?: (cause: unknown, command: Command) => void
  /** Told after each commit, in order. */
  readonly onDecided?: (command: Command, decided: Decided) => void
  /** Passes when the command's turn has come; what it throws is thrown to the caller, and nothing was decided. */
  readonly turn?: (urgency: Urgency) => Promise<void>
  /** Passes between the commit and its answer; what it throws is thrown to the caller, although everything was kept. */
  readonly acknowledge?: () => Promise<void>
}

/** Opens a lane. Several may stand on one store. */
export function memoryLane(options: MemoryLaneOptions): Lane {
  const { store } = options

  async function submit(command: Command, origin: MemoryOrigin, urgency: Urgency = 'ordinary'): Promise<Answer> {
    await options.turn?.(urgency)
    let decided: Decided
    try {
      decided = decideOn(store, options.configuration(), command, origin)
    } catch (cause) {
      if (!(cause instanceof AlreadyAnswered)) options.onBug?.(cause, command)
      throw cause
    }
    options.onDecided?.(command, decided)
    if (decided.changed.length > 0) options.onChanged?.(decided.changed)
    await options.acknowledge?.()
    return decided.answer
  }

  return {
    // The answer is the one to its own command: `decide` types the pair.
    submit: <C extends Command>(command: C, origin: OriginOf<C>, urgency?: Urgency) =>
      submit(command, origin as MemoryOrigin, urgency) as Promise<AnswerOf<C>>,
  }
}
