/** What the routes stand on; `main.ts` fills it. A route translates, and holds no rule. */

import type { KeptAnswer } from '../adapters/postgres/answers.ts'
import type { Past } from '../adapters/postgres/history.ts'
import type { LedgerFilter, LedgerPlace } from '../adapters/postgres/ledger-search.ts'
import type { ArchiveStep, LedgerMonths } from '../adapters/postgres/partitions-archive.ts'
import type { DeadLetterRow, IncidentRow, LedgerRow } from '../adapters/postgres/queries.ts'
import type { Scope, TokenHolder } from '../adapters/postgres/token-store.ts'
import type { Verdict } from '../adapters/postgres/verify.ts'
import type { ConfigurationDocument, Difference } from '../app/configuration-file.ts'
import type { Lane } from '../app/lane.ts'
import type { Receipt, Refused } from '../app/receive.ts'
import type { ShopStatus } from '../app/shop-ports.ts'
import type { Configuration } from '../core/configuration.ts'
import type { Instant, ShopId, Sku, SourceId, WarehouseId } from '../core/ids.ts'
import type { SkuState } from '../core/stock.ts'

export type { LedgerFilter, LedgerPlace }

export type RawHeaders = Readonly<Record<string, string | undefined>>

/** An answer that goes out byte for byte as it is: its signature covers it. */
export type RawAnswer = {
  readonly httpCode: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export type HeldReservation = {
  readonly until?: string
  readonly lines: readonly {
    readonly sku: string
    readonly askedUnits: number
    readonly grantedUnits: number
    readonly untracked: boolean
    readonly supplies: readonly {
      readonly kind: string
      readonly warehouse?: string
      readonly units: number
      readonly day?: string
    }[]
  }[]
}

export type ResyncWish = 'begin' | 'stop' | 'look'
export type ResyncProgress = {
  readonly state: 'running' | 'stopped' | 'done' | 'never'
  readonly begunAt?: string
  readonly endedAt?: string
  readonly comparedSkus: number
  readonly totalSkus: number
}

export type HttpWorld = {
  readonly lane: Lane
  readonly rules: () => Configuration
  readonly now: () => Promise<Instant>
  readonly states: (skus: readonly Sku[]) => Promise<readonly SkuState[]>
  /** The live holds of a reservation, as they stand now. */
  readonly reservation: (shop: ShopId, reservation: string) => Promise<HeldReservation | undefined>
  /** The order that took a reservation, and its units. */
  readonly placed: (
    shop: ShopId,
    reservation: string,
  ) => Promise<{ readonly order: string; readonly units: number } | undefined>
  /** Told after orders were recorded: words of a warehouse may wait for them. */
  readonly onRecorded: (orderNumbers: readonly string[]) => Promise<unknown>
  /** Whether a delivery's headers leave it possible that it is authentic: else its body is not even read. */
  readonly mayReceive: (source: SourceId, headers: RawHeaders) => boolean
  readonly receive: (
    source: SourceId,
    delivery: { headers: RawHeaders; raw: Buffer },
  ) => Promise<{ readonly refused: Refused } | { readonly receipt: Receipt }>
  /** Sends a dead letter through the door again, as if it had just come. */
  readonly replay: (id: number) => Promise<Receipt | 'unknown' | 'not-open'>
  /** Entries that fit a filter, behind a place of the filter's own order. */
  readonly ledger: (
    filter: LedgerFilter,
    page: { after: LedgerPlace | undefined; limit: number },
  ) => Promise<readonly LedgerRow[]>
  /** The same as lines, however many; or one month, whole, as it is archived. */
  readonly ledgerLines: (
    filter: LedgerFilter | { readonly month: string },
    format: 'ndjson' | 'csv',
  ) => AsyncIterable<string>
  readonly ledgerMonths: () => Promise<LedgerMonths>
  /** Archives a month whose export somebody has, by its hash. May take long: ask again. */
  readonly archiveMonth: (month: string, sha256: string, author: string) => Promise<ArchiveStep>
  /** What was known about a SKU at a moment, and the rules in force then. */
  readonly past: (sku: Sku, moment: Instant) => Promise<{ readonly past: Past; readonly rules: Configuration }>
  readonly incidents: (page: { before: number; limit: number; closedToo: boolean }) => Promise<readonly IncidentRow[]>
  /** Closes an incident by hand. */
  readonly closeIncident: (id: number, author: string) => Promise<{ readonly code: string } | 'unknown' | 'closed'>
  readonly deadLetters: (page: { after: number; limit: number }) => Promise<readonly DeadLetterRow[]>
  readonly configuration: () => Promise<{ readonly version: number; readonly document: ConfigurationDocument }>
  readonly configure: (
    document: ConfigurationDocument,
    author: string,
    dryRun: boolean,
  ) => Promise<{
    readonly version: number
    readonly document: ConfigurationDocument
    readonly changes: readonly Difference[]
  }>
  readonly shops: () => readonly ShopStatus[]
  readonly retire: (shop: ShopId, author: string) => Promise<void>
  /** Begins to leave a shop, or tells how far it has come. */
  readonly release: (shop: ShopId, author: string) => Promise<{ readonly state: string; readonly productsLeft: number }>
  /** Lets a shop register without proof, until the moment that is answered. */
  readonly invite: (shop: ShopId, author: string) => Promise<Instant>
  /** Begins a full comparison of a shop or goes on with it, stops it, or tells how far it has come. */
  readonly resync: (shop: ShopId, wish: ResyncWish) => Promise<ResyncProgress>
  /** Believes a restarted warehouse again. Returns for how many SKUs. */
  readonly trust: (warehouse: WarehouseId, author: string) => Promise<number>
  readonly holderOf: (token: string) => Promise<TokenHolder | undefined>
  readonly createToken: (name: string, scope: Scope) => Promise<string>
  readonly keptAnswer: (scope: string, key: string) => Promise<KeptAnswer | undefined>
  readonly keepAnswer: (scope: string, key: string, answer: KeptAnswer) => Promise<unknown>
  readonly verify: (onProgress?: (text: string) => void) => Promise<Verdict>
  readonly shopware: {
    registration(rawQuery: string, headers: RawHeaders): Promise<RawAnswer>
    confirmation(raw: Buffer, headers: RawHeaders): Promise<RawAnswer>
    gateway(raw: Buffer, headers: RawHeaders): Promise<RawAnswer>
    webhook(raw: Buffer, headers: RawHeaders): Promise<RawAnswer>
  }
  /** What `shopware-app build` writes into the manifest. The secret proves registrations. */
  readonly appBundle: { readonly appSecret: string; readonly version: string }
  /** Whether the database answers and the service has started: not ready means send nobody here. */
  readonly isReady: () => Promise<boolean>
  readonly metrics: () => Promise<string>
  readonly onBug: (cause: unknown, where: string) => void
}
