/** The HTTP contract: schemas from which validation, types and `openapi.json` are made. */
import { Type } from 'typebox'
import { configurationSchema } from '../app/configuration-file.ts'
import { MAX_UNITS } from '../core/ids.ts'
import { InboundLine, LineOffer } from './contract-inbound.ts'

export const Instant = Type.String({ format: 'date-time', description: 'RFC 3339 in UTC' })
export const Units = Type.Integer({ minimum: 0, maximum: MAX_UNITS })
export const Name = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$',
  description: 'a name of letters, digits, -, _ and .',
})
/** No control characters: they reach the ledger, logs and terminals. */
const PLAIN = '^[^\\u0000-\\u001f\\u007f]*$'
const Key = Type.String({ minLength: 1, maxLength: 200, pattern: PLAIN, description: 'a text of 1 to 200 characters' })
const Id = Type.String({ minLength: 1, maxLength: 255, pattern: PLAIN, description: 'a text of 1 to 255 characters' })
const SkuText = Type.String({ minLength: 1, maxLength: 1024, description: 'a SKU of 1 to 255 characters' })
/** What somebody asks for or has ordered. */
const SomeUnits = Type.Integer({ minimum: 1, maximum: MAX_UNITS, description: `whole units from 1 to ${MAX_UNITS}` })

export const ProblemDocument = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({ description: 'Stable: branch on this' }),
    detail: Type.String({ description: 'For whoever reads the log' }),
    messageKey: Type.Optional(Type.String({ description: 'Stable key of the message' })),
    message: Type.Optional(
      Type.String({ description: 'For whoever was refused, in the language of Accept-Language: de or en' }),
    ),
  },
  { additionalProperties: true, description: 'RFC 9457 problem document with a stable code' },
)

export const ShopParams = Type.Object({ shop: Name })
export const WarehouseParams = Type.Object({ warehouse: Name })
export const SourceParams = Type.Object({ source: Name })
export const ReservationParams = Type.Object({ shop: Name, key: Key })
export const SkuParams = Type.Object({ sku: SkuText })

export const HoldBody = Type.Object(
  {
    lines: Type.Array(Type.Object({ sku: SkuText, units: SomeUnits }, { additionalProperties: false }), {
      minItems: 1,
      maxItems: 200,
      description: 'a list of 1 to 200 lines',
    }),
    mode: Type.Optional(Type.Union([Type.Literal('all'), Type.Literal('partial')], { description: 'all or partial' })),
    until: Type.Optional(
      Type.String({ maxLength: 40, description: 'an RFC 3339 time with an offset, as 2026-03-14T15:09:26Z' }),
    ),
  },
  { additionalProperties: false },
)

export const Reservation = Type.Object({
  shop: Type.String(),
  key: Type.String(),
  until: Type.Optional(Instant),
  lines: Type.Array(
    Type.Object({
      sku: Type.String(),
      askedUnits: Units,
      grantedUnits: Units,
      /** `untracked`: no warehouse has said a word about this SKU, so Holdfast has none either. */
      untracked: Type.Boolean(),
      supplies: Type.Array(
        Type.Object({
          kind: Type.String(),
          warehouse: Type.Optional(Type.String()),
          units: Units,
          /** Promised for this day, where the units are not on hand. */
          day: Type.Optional(Type.String()),
        }),
      ),
    }),
  ),
})

export const PlaceBody = Type.Object(
  {
    order: Id,
    orderId: Type.Optional(Id),
    lineIds: Type.Optional(Type.Record(Type.String(), Id, { description: 'line id by SKU' })),
  },
  { additionalProperties: false },
)

export const OrderBody = Type.Object(
  {
    order: Id,
    orderId: Type.Optional(Id),
    state: Type.Optional(
      Type.Union([Type.Literal('open'), Type.Literal('completed'), Type.Literal('cancelled')], {
        description: 'open, completed or cancelled',
      }),
    ),
    lines: Type.Array(Type.Object({ lineId: Id, sku: SkuText, units: SomeUnits }, { additionalProperties: false }), {
      minItems: 0,
      maxItems: 5000,
      description: 'a list of at most 5000 lines',
    }),
  },
  { additionalProperties: false },
)

export const OrderAnswer = Type.Object({
  order: Type.String(),
  fromHoldsUnits: Units,
  unheldUnits: Units,
  shortageUnits: Units,
})

/** A moment in a question. */
const Moment = Type.String({
  maxLength: 40,
  description: 'an RFC 3339 time with an offset, as 2026-03-14T15:09:26Z',
})
export const StockQuery = Type.Object(
  { shop: Type.Optional(Name), at: Type.Optional(Moment) },
  { additionalProperties: false },
)
export const StockListQuery = Type.Object(
  {
    skus: Type.String({ minLength: 1, maxLength: 16_000, description: 'SKUs separated by commas' }),
    shop: Type.Optional(Name),
  },
  { additionalProperties: false },
)

export const Stock = Type.Object({
  sku: Type.String(),
  ledgerVersion: Type.Integer(),
  /** Only of a moment that was asked for: it, the last entry up to it, and the version of the rules in force then. */
  at: Type.Optional(Instant),
  lastEntryAt: Type.Optional(Instant),
  configuration: Type.Optional(Type.Integer()),
  tracked: Type.Boolean(),
  warehouses: Type.Array(
    Type.Object({
      warehouse: Type.String(),
      /** By the source's own semantics, before anything of ours is subtracted. */
      figureUnits: Type.Integer(),
      semantics: Type.String(),
      onHandUnits: Type.Optional(Units),
      blockedUnits: Type.Optional(Units),
      allocatedUnits: Type.Optional(Units),
      incomingUnits: Type.Optional(Units),
      backorderVeto: Type.Optional(Type.Boolean()),
      peggedUnits: Units,
      containedUnits: Units,
      chargedUnits: Units,
      receivedAt: Instant,
      sequence: Type.Optional(Type.Integer()),
      asOf: Type.Optional(Instant),
      waitingRises: Type.Integer(),
      disputed: Type.Boolean(),
    }),
  ),
  inbound: Type.Array(InboundLine),
  shops: Type.Array(
    Type.Object({
      shop: Type.String(),
      availableUnits: Type.Integer(),
      /** What may be sold beyond it, against inbound lines. */
      backOrderableUnits: Units,
      sellableUnits: Units,
      reservedUnits: Units,
      shortageUnits: Units,
      safetyUnits: Units,
      quotaUnits: Type.Optional(Units),
      /** What each inbound line offers to this shop, or why not. */
      lines: Type.Array(LineOffer),
    }),
  ),
})

const page = {
  after: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'the `next` of the page before, a whole number',
    }),
  ),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, description: 'a whole number from 1 to 500' })),
}
export const Page = Type.Object(page, { additionalProperties: false })
export const Month = Type.String({ pattern: '^20[0-9]{2}-(0[1-9]|1[0-2])$', description: 'a month such as 2026-03' })
/** What entries of the ledger are looked for by; all that is given. */
const ledgerFilter = {
  sku: Type.Optional(SkuText),
  actor: Type.Optional(Id),
  cause: Type.Optional(Type.String({ minLength: 1, maxLength: 1024, pattern: PLAIN, description: 'a text' })),
  kind: Type.Optional(Name),
  from: Type.Optional(Moment),
  to: Type.Optional(Moment),
}
export const LedgerQuery = Type.Object(
  {
    after: Type.Optional(
      Type.String({ pattern: '^[0-9]{1,19}(\\.[0-9]{1,15})?$', description: 'the `next` of the page before' }),
    ),
    limit: page.limit,
    ...ledgerFilter,
  },
  { additionalProperties: false },
)
export const LedgerExportQuery = Type.Object(
  {
    format: Type.Optional(
      Type.Union([Type.Literal('ndjson'), Type.Literal('csv')], { description: 'ndjson (if absent) or csv' }),
    ),
    month: Type.Optional(Month),
    ...ledgerFilter,
  },
  { additionalProperties: false },
)
export const IncidentQuery = Type.Object(
  { ...page, closed: Type.Optional(Type.Boolean({ description: 'true or false' })) },
  { additionalProperties: false },
)
export const LetterParams = Type.Object({
  id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'the id of a dead letter' }),
})

export const LedgerPage = Type.Object({
  entries: Type.Array(
    Type.Object({
      stream: Type.String(),
      version: Type.Integer(),
      at: Instant,
      kind: Type.String(),
      actor: Type.String(),
      cause: Type.String(),
      configuration: Type.Integer(),
      body: Type.Unknown(),
      hash: Type.String(),
    }),
  ),
  next: Type.Optional(Type.String({ description: 'Give it as `after` to go on' })),
})

export const MonthParams = Type.Object({ month: Month })
export const ArchiveBody = Type.Object(
  {
    sha256: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'the SHA-256 of the exported month, in hex' }),
  },
  { additionalProperties: false },
)
export const LedgerMonths = Type.Object({
  kept: Type.Array(Type.Object({ month: Type.String(), sealedEntries: Type.Integer() })),
  archived: Type.Array(
    Type.Object({
      month: Type.String(),
      entries: Type.Integer(),
      seals: Type.Integer(),
      sha256: Type.String({ description: 'SHA-256 of the file of the month, in hex' }),
    }),
  ),
})
export const ArchiveProgress = Type.Object({
  month: Type.String(),
  state: Type.Union([Type.Literal('working'), Type.Literal('archived')], {
    description: 'working: ask again with the same body',
  }),
  what: Type.String(),
  entries: Type.Optional(Type.Integer()),
  sha256: Type.Optional(Type.String()),
})

export const IncidentPage = Type.Object({
  incidents: Type.Array(
    Type.Object({
      id: Type.Integer(),
      code: Type.String(),
      openedAt: Instant,
      closedAt: Type.Optional(Instant),
      seen: Type.Integer(),
      shop: Type.Optional(Type.String()),
      sku: Type.Optional(Type.String()),
      orderNumber: Type.Optional(Type.String()),
      units: Type.Optional(Units),
      cause: Type.String(),
    }),
  ),
  next: Type.Optional(Type.Integer()),
})

export const DeadLetterPage = Type.Object({
  deadLetters: Type.Array(
    Type.Object({
      id: Type.Integer(),
      source: Type.String(),
      messageId: Type.String(),
      receivedAt: Instant,
      raw: Type.String(),
      reason: Type.String(),
      field: Type.Optional(Type.String()),
      value: Type.Optional(Type.String()),
    }),
  ),
  next: Type.Optional(Type.Integer()),
})

export const DeliveryReceipt = Type.Object({
  accepted: Type.Integer(),
  repeated: Type.Integer(),
  deadLetters: Type.Array(
    Type.Object({ index: Type.Integer(), id: Type.Integer(), field: Type.String(), reason: Type.String() }),
  ),
  notes: Type.Array(Type.String()),
})

export const ConfigurationAnswer = Type.Object({
  version: Type.Integer(),
  document: configurationSchema,
  changes: Type.Optional(
    Type.Array(
      Type.Object({ path: Type.String(), before: Type.Optional(Type.Unknown()), after: Type.Optional(Type.Unknown()) }),
    ),
  ),
})

export const TokenBody = Type.Object(
  {
    name: Name,
    scope: Type.Union([Type.Literal('read'), Type.Literal('operate'), Type.Literal('admin')], {
      description: 'read, operate or admin',
    }),
  },
  { additionalProperties: false },
)

export const TokenAnswer = Type.Object({
  name: Type.String(),
  scope: Type.String(),
  token: Type.String({ description: 'Shown this once; only its hash is kept' }),
})

export const Released = Type.Object({ releasedUnits: Units })

export const ShopAnswer = Type.Object({
  shop: Type.String(),
  kind: Type.String(),
  state: Type.String(),
  baselineAt: Type.Optional(Instant),
  ordersKnownUntil: Type.Optional(Instant),
  silentFrom: Type.Optional(Instant),
})

export const AppBundle = Type.Object({ appSecret: Type.String(), version: Type.String() })

export const Release = Type.Object({
  shop: Type.String(),
  state: Type.String({ description: 'releasing until every product has its own setting back, then gone' }),
  productsLeft: Type.Integer({ minimum: 0, description: 'products that still have our close-out' }),
})

export const Resync = Type.Object({
  shop: Type.String(),
  state: Type.String({ description: 'running, stopped, done, or never' }),
  begunAt: Type.Optional(Instant),
  endedAt: Type.Optional(Instant),
  comparedSkus: Type.Integer({ minimum: 0 }),
  totalSkus: Type.Integer({ minimum: 0 }),
})

export const Trusted = Type.Object({
  trustedSkus: Type.Integer({ minimum: 0, description: 'SKUs whose newest figure counts again' }),
})

export const Verified = Type.Object({
  problems: Type.Array(Type.String()),
  entries: Type.Integer(),
  archivedEntries: Type.Integer({ description: 'Entries of archived months: only their seals are here' }),
  seals: Type.Integer(),
  unsealedEntries: Type.Integer(),
  snapshots: Type.Integer(),
  skus: Type.Integer(),
  first: Type.Optional(
    Type.Object(
      {
        table: Type.String(),
        key: Type.Record(Type.String(), Type.Unknown()),
        column: Type.Optional(Type.String()),
        stored: Type.Unknown(),
        told: Type.Unknown(),
        lastChangedBy: Type.Optional(
          Type.Object({ stream: Type.String(), version: Type.Integer(), at: Instant, kind: Type.String() }),
        ),
      },
      { description: 'The first place where the tables and the ledger part' },
    ),
  ),
})

export const Live = Type.Object({ live: Type.Boolean() })
export const Ready = Type.Object({ ready: Type.Boolean() })
