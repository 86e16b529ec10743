/**
 * Group commit for deliveries: those that come while others are being filed wait for them and share the next transaction. A lone
 * delivery waits for nobody; a crowd shares one fsync. A thousand webhooks a second cost a sixth of what they cost one by one.
 */
import { Failure } from '../../errors.ts'
import type { Filed, NewDeadLetter, NewMessage } from './inbox-store.ts'

/** What came in one request. */
export type Delivery = {
  readonly source: string
  readonly messages: readonly NewMessage[]
  readonly deadLetters: readonly NewDeadLetter[]
}

export type FiledDelivery = { readonly filed: readonly Filed[]; readonly deadLetterIds: readonly number[] }

/** Files several deliveries in one transaction: all of them, or none. No two of them hold a message of one identity. */
export type FileAll = (deliveries: readonly Delivery[]) => Promise<readonly FiledDelivery[]>

/** What makes a message the same one: no source's name holds the separator. */
export const identityOf = (source: string, messageId: string): string => `${source}\u001f${messageId}`

/** Messages of one transaction; a delivery that is larger by itself goes alone. */
const MAX_MESSAGES = 500
/** Transactions at a time: one fills while the other is written. */
const WORKERS = 2

type Waiting = {
  readonly delivery: Delivery
  readonly resolve: (filed: FiledDelivery) => void
  readonly reject: (cause: unknown) => void
}

/** Opens a filing: what it returns resolves when the delivery is on disk. */
export function openFiling(fileAll: FileAll): (delivery: Delivery) => Promise<FiledDelivery> {
  let waiting: Waiting[] = []
  let workers = 0
  /** Identities of what is being filed now. */
  const underWay = new Set<string>()
  const identitiesOf = ({ delivery: { source, messages } }: Waiting): readonly string[] =>
    messages.map(({ messageId }) => identityOf(source, messageId))

  /** The oldest that fit together. One that holds a message of an identity that is under way stays until that is on disk. */
  const take = (): readonly Waiting[] => {
    const taken: Waiting[] = []
    const left: Waiting[] = []
    let messages = 0
    for (const each of waiting) {
      const own = identitiesOf(each)
      const fits = taken.length === 0 || messages + own.length <= MAX_MESSAGES
      if (!fits || own.some((identity) => underWay.has(identity))) {
        left.push(each)
        continue
      }
      taken.push(each)
      messages += own.length
      for (const identity of own) underWay.add(identity)
    }
    waiting = left
    return taken
  }

  const work = async (): Promise<void> => {
    // Everything that arrives in the same turn of the event loop belongs together.
    await new Promise(setImmediate)
    for (let group = take(); group.length > 0; group = take()) {
      await settle(fileAll, group)
      for (const each of group) for (const identity of identitiesOf(each)) underWay.delete(identity)
    }
    // In the same breath as the empty look: between the two nobody can come whom nobody takes.
    workers -= 1
  }

  return (delivery) =>
    new Promise((resolve, reject) => {
      waiting.push({ delivery, resolve, reject })
      if (workers >= WORKERS) return
      workers += 1
      void work()
    })
}

/** Files a group and answers it; one that breaks something is found by filing each by itself. Never throws. */
async function settle(fileAll: FileAll, group: readonly Waiting[]): Promise<void> {
  try {
    const filed = await fileAll(group.map(({ delivery }) => delivery))
    for (const [index, { resolve, reject }] of group.entries()) {
      const own = filed[index]
      if (own) resolve(own)
      else reject(new Error('A delivery was filed without a result'))
    }
  } catch (cause) {
    if (group.length === 1 || cause instanceof Failure) for (const { reject } of group) reject(cause)
    else for (const each of group) await settle(fileAll, [each])
  }
}
