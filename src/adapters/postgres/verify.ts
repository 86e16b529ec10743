/**
 * Proves the ledger and the state against each other, in one snapshot of the database: every content hash, every block and seal,
 * every stream without a gap, and every row of supply and demand rebuilt from the ledger and compared column by column.
 * Reads page by page: its memory grows with the live demands of a few SKUs, not with the ledger.
 */
import { documentHash } from './configuration-store.ts'
import type { Database, Queryable } from './database.ts'
import { archivesTold } from './partitions.ts'
import { verifyChain } from './verify-chain.ts'
import type { Difference } from './verify-difference.ts'
import { verifyState } from './verify-state.ts'

/** What was looked at, and the first things that are wrong. Empty `problems`: all is well. */
export type Verdict = {
  readonly entries: number
  /** Entries in months that were archived: their seals are here, they themselves lie in the files. */
  readonly archivedEntries: number
  readonly seals: number
  readonly skus: number
  readonly unsealedEntries: number
  readonly snapshots: number
  readonly problems: readonly string[]
  /** The first place where the ledger's fold and the tables part. */
  readonly first?: Difference
}

/** Problems that are told; one is enough to act, a million would hide it. */
const MAX_PROBLEMS = 20
/** How often progress is told at most, in milliseconds. */
const TELL_EVERY_MS = 1_000

/** What is found wrong; a long list ends the search. */
export type Findings = {
  readonly problems: string[]
  first?: Difference
  isFull(): boolean
}

/** Tells how far a count has come. */
export type Progress = (what: string, done: number, of: number) => void

/** Verifies everything. Reads in one repeatable-read transaction, so live traffic neither hinders it nor is hindered. */
export async function verify(
  database: Database,
  onProgress: (text: string) => void = () => undefined,
): Promise<Verdict> {
  return await database.transaction(async (client) => {
    await client.query('set transaction isolation level repeatable read, read only')
    const found: Findings = { problems: [], isFull: () => found.problems.length >= MAX_PROBLEMS }
    const progress = tellNowAndThen(onProgress)
    const archives = await archivesTold(client)
    const chain = await verifyChain(client, archives, found, progress)
    await verifyOtherStreams(client, found, progress)
    await verifyConfiguration(client, found)
    const state = await verifyState(client, chain.entries, found, progress)
    return {
      ...chain,
      ...state,
      problems: found.problems.slice(0, MAX_PROBLEMS),
      ...(found.first === undefined ? {} : { first: found.first }),
    }
  })
}

/** At most one line a second, and the last one of each part: per cent, and how many a second. */
function tellNowAndThen(onProgress: (text: string) => void): Progress {
  let part = ''
  let since = 0
  let toldAt = 0
  return (what, done, of) => {
    const now = performance.now()
    if (what !== part) {
      part = what
      since = now
      toldAt = now
    }
    if (done < of && now - toldAt < TELL_EVERY_MS) return
    toldAt = now
    const percent = of === 0 ? 100 : Math.min(100, Math.floor((done * 100) / of))
    const perSecond = Math.round((done * 1_000) / Math.max(1, now - since))
    onProgress(`${what}: ${done} of ${of} (${percent} %), ${perSecond}/s`)
  }
}

/** Streams looked at in one statement: each has to end well before any time limit, however large the ledger. */
const STREAM_PAGE = 500

type Stream = {
  readonly stream: string
  readonly entries: number
  readonly first: number
  readonly last: number
  /** The version that its newest checkpoint stands for. */
  readonly cut: number | null
  readonly hasRow: boolean
}

/**
 * Streams that no SKU's state gives away: `configuration`, `ledger`, `shop:…`, `source:…`, and those of a SKU whose row is gone.
 * After a cut a stream goes on where its newest checkpoint says.
 */
async function verifyOtherStreams(on: Queryable, found: Findings, progress: Progress): Promise<void> {
  // In the order of ledger_entry_one_writer, so that a page reads its own streams only, whatever the statistics say.
  await on.query('set local enable_hashagg = off; set local enable_sort = off; set local enable_seqscan = off')
  let after = ''
  let looked = 0
  for (;;) {
    const { rows } = await on.query<Stream>(
      `select stream, entries, first, last,
              (select (body #>> '{checkpoint,state,version}')::bigint
               from ledger_entry
               where kind = 'checkpoint' and ledger_entry.stream = counted.stream
               order by version desc
               limit 1) as cut,
              exists (select from sku where sku.sku = substr(counted.stream, 5)) as "hasRow"
       from (
         select stream, count(*) as entries, min(version) as first, max(version) as last
         from ledger_entry
         where stream > $1
         group by stream
         order by stream
         limit $2
       ) as counted
       order by stream`,
      [after, STREAM_PAGE],
    )
    for (const each of rows) {
      const problem = streamProblem(each)
      if (problem && !found.isFull()) found.problems.push(problem)
    }
    looked += rows.length
    after = rows.at(-1)?.stream ?? after
    const isLast = rows.length < STREAM_PAGE || found.isFull()
    progress('Streams', looked, isLast ? looked : looked + STREAM_PAGE)
    if (isLast) break
  }
  await on.query('set local enable_hashagg = on; set local enable_sort = on; set local enable_seqscan = on')
}

function streamProblem({ stream, entries, first, last, cut, hasRow }: Stream): string | undefined {
  if (stream.startsWith('sku:')) return hasRow ? undefined : `${stream}: has entries but the SKU has no row`
  if (first <= (cut ?? 0) + 1 && entries === last - first + 1) return undefined
  return `${stream}: has ${entries} entries but counts from ${first} to ${last}`
}

/** Every version of the rules is the document that its entry, or the checkpoint after it, tells of. */
async function verifyConfiguration(on: Queryable, found: Findings): Promise<void> {
  const { rows } = await on.query<{ version: number; document: unknown; told: string | null }>(
    `with told as (
       select configuration as version, body ->> 'documentHash' as hash
       from ledger_entry
       where stream = 'configuration'
         and kind = 'configured'
       union
       select key::bigint, value
       from ledger_entry, json_each_text(body #> '{checkpoint,state,documents}')
       where stream = 'configuration'
         and kind = 'checkpoint'
     )
     select version, document, told.hash as told
     from configuration
     full join told using (version)
     order by version`,
  )
  for (const { version, document, told } of rows) {
    if (told === documentHash(document)) continue
    const what = document === null ? 'is told by the ledger but not stored' : 'is not what the ledger tells of'
    found.problems.push(`configuration: version ${version} ${what}`)
  }
}
