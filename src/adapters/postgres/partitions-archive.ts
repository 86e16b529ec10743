/**
 * Takes the oldest month out of the database, once somebody has it. In this order, and each step harmless to repeat:
 *
 * 1. the month is over, sealed, and the oldest one here;
 * 2. its export is made again, proved line by line, and has the hash that the caller names: what he holds is the month;
 * 3. every stream with entries in it gets a checkpoint, and the checkpoints are sealed;
 * 4. in one transaction the ledger tells that the month was archived, with the hash of its file, and its partition goes.
 *
 * Seals stay for ever, so the chain still leads from its beginning to now. A crash between two steps leaves more than is needed,
 * never less.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type Instant, instantOf } from '../../core/ids.ts'
import { Failure } from '../../errors.ts'
import { configurationVersion } from './configuration-store.ts'
import { type Database, databaseNow, type Queryable } from './database.ts'
import { appendEntry } from './ledger.ts'
import { exportMonth } from './ledger-export.ts'
import { checkLedgerFile } from './ledger-file.ts'
import { codeOf } from './outage.ts'
import { type ArchivedMonth, archivesTold, type KeptMonth, keptMonths, LEDGER_STREAM } from './partitions.ts'
import { type Cut, writeCheckpoints } from './partitions-checkpoint.ts'
import { sealBlock } from './seal.ts'

export type ArchiveStep =
  | { readonly state: 'unknown' }
  | { readonly state: 'not-ready'; readonly why: string }
  | { readonly state: 'differs'; readonly why: string }
  | { readonly state: 'working'; readonly what: string }
  | { readonly state: 'archived'; readonly archived: ArchivedMonth }

export type LedgerMonths = {
  readonly kept: readonly { readonly month: string; readonly sealedEntries: number }[]
  readonly archived: readonly ArchivedMonth[]
}

export type Archivist = {
  /** Archives, or says how far it is: a large month takes minutes, and the caller asks again. */
  archive(month: string, sha256: string, author: string): Promise<ArchiveStep>
  /** Ends what is under way at its next step. */
  stop(): Promise<void>
}

/** How long a caller waits for an answer; below the patience of proxies. */
const ANSWER_WITHIN_MS = 20_000
/** Sealing waits for the oldest transaction of the database. */
const SEALED_WITHIN_MS = 30_000
const LOOK_EVERY_MS = 200
/** Taking the partition away locks the whole ledger for a moment; while that has to wait, the lane waits behind it. */
const LOCK_WITHIN = '500ms'
const LOCK_ATTEMPTS = 20
const LOCK_PAUSE_MS = 250

/** The months of the ledger. Months without a sealed entry are left out. */
export async function ledgerMonths(on: Queryable): Promise<LedgerMonths> {
  const archived = await archivesTold(on)
  const { rows } = await on.query<{ month: string; entries: number }>(
    `select to_char(month, 'YYYY-MM') as month, sum(entries)::bigint as entries from seal group by 1 order by 1`,
  )
  return {
    kept: rows
      .filter(({ month }) => !archived.has(month))
      .map(({ month, entries }) => ({ month, sealedEntries: entries })),
    archived: [...archived.values()].sort((a, b) => (a.month < b.month ? -1 : 1)),
  }
}

type Job = { what: string; readonly ended: Promise<() => ArchiveStep> }

/** One job for each month; those of several processes do no harm to each other. */
export function createArchivist(database: Database, answerWithinMs = ANSWER_WITHIN_MS): Archivist {
  const jobs = new Map<string, Job>()
  const stopping = new AbortController()
  const begin = (asked: Asked): Job => {
    const job: Job = {
      what: 'looking',
      ended: archiveMonth(database, asked, (what) => {
        stopping.signal.throwIfAborted()
        job.what = what
      }).then(
        (step) => () => step,
        (cause: unknown) => () => {
          if (stopping.signal.aborted) return STOPPING
          throw cause
        },
      ),
    }
    return job
  }
  return {
    async archive(month, sha256, author) {
      const key = `${month} ${sha256}`
      const job = jobs.get(key) ?? begin({ month, sha256, author })
      jobs.set(key, job)
      const waiting = new AbortController()
      const late = delay(answerWithinMs, undefined, { signal: waiting.signal }).catch(() => undefined)
      const outcome = await Promise.race([job.ended, late])
      waiting.abort()
      // How it ended is told once, to whoever asks first after its end.
      if (outcome === undefined) return { state: 'working', what: job.what }
      jobs.delete(key)
      return outcome()
    },
    async stop() {
      stopping.abort()
      await Promise.all([...jobs.values()].map(({ ended }) => ended))
    },
  }
}

const STOPPING: ArchiveStep = { state: 'working', what: 'Holdfast is stopping; ask again when it runs' }

type Asked = { readonly month: string; readonly sha256: string; readonly author: string }

async function archiveMonth(database: Database, asked: Asked, tell: (what: string) => void): Promise<ArchiveStep> {
  const { pool } = database
  const { month, sha256, author } = asked
  const done = (await archivesTold(pool)).get(month)
  if (done) {
    return done.sha256 === sha256
      ? { state: 'archived', archived: done }
      : { state: 'differs', why: `${month} was archived before, as a file with the SHA-256 ${done.sha256}.` }
  }
  const months = await keptMonths(pool)
  const kept = months.find((each) => each.month === month)
  if (!kept) return { state: 'unknown' }
  const why = await whyNotReady(pool, kept, months)
  if (why) return { state: 'not-ready', why }

  tell('proving the export')
  const proof = await checkLedgerFile(exportMonth(pool, month), (text) => tell(`proving the export: ${text}`))
  const [problem] = proof.problems
  if (problem) return { state: 'not-ready', why: `${problem}. Run holdfast verify, and archive nothing before.` }
  if (proof.sha256 !== sha256)
    return { state: 'differs', why: `The export of ${month} has the SHA-256 ${proof.sha256}, not ${sha256}.` }

  tell('writing checkpoints')
  const cut: Cut = {
    month,
    partition: kept.partition,
    keptFrom: endOf(month),
    author,
    configuration: await configurationVersion(pool),
  }
  await writeCheckpoints(database, cut, (written) => tell(`${written} checkpoints written`))
  tell('sealing the checkpoints')
  if (!(await sealedUpToNow(database))) {
    return { state: 'working', what: 'the checkpoints wait for an old transaction before they can be sealed' }
  }
  tell('taking the month out')
  const archived = { month, entries: proof.entries, seals: proof.seals, sha256 }
  return await takeOut(database, cut, archived)
}

const startOf = (month: string): Instant => instantOf(Date.parse(`${month}-01T00:00:00Z`))

/** The first moment of the next month, in UTC. */
function endOf(month: string): Instant {
  const start = new Date(startOf(month))
  return instantOf(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 1))
}

const iso = (moment: Instant): string => new Date(moment).toISOString()

async function whyNotReady(
  on: Queryable,
  { month, partition }: KeptMonth,
  months: readonly KeptMonth[],
): Promise<string | undefined> {
  if ((await databaseNow(on)) < endOf(month)) return `${month} is not over yet (months are counted in UTC).`
  for (const earlier of months.filter((each) => each.month < month)) {
    if (await has(on, `select from ${earlier.partition} limit 1`))
      return `${earlier.month} is older and still here: archive it first.`
  }
  if (!(await has(on, `select from ${partition} limit 1`))) return `${month} has no entries.`
  // The net under the partitions: nothing lies there while Holdfast runs at least once a month.
  if (await has(on, 'select from ledger_entry_other where at < $1 limit 1', [iso(endOf(month))]))
    return `Entries of ${month} or before lie outside of their month; this Holdfast cannot archive them.`
  const isUnsealed = await has(
    on,
    `select from ${partition}
     where not exists (select from seal)
        or (${partition}.txid, seq) > (select last_txid, last_seq from seal order by no desc limit 1)
     limit 1`,
  )
  return isUnsealed ? `${month} is not sealed to its end yet: try again in a moment.` : undefined
}

async function has(on: Queryable, text: string, values: readonly string[] = []): Promise<boolean> {
  return (await on.query(text, [...values])).rowCount === 1
}

/** Seals until everything that is there now is sealed; `false` when a transaction older than that does not end. */
async function sealedUpToNow(database: Database): Promise<boolean> {
  const { rows } = await database.pool.query<{ txid: string; seq: number }>(
    `select ledger_entry.txid::text as txid, seq
     from ledger_entry
     order by ledger_entry.txid desc, seq desc
     limit 1`,
  )
  const [newest] = rows
  if (!newest) return true
  for (const giveUpAt = performance.now() + SEALED_WITHIN_MS; performance.now() < giveUpAt; ) {
    const sealed = await has(
      database.pool,
      `select from seal where (last_txid, last_seq) >= ($1::xid8, $2::bigint) order by no desc limit 1`,
      [newest.txid, String(newest.seq)],
    )
    if (sealed) return true
    if ((await sealBlock(database)) === 0) await delay(LOOK_EVERY_MS)
  }
  return false
}

const LOCK_NOT_AVAILABLE = '55P03'

async function takeOut(database: Database, cut: Cut, archived: ArchivedMonth): Promise<ArchiveStep> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await database.transaction((client) => takeOutIn(client, cut, archived))
    } catch (cause) {
      if (!(cause instanceof Failure) || codeOf(cause.cause) !== LOCK_NOT_AVAILABLE) throw cause
      if (attempt >= LOCK_ATTEMPTS) return { state: 'working', what: 'the ledger is too busy to take the month out' }
      await delay(LOCK_PAUSE_MS)
    }
  }
}

async function takeOutIn(on: Queryable, cut: Cut, archived: ArchivedMonth): Promise<ArchiveStep> {
  await on.query(`set local lock_timeout = '${LOCK_WITHIN}'`)
  // Whoever would still write into the month waits; nobody should.
  await on.query(`lock table only ${cut.partition} in share mode`)
  const done = (await archivesTold(on)).get(cut.month)
  if (done) return { state: 'archived', archived: done }
  const { rows } = await on.query<{ entries: number }>(`select count(*) as entries from ${cut.partition}`)
  if (rows[0]?.entries !== archived.entries)
    return {
      state: 'differs',
      why: `${cut.month} holds ${rows[0]?.entries} entries now, the export ${archived.entries}.`,
    }
  await on.query('delete from ledger_snapshot where at < $1', [iso(cut.keptFrom)])
  await appendEntry(on, {
    stream: LEDGER_STREAM,
    kind: 'archived',
    actor: cut.author,
    cause: `archive:${cut.month}`,
    configuration: cut.configuration,
    body: archived,
  })
  await on.query(`alter table ledger_entry detach partition ${cut.partition}`)
  await on.query(`drop table ${cut.partition}`)
  return { state: 'archived', archived }
}
