/** The one way in: every change is a command, and the lane decides and appends it in one transaction (L7). */
import type { AnswerOf, Command } from '../core/decide.ts'

/** Who asks for a change and why; every ledger entry names both. */
export type Origin = {
  /** `shop:nord`, `source:main`, `token:till-3`, `clock`, `cli:anna`: who. */
  readonly actor: string
  /** The message, request or timer that caused it: an id that can be looked up. */
  readonly cause: string
  /** HMAC of the cart token: groups the attempts of one basket without telling whose it is. */
  readonly basket?: Uint8Array
  /** The received message that this word belongs to: it is ticked off in the same transaction, so that it counts once. */
  readonly receipt?: { readonly inboxId: number; readonly word: number }
  /** The SKU of a word as its warehouse spells it, where that is not its canonical form. */
  readonly sentAs?: string
}

/** Bulk waits for checkout, never the other way round. */
export type Urgency = 'checkout' | 'ordinary' | 'bulk'

export interface Lane {
  /**
   * Decides one command. The answer is committed with fsync before it is given; a refusal is an answer, not an error.
   *
   * @throws `LaneBusy` when too many wait, `Failure` DATABASE_UNREACHABLE when PostgreSQL does not answer (its message says
   * whether the outcome is unknown: every command may be submitted again), or what a broken invariant threw: then this command
   * alone has left no trace
   */
  submit<C extends Command>(command: C, origin: Origin, urgency?: Urgency): Promise<AnswerOf<C>>
}

/** Too many commands wait already: the caller is told to come back. */
export class LaneBusy extends Error {
  readonly retryAfterSeconds: number
  constructor(retryAfterSeconds: number) {
    super('LANE_BUSY: too many decisions wait; try again')
    this.name = 'LaneBusy'
    this.retryAfterSeconds = retryAfterSeconds
  }
}
