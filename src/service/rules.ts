/** The rules in force, and the doors of the sources that they name: read once, then kept as present as the database. */
import {
  applyConfiguration,
  configurationVersion,
  loadConfiguration,
  type StoredConfiguration,
} from '../adapters/postgres/configuration-store.ts'
import type { Database } from '../adapters/postgres/database.ts'
import { checkShopUrl } from '../adapters/shopware/shop-url.ts'
import { doorOf } from '../adapters/wms/door.ts'
import { sourceConfigOf } from '../adapters/wms/source-config.ts'
import { type ConfigurationDocument, configurationOf, type Difference, differences } from '../app/configuration-file.ts'
import type { SourceDoor } from '../app/receive.ts'
import type { Configuration } from '../core/configuration.ts'
import { type ShopId, type SourceId, sourceOf } from '../core/ids.ts'
import type { Telling } from './telling.ts'

export type RulesInForce = {
  stored(): StoredConfiguration
  rules(): Configuration
  /** The door of a source; `undefined` for one without rules, or whose secret is missing. */
  door(source: SourceId): SourceDoor | undefined
  /** The shop whose address this is, by the rules. */
  shopWithUrl(wanted: string): ShopId | undefined
  /** Applies a document, unless it changes nothing or is only tried. */
  apply(
    document: ConfigurationDocument,
    author: string,
    dryRun: boolean,
  ): Promise<StoredConfiguration & { readonly changes: readonly Difference[] }>
  /** Takes over what another process applied. */
  refresh(): Promise<void>
}

export type RulesPorts = {
  readonly database: Database
  readonly telling: Telling
  readonly secret: (name: string) => string | undefined
  /** Other rules are in force from now on. */
  readonly onChanged: (rules: Configuration) => Promise<unknown>
}

export async function rulesInForce({ database, telling, secret, onChanged }: RulesPorts): Promise<RulesInForce> {
  const { log, metrics } = telling
  let stored = await loadConfiguration(database.pool)
  let rules = configurationOf(stored.document, stored.version)
  const open = (): ReadonlyMap<SourceId, SourceDoor> =>
    new Map(
      Object.keys(stored.document.sources).flatMap((name) => {
        const source = sourceConfigOf(name, stored.document, secret)
        if ('missing' in source) {
          log.error(
            { source: name },
            `The secret of source "${name}" is missing: set ${source.missing}. Its door stays shut until then.`,
          )
          return []
        }
        const refused = (reason: string) => {
          metrics.refused.inc({ door: 'source' })
          log.warn({ source: name, reason }, 'A message was not authentic.')
        }
        return [[sourceOf(name), doorOf(source.source, refused)] as const]
      }),
    )
  let doors = open()
  const use = async (next: StoredConfiguration): Promise<void> => {
    if (next.version === stored.version) return
    stored = next
    rules = configurationOf(next.document, next.version)
    doors = open()
    await onChanged(rules)
  }
  return {
    stored: () => stored,
    rules: () => rules,
    door: (source) => doors.get(source),
    shopWithUrl: (wanted) => shopWithUrl(stored, wanted),
    async apply(document, author, dryRun) {
      const changes = differences(stored.document, document)
      if (dryRun || changes.length === 0) return { version: stored.version, document, changes }
      const next = await applyConfiguration(database, document, author)
      await use(next)
      return { ...next, changes }
    },
    async refresh() {
      if ((await configurationVersion(database.pool)) !== stored.version)
        await use(await loadConfiguration(database.pool))
    },
  }
}

function shopWithUrl(stored: StoredConfiguration, wanted: string): ShopId | undefined {
  for (const [name, { url }] of Object.entries(stored.document.shops)) {
    const checked = url === undefined ? undefined : checkShopUrl(url, { allowPrivate: true })
    if (checked && 'url' in checked && checked.url === wanted)
      return configurationOf(stored.document, stored.version).shops.get(name as ShopId)?.shop
  }
  return undefined
}
