/** The configuration: one document, versioned as a whole; each change is a ledger entry with its author. */
import { createHash } from 'node:crypto'
import { type ConfigurationDocument, differences, EMPTY_DOCUMENT } from '../../app/configuration-file.ts'
import { canonicalJson } from '../../core/ledger.ts'
import type { Database, Queryable } from './database.ts'
import { appendEntry } from './ledger.ts'

export type StoredConfiguration = { readonly version: number; readonly document: ConfigurationDocument }

/** The version in force; version 0 and nothing in it while nobody has configured anything. */
export async function loadConfiguration(on: Queryable): Promise<StoredConfiguration> {
  const { rows } = await on.query<StoredConfiguration>(
    'select version, document from configuration order by version desc limit 1',
  )
  return rows[0] ?? { version: 0, document: EMPTY_DOCUMENT }
}

/** The number of the version in force: cheap enough to ask every second. */
export async function configurationVersion(on: Queryable): Promise<number> {
  const { rows } = await on.query<{ version: number | null }>('select max(version) as version from configuration')
  return rows[0]?.version ?? 0
}

/** Puts a document in force as the next version; one that changes nothing makes none. Serialised by the ledger stream's lock. */
export async function applyConfiguration(
  database: Database,
  document: ConfigurationDocument,
  author: string,
): Promise<StoredConfiguration> {
  return await database.transaction(async (client) => {
    await client.query(`select pg_advisory_xact_lock(hashtextextended('ledger:configuration', 0))`)
    const before = await loadConfiguration(client)
    const changed = differences(before.document, document)
    if (changed.length === 0) return before
    const version = before.version + 1
    await client.query('insert into configuration (version, document, author) values ($1, $2, $3)', [
      version,
      JSON.stringify(document),
      author,
    ])
    await appendEntry(client, {
      stream: 'configuration',
      kind: 'configured',
      actor: author,
      cause: 'apply',
      configuration: version,
      body: { changes: changed, documentHash: documentHash(document) },
    })
    await client.query('delete from warehouse')
    for (const name of Object.keys(document.sources)) {
      await client.query('insert into source (name) values ($1) on conflict do nothing', [name])
    }
    for (const [name, { source, zone }] of Object.entries(document.warehouses)) {
      await client.query('insert into warehouse (name, source, zone) values ($1, $2, $3)', [name, source, zone])
    }
    for (const [name, { kind, zone }] of Object.entries(document.shops)) {
      if (kind !== 'shopware') continue
      await client.query(
        'insert into shop (name, zone) values ($1, $2) on conflict (name) do update set zone = excluded.zone',
        [name, zone],
      )
    }
    return { version, document }
  })
}

/** What the ledger keeps of a document beside its changes, so that an edited one is found. */
export const documentHash = (document: unknown): string =>
  createHash('sha256').update(canonicalJson(document)).digest('hex')
