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

/** The answer to an attempt as its door gave it. */
export type Told = { readonly httpCode: number; readonly body: unknown }

/**
 * An attempt to send a command that may be sent again (`Idempotency-Key`). Its answer is kept in the transaction of its decision:
 * an attempt that comes twice, late or in two processes at once is decided once.
 */
export type Attempt<A> = {
  /** The door, and the sender's name of the attempt there. */
  readonly scope: string
  readonly key: string
  readonly requestHash: Uint8Array
  /** What is kept of the answer. Never throws. */
  readonly tell: (answer: A) => Told
}

/** Who asks for a command, and whether he may ask again. */
export type OriginOf<C extends Command> = Origin & { readonly attempt?: Attempt<AnswerOf<C>> }

/** Bulk waits for checkout, never the other way round. */
export type Urgency = 'checkout' | 'ordinary' | 'bulk'

export interface Lane {
  /**
   * Decides one command. The answer is committed with fsync before it is given; a refusal is an answer, not an error.
   *
   * @throws `LaneBusy` when too many wait, `Failure` DATABASE_UNREACHABLE when PostgreSQL does not answer (its message says
   * whether the outcome is unknown: every command may be submitted again), `AlreadyAnswered` when its attempt was decided before,
   * or what a broken invariant threw: then this command alone has left no trace
   */
  submit<C extends Command>(command: C, origin: OriginOf<C>, urgency?: Urgency): Promise<AnswerOf<C>>
}

/** The attempt was decided before: what it was answered is kept, and nothing was decided now. */
export class AlreadyAnswered extends Error {
  constructor({ scope, key }: { readonly scope: string; readonly key: string }) {
    super(`The attempt ${key} at ${scope} was answered before`)
    this.name = 'AlreadyAnswered'
  }
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
