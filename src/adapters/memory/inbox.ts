/** Messages received once, in memory: the twin of `postgres/inbox-store.ts`. */
import { BULK_FROM_WORDS, type Inbox } from '../../app/receive.ts'
import type { Command } from '../../core/decide.ts'
import { after, type Instant } from '../../core/ids.ts'
import { demandAt, type InboxRow, type MemoryStore } from './store.ts'

/** How long a claim lasts. */
const CLAIM_MS = 30_000
/** How long a message rests that met a busy lane. */
const POSTPONED_MS = 1_000
/** Words that wait for an order longer than this are dead letters. */
const PARKED_AT_MOST_MS = 24 * 3_600_000
const SAME_ID = 'A message with this id was received before, with other content'

type Receipt = { readonly inboxId: number; readonly word: number }

/** The inbox as the use case sees it. */
export function inboxOn(store: MemoryStore): Inbox {
  const bury = (source: string, messageId: string, raw: string, reason: string): number => {
    const id = store.deadLetters.length + 1
    store.deadLetters.push({ id, source, messageId, raw, reason })
    return id
  }

  return {
    async file(source, messages, deadLetters) {
      const filed = messages.map(({ messageId, raw, words }) => {
        const name = `${source}\u001f${messageId}`
        const known = store.inboxByName.get(name)
        if (known) return { messageId, outcome: known.raw === raw ? ('repeated' as const) : ('conflict' as const) }
        const row: InboxRow = {
          id: store.inbox.length + 1,
          source,
          messageId,
          receivedAt: store.now(),
          raw,
          words,
          applied: [],
          waiting: [],
          waitsFor: [],
          claimedUntil: undefined,
          attempts: 0,
          state: 'pending',
          verdict: undefined,
        }
        store.inbox.push(row)
        store.inboxByName.set(name, row)
        return { messageId, outcome: 'new' as const }
      })
      const letters = deadLetters.map(({ messageId, raw, reason }) => bury(source, messageId, raw, reason))
      filed.forEach(({ messageId, outcome }, nth) => {
        if (outcome === 'conflict') letters.push(bury(source, messageId, messages[nth]?.raw ?? '', SAME_ID))
      })
      return { filed, deadLetterIds: letters }
    },

    async claim(limit, size) {
      const now = store.now()
      const free = pendingRows(store).filter(
        (row) =>
          (row.claimedUntil === undefined || row.claimedUntil < now) &&
          row.words > BULK_FROM_WORDS === (size === 'bulk'),
      )
      return free.slice(0, limit).map((row) => {
        row.claimedUntil = after(now, CLAIM_MS)
        row.attempts += 1
        const { id, source, messageId, receivedAt, raw, applied, attempts } = row
        return { id, source, messageId, receivedAt, raw, applied, attempts }
      })
    },

    async renew(ids) {
      for (const id of ids) {
        const row = store.inbox[id - 1]
        if (row?.state === 'pending') row.claimedUntil = after(store.now(), CLAIM_MS)
      }
    },

    async postpone(id) {
      const row = store.inbox[id - 1]
      if (row?.state !== 'pending') return
      row.claimedUntil = after(store.now(), POSTPONED_MS)
      row.attempts = Math.max(0, row.attempts - 1)
    },

    async close(id, state, verdict) {
      const row = store.inbox[id - 1]
      if (!row || row.state === 'done') return
      Object.assign(row, { state, verdict, claimedUntil: undefined })
    },

    async giveUp(id, reason) {
      const row = store.inbox[id - 1]
      if (row?.state !== 'pending') return
      Object.assign(row, { state: 'dead', verdict: 'given-up' })
      bury(row.source, row.messageId, row.raw, reason)
    },

    async bury() {
      const before = after(store.now(), -PARKED_AT_MOST_MS)
      let buried = 0
      for (const row of store.inbox) {
        if (row.state !== 'parked') continue
        if (row.receivedAt < before) {
          Object.assign(row, { state: 'dead', verdict: 'unknown-order' })
          bury(row.source, row.messageId, row.raw, 'No shop knows this order')
          buried += 1
        } else if (row.waitsFor.some((order) => cameSince(store, order, row.receivedAt))) wake(row)
      }
      return buried
    },

    now: async () => store.now(),
  }
}

/** Rows that wait for work, oldest first. The front of the inbox is done for ever and is not looked at again. */
function pendingRows(store: MemoryStore): readonly InboxRow[] {
  const from = firstOpen.get(store) ?? 0
  let next = from
  while (next < store.inbox.length && store.inbox[next]?.state === 'done') next += 1
  firstOpen.set(store, next)
  return store.inbox.slice(next).filter(({ state }) => state === 'pending')
}

/** Done is for ever; what stands before this index is. */
const firstOpen = new WeakMap<MemoryStore, number>()

function wake(row: InboxRow): void {
  Object.assign(row, { state: 'pending', waiting: [], waitsFor: [], claimedUntil: undefined, attempts: 0 })
}

/** Wakes words that were waiting for orders. Returns how many messages. */
export function wakeParked(store: MemoryStore, orderNumbers: readonly string[]): number {
  const woken = store.inbox.filter(
    ({ waitsFor, state }) =>
      (state === 'pending' || state === 'parked') && waitsFor.some((order) => orderNumbers.includes(order)),
  )
  woken.forEach(wake)
  return woken.length
}

/** Whether the word was applied before. */
export const isApplied = (store: MemoryStore, { inboxId, word }: Receipt): boolean =>
  store.inbox[inboxId - 1]?.applied.includes(word) ?? false

/** Ticks a word off, within the decision that applies it; one whose order is unknown makes its message wait. */
export function tick(store: MemoryStore, { inboxId, word }: Receipt, verdict: string, command: Command): void {
  const row = store.inbox[inboxId - 1]
  if (!row) return
  const waits = verdict === 'unknown-order' && command.kind === 'word' && command.word.kind === 'order-line'
  if (waits) {
    row.waiting = [...new Set([...row.waiting, word])].filter((each) => !row.applied.includes(each))
    row.waitsFor = [...row.waitsFor, command.word.order]
  } else {
    row.applied = [...row.applied, word]
    row.waiting = row.waiting.filter((each) => each !== word)
  }
  if (row.waiting.length === 0) row.waitsFor = []
  row.verdict = verdict
  if (row.applied.length >= row.words) row.state = 'done'
  else if (row.applied.length + row.waiting.length >= row.words) row.state = 'parked'
}

/** Whether an order of that number has come since: one that was here before is not the one that was waited for. */
const cameSince = (store: MemoryStore, orderNumber: string, moment: Instant): boolean =>
  (store.byOrderNumber.get(orderNumber) ?? []).some((place) => (demandAt(place).placedAt ?? 0) >= moment)
