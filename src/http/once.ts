/** `Idempotency-Key`: the attempt to send something, answered once (L7). */
import { createHash } from 'node:crypto'
import { AlreadyAnswered, type Attempt, type Told } from '../app/lane.ts'
import { canonicalJson } from '../core/ledger.ts'
import { preferredLanguage } from '../messages.ts'
import { documentOf, Problem } from './problem.ts'
import type { HttpWorld } from './world.ts'

export type Answered = Told
type Kept = Answered & { readonly requestHash: Uint8Array }

/**
 * Goes into the origin of the command that answers a request: the lane then keeps what `tell` makes of its answer, in the
 * transaction of its decision. Nothing for a request without a key.
 */
export type KeepBy = <A>(tell: (answer: A) => Answered) => { readonly attempt?: Attempt<A> }

type Asked = {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly method: string
  readonly url: string
  readonly body: unknown
}
type Answering = {
  code(httpCode: number): Answering
  type(contentType: string): Answering
  send(body: unknown): unknown
}

/** Attempts that are being answered by this process: the same one, sent again meanwhile, waits for its answer. */
const MAX_WAITS = 50

/**
 * Answers each request under a key once: the same with the same content gets the same answer, with other content
 * `422 KEY_REUSED`. A refusal by the rules is an answer too. What was never decided (a wrong field, an unknown shop, a busy lane)
 * is none: it may be decided when it comes again.
 */
export function onceBy(world: Pick<HttpWorld, 'keptAnswer' | 'keepAnswer'>) {
  const underWay = new Map<string, Promise<unknown>>()

  return async function once(request: Asked, reply: Answering, work: Work): Promise<unknown> {
    const key = request.headers['idempotency-key']
    if (key === undefined) {
      const { httpCode, body } = await work(() => ({}))
      return reply.code(httpCode).send(body)
    }
    if (typeof key !== 'string' || key === '' || key.length > 200) throw new Problem('IDEMPOTENCY_KEY_UNUSABLE')
    const scope = `${request.method} ${request.url.split('?')[0]}`
    const requestHash = createHash('sha256')
      .update(canonicalJson(request.body ?? null))
      .digest()
    const attempt = `${scope}\n${key}`
    for (let waits = 0; underWay.has(attempt) && waits < MAX_WAITS; waits += 1) {
      await underWay.get(attempt)?.catch(() => undefined)
    }
    const answering = answer(scope, key, requestHash, request, work)
    underWay.set(attempt, answering)
    try {
      const kept = await answering
      if (!requestHash.equals(kept.requestHash)) throw new Problem('KEY_REUSED')
      const isRefusal = kept.httpCode >= 400
      if (isRefusal) reply.type('application/problem+json')
      return reply.code(kept.httpCode).send(isRefusal ? JSON.stringify(kept.body) : kept.body)
    } finally {
      if (underWay.get(attempt) === answering) underWay.delete(attempt)
    }
  }

  async function answer(scope: string, key: string, requestHash: Buffer, request: Asked, work: Work): Promise<Kept> {
    const before = await world.keptAnswer(scope, key)
    if (before) return before
    let isKept = false
    const keepBy: KeepBy = (tell) => ({
      attempt: {
        scope,
        key,
        requestHash,
        tell(answer) {
          isKept = true
          return decided(request, () => tell(answer))
        },
      },
    })
    const answered = await work(keepBy).catch((cause: unknown) => {
      if (cause instanceof AlreadyAnswered) return undefined
      return refusalOf(request, cause)
    })
    if (answered && !isKept) await world.keepAnswer(scope, key, { requestHash, ...answered })
    // What is kept is told: another process may have been quicker with the same key.
    const kept = await world.keptAnswer(scope, key)
    if (!kept) throw new Error(`The answer to ${scope} was decided, and is not kept`)
    return kept
  }
}

type Work = (keepBy: KeepBy) => Promise<Answered>

/** The answer, or its refusal as the document that is sent. */
function decided(request: Asked, tell: () => Answered): Answered {
  try {
    return tell()
  } catch (cause) {
    return refusalOf(request, cause)
  }
}

/** A refusal by the rules is an answer too; whatever else was thrown is none, and is thrown again. */
function refusalOf(request: Asked, cause: unknown): Answered {
  if (!(cause instanceof Problem) || cause.httpCode !== 409) throw cause
  const wish = request.headers['accept-language']
  const body = documentOf(cause, preferredLanguage(typeof wish === 'string' ? wish : undefined))
  return { httpCode: cause.httpCode, body }
}
