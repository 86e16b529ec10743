/** Builds the running service from a checked configuration: the database, the lane, both sides, the doors; and ends it in order. */
import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { releaseClaims } from './adapters/postgres/claims.ts'
import {
  applyConfiguration,
  configurationVersion,
  loadConfiguration,
  type StoredConfiguration,
} from './adapters/postgres/configuration-store.ts'
import { type Database, databaseNow, openDatabase } from './adapters/postgres/database.ts'
import { chooseSchema, type DemoWish } from './adapters/postgres/demo-schema.ts'
import { startEmbeddedPostgres } from './adapters/postgres/embedded.ts'
import { configurationAt, stateAtMoment } from './adapters/postgres/history.ts'
import { type SnapshotRound, takeSnapshots } from './adapters/postgres/history-snapshots.ts'
import { fileDelivery, inboxOn, wakeParked } from './adapters/postgres/inbox-store.ts'
import { createLane } from './adapters/postgres/lane.ts'
import { openLeases } from './adapters/postgres/lease.ts'
import { appendEntry } from './adapters/postgres/ledger.ts'
import { exportLedger, exportMonth } from './adapters/postgres/ledger-export.ts'
import { ledgerSearch } from './adapters/postgres/ledger-search.ts'
import { loadStates } from './adapters/postgres/load.ts'
import { tellLongOpen } from './adapters/postgres/long-open.ts'
import { migrate } from './adapters/postgres/migrate.ts'
import { createArchivist, ledgerMonths } from './adapters/postgres/partitions-archive.ts'
import { orderOfReservation } from './adapters/postgres/placed-query.ts'
import { publicationBookOn } from './adapters/postgres/publication-store.ts'
import {
  closeIncident,
  deadLetterPage,
  disputedSkus,
  incidentPage,
  keepAnswer,
  keptAnswer,
  openIncident,
} from './adapters/postgres/queries.ts'
import { isNewWebhook, registrationsOn, tokensOn } from './adapters/postgres/registration-store.ts'
import { deadLettersOn } from './adapters/postgres/replay.ts'
import { heldReservation } from './adapters/postgres/reservation-query.ts'
import { sealBlock } from './adapters/postgres/seal.ts'
import { shopBookOn } from './adapters/postgres/shop-store.ts'
import { sweep } from './adapters/postgres/sweep.ts'
import { createToken, holderOf, keepToken } from './adapters/postgres/token-store.ts'
import { verify } from './adapters/postgres/verify.ts'
import { shopwareDoors } from './adapters/shopware/doors.ts'
import { shopwareId } from './adapters/shopware/pick.ts'
import { connectShop } from './adapters/shopware/shop.ts'
import { checkShopUrl } from './adapters/shopware/shop-url.ts'
import { doorOf } from './adapters/wms/door.ts'
import { sourceConfigOf } from './adapters/wms/source-config.ts'
import { configurationOf, differences } from './app/configuration-file.ts'
import { insistOn } from './app/insist.ts'
import { startLoop } from './app/loop.ts'
import { applyPending, type ReceivePorts, receiveDelivery, replayDeadLetter, type SourceDoor } from './app/receive.ts'
import { startShopSide } from './app/shop-side.ts'
import type { Config } from './config.ts'
import type { Configuration } from './core/configuration.ts'
import { instantOf, type ShopId, type SourceId, skuOf, sourceOf } from './core/ids.ts'
import { Failure } from './errors.ts'
import { Problem } from './http/problem.ts'
import { buildServer } from './http/server.ts'
import { createMetrics } from './metrics.ts'

export type Service = {
  readonly url: string
  readonly adminToken: string
  /** Whether the admin token was made by this start: then it is shown, once. */
  readonly isFirstStart: boolean
  /** The service runs in the schema of a demo, which the next start drops. */
  readonly isDemo: boolean
  readonly schema: string
  /** Secret of the app, which the manifest carries. */
  readonly appSecret: string
  stop(): Promise<void>
}

export type ServiceOptions = {
  readonly config: Config
  readonly log: Logger
  readonly version: string
  /** Whether to run in the schema of a demo; never if absent. */
  readonly demo?: DemoWish
  /** A value of the environment: secrets are named in the configuration, never written there. */
  readonly secret: (name: string) => string | undefined
}

const APPLY_EVERY_MS = 500
const SEAL_EVERY_MS = 2_000
const REMEMBER_EVERY_MS = 5_000
const CONFIGURATION_EVERY_MS = 1_000
const BURY_EVERY_MS = 60_000
/** SKUs that are believed again at once. */
const TRUST_AT_ONCE = 1_000
const SWEEP_EVERY_MS = 60 * 60_000

/** Starts everything; returns once the service answers. Throws, in a sentence, whatever keeps it from starting. */
export async function startService({ config, log, version, demo = 'never', secret }: ServiceOptions): Promise<Service> {
  const metrics = createMetrics()
  const embedded =
    config.databaseUrl === undefined
      ? await startEmbeddedPostgres({ home: config.home, log: (text) => log.info(text) })
      : undefined
  const databaseUrl = config.databaseUrl ?? embedded?.url ?? ''
  const { schema, isDemo } = await chooseSchema(databaseUrl, config.schema, demo).catch(async (cause: unknown) => {
    await embedded?.stop()
    throw away(cause)
  })
  const database = openDatabase({
    url: databaseUrl,
    schema,
    connections: 20,
    onBroken: (cause) =>
      log.warn({ cause: cause.message }, 'A database connection broke; it is opened again when needed.'),
  })
  const { pool } = database
  try {
    await refuseUnsafeDatabase(database)
    await migrate(pool, schema)
  } catch (cause) {
    await database.close()
    await embedded?.stop()
    throw cause
  }
  const trouble = (cause: unknown, loop: string): void => {
    metrics.troubles.inc({ loop: loop.split(':')[0] ?? loop })
    log.warn({ loop, cause: textOf(cause) }, 'A round failed and is tried again.')
  }
  const bug = (cause: unknown, where: string): void => {
    metrics.bugs.inc()
    log.error(
      { where, cause: cause instanceof Error ? cause.stack : String(cause) },
      'An invariant broke. The unit of work left no trace.',
    )
  }

  // ── rules ──
  let stored: StoredConfiguration = await loadConfiguration(pool)
  let rules: Configuration = configurationOf(stored.document, stored.version)
  let doors = new Map<SourceId, SourceDoor>()
  const openDoors = (): void => {
    doors = new Map(
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
  }
  openDoors()

  // ── lane, receive, shops ──
  const lane = createLane({
    database,
    configuration: () => rules,
    onChanged: () => side.wakePublishers(),
    onByMargin: (units) => metrics.byMargin.inc(units),
    onBug: (cause, command) => bug(cause, `command ${command.kind}`),
  })
  const insist = insistOn(lane, (cause, command) => bug(cause, `${command.kind} after its answer`))
  const receivePorts: ReceivePorts = {
    inbox: inboxOn(database),
    lane,
    doors: (source) => doors.get(source),
    newId: () => `made-${randomUUID()}`,
    onTrouble: (cause, messageId) => bug(cause, `message ${messageId}`),
    wake: () => {
      applying.wake()
      applyingBulk.wake()
    },
  }
  const registrations = registrationsOn(database)
  const tokens = tokensOn(database)
  const leases = openLeases(databaseUrl, schema)
  const book = shopBookOn(database)
  const publications = publicationBookOn(database)
  const onRecorded = async (orderNumbers: readonly string[]): Promise<void> => {
    const { rowCount } = await wakeParked(pool, orderNumbers)
    if (rowCount) receivePorts.wake()
  }
  const allowPrivate = true
  const side = await startShopSide({
    book,
    publications,
    lane,
    rules: () => rules,
    states: (skus) => loadStates(pool, skus),
    async connection(shop) {
      const live = (await registrations.liveOf(shop))?.live
      return live && connectShop({ url: live.url, ...live.credentials, tokens, allowPrivate })
    },
    holdsLease: (shop) => leases.holds(shop),
    enter: (whenAlone) =>
      leases.enter(async () => {
        await releaseClaims(pool)
        await whenAlone()
      }),
    mayHave: (orderId) => shopwareId(orderId) !== undefined,
    onRecorded,
    onTrouble: trouble,
    onIncident: (incident) => openIncident(pool, incident),
    onSettled: (code, key) => closeIncident(pool, code, key),
    processId: randomUUID(),
  })
  const applying = startLoop({
    name: 'apply',
    everyMs: APPLY_EVERY_MS,
    onTrouble: trouble,
    round: async () => (await applyPending(receivePorts)) > 0,
  })
  // Snapshots have a loop of their own: a change that comes behind them must not wait for them.
  const applyingBulk = startLoop({
    name: 'apply-bulk',
    everyMs: APPLY_EVERY_MS,
    onTrouble: trouble,
    round: async () => (await applyPending(receivePorts, 'bulk')) > 0,
  })
  const burying = startLoop({
    name: 'bury',
    everyMs: BURY_EVERY_MS,
    onTrouble: trouble,
    round: async () => {
      await receivePorts.inbox.bury()
      return false
    },
  })
  const sweeping = startLoop({
    name: 'sweep',
    everyMs: SWEEP_EVERY_MS,
    onTrouble: trouble,
    round: async () => {
      await tellLongOpen(pool)
      return await sweep(pool)
    },
  })
  const sealing = startLoop({
    name: 'seal',
    everyMs: SEAL_EVERY_MS,
    onTrouble: trouble,
    round: async () => (await sealBlock(database)) > 0,
  })
  let snapshots: SnapshotRound | undefined
  const remembering = startLoop({
    name: 'remember',
    everyMs: REMEMBER_EVERY_MS,
    onTrouble: trouble,
    round: async () => {
      snapshots = await takeSnapshots(database, snapshots?.place)
      return snapshots.more
    },
  })
  const archivist = createArchivist(database)

  // ── rules again: every process notices a change within a second ──
  const useConfiguration = async (next: StoredConfiguration): Promise<void> => {
    if (next.version === stored.version) return
    stored = next
    rules = configurationOf(next.document, next.version)
    openDoors()
    await publications.markAll(
      [...rules.shops.values()].filter(({ kind }) => kind === 'shopware').map(({ shop }) => shop),
    )
    side.wakePublishers()
  }
  const noticing = startLoop({
    name: 'configuration',
    everyMs: CONFIGURATION_EVERY_MS,
    onTrouble: trouble,
    round: async () => {
      metrics.waiting.set(lane.waiting())
      if ((await configurationVersion(pool)) !== stored.version) await useConfiguration(await loadConfiguration(pool))
      return false
    },
  })

  // ── doors ──
  const appSecret = (await ownSecret(database, 'app-secret')).toString()
  const basketKey = await ownSecret(database, 'basket-key')
  const { token: adminToken, isNew } = await keepAdminToken(database, config.home)
  const receive = async (source: SourceId, delivery: Parameters<typeof receiveDelivery>[2]) => {
    const result = await receiveDelivery(receivePorts, source, delivery)
    if ('receipt' in result) {
      metrics.messages.inc({ source, outcome: 'accepted' }, result.receipt.accepted)
      metrics.messages.inc({ source, outcome: 'repeated' }, result.receipt.repeated)
      metrics.messages.inc({ source, outcome: 'dead-letter' }, result.receipt.deadLetters.length)
    }
    return result
  }
  let url = ''
  const shopware = shopwareDoors({
    handshake: () => ({
      store: registrations,
      appSecret,
      confirmationUrl: `${config.publicUrl ?? url}/shopware/confirmation`,
      policy: { allowPrivate },
      shopWithUrl: (wanted) => shopWithUrl(stored, wanted),
    }),
    now: () => instantOf(Date.now()),
    checkout: {
      lane,
      rules: () => rules,
      status: side.status,
      lastShown: side.lastShown,
      afterAnswer: insist.submit,
      states: (skus) => loadStates(pool, skus),
      onCall: side.onCall,
    },
    basketOf: (cartToken) => createHmac('sha256', basketKey).update(cartToken).digest(),
    isNewWebhook: (shopwareShopId, eventId) => isNewWebhook(database, shopwareShopId, eventId),
    onConnected: side.onRegistered,
    onAway: side.onAway,
    onOrders: side.wakeReader,
    onProducts: side.lookAtProducts,
    async onUnusable(shop, raw, reason) {
      await fileDelivery(database, `shop:${shop}`, [], [{ messageId: `made-${randomUUID()}`, raw, reason }])
    },
    onIncident: (incident) => openIncident(pool, incident),
    onUnauthentic: (door) => metrics.refused.inc({ door }),
    onAnswered(shop, outcome, seconds) {
      metrics.checkouts.inc({ shop, outcome })
      metrics.checkoutSeconds.observe(seconds)
    },
    onTrouble: trouble,
  })
  const server = await buildServer(
    {
      lane,
      rules: () => rules,
      now: () => databaseNow(pool),
      states: (skus) => loadStates(pool, skus),
      reservation: (shop, reservation) => heldReservation(pool, shop, reservation),
      placed: (shop, reservation) => orderOfReservation(pool, shop, reservation),
      onRecorded,
      receive,
      mayReceive: (source, headers) => doors.get(source)?.mayBeAuthentic(headers) ?? false,
      replay: (id) => replayDeadLetter(receivePorts, deadLettersOn(database), id),
      ledger: (filter, page) => ledgerSearch(pool, filter, page),
      ledgerLines: (asked, format) =>
        'month' in asked ? exportMonth(pool, asked.month) : exportLedger(database, asked, format),
      ledgerMonths: () => ledgerMonths(pool),
      archiveMonth: archivist.archive,
      async past(sku, moment) {
        const { document, version } = await configurationAt(pool, moment)
        return { past: await stateAtMoment(pool, sku, moment), rules: configurationOf(document, version) }
      },
      incidents: (page) => incidentPage(pool, page),
      deadLetters: (page) => deadLetterPage(pool, page),
      configuration: async () => stored,
      async configure(document, author, dryRun) {
        if (isDemo && stored.version > 0) throw new Problem('DEMO_IS_PLAYING')
        const changes = differences(stored.document, document)
        if (dryRun || changes.length === 0) return { version: stored.version, document, changes }
        const next = await applyConfiguration(database, document, author)
        await useConfiguration(next)
        return { ...next, changes }
      },
      shops: () => [...rules.shops.keys()].flatMap((shop) => side.status(shop) ?? []),
      async retire(shop, author) {
        // One that was taken out of the rules is the likeliest of all: nobody reads it any more, so nothing else ends its holds.
        if (!rules.shops.has(shop) && !side.status(shop)) throw new Problem('SHOP_UNKNOWN')
        await side.onAway(shop, 'gone')
        await book.setState(shop, 'retired')
        const now = await databaseNow(pool)
        await database.transaction((client) =>
          appendEntry(client, {
            stream: `shop:${shop}`,
            kind: 'retired',
            actor: author,
            cause: 'decree',
            configuration: rules.version,
            body: { watermark: new Date(now).toISOString() },
          }),
        )
        await book.moveWatermark(shop, { known: [], shopClock: undefined }, now)
      },
      async release(shop, author) {
        if (!rules.shops.has(shop) && !side.status(shop)) throw new Problem('SHOP_UNKNOWN')
        const state = side.status(shop)?.state
        if (state === 'registered' || state === 'connected' || state === 'inactive') {
          await side.onAway(shop, 'releasing')
          await database.transaction((client) =>
            appendEntry(client, {
              stream: `shop:${shop}`,
              kind: 'release-begun',
              actor: author,
              cause: 'decree',
              configuration: rules.version,
              body: {},
            }),
          )
        }
        return {
          state: side.status(shop)?.state ?? 'awaited',
          productsLeft: await publications.leftToGiveBack(shop),
        }
      },
      async trust(warehouse, author) {
        const origin = { actor: author, cause: `trust:${warehouse}` }
        let trusted = 0
        for (;;) {
          const skus = await disputedSkus(pool, warehouse, TRUST_AT_ONCE)
          await Promise.all(
            skus.map((sku) => lane.submit({ kind: 'trust', sku: skuOf(sku), warehouse }, origin, 'bulk')),
          )
          trusted += skus.length
          if (skus.length < TRUST_AT_ONCE) break
        }
        await closeIncident(pool, 'RESTART_SUSPECTED', warehouse)
        return trusted
      },
      holderOf: (token) => holderOf(pool, token),
      createToken: (name, scope) => createToken(pool, name, scope),
      keptAnswer: (scope, key) => keptAnswer(pool, scope, key),
      keepAnswer: (scope, key, answer) => keepAnswer(pool, scope, key, answer),
      verify: (onProgress) => verify(database, onProgress),
      shopware,
      appBundle: { appSecret, version },
      isReady: () =>
        pool.query('select 1').then(
          () => true,
          () => false,
        ),
      metrics: () => metrics.registry.metrics(),
      onBug: bug,
    },
    version,
  )
  url = await server.listen({ host: config.host, port: config.port })

  return {
    url,
    adminToken,
    isFirstStart: isNew,
    isDemo,
    schema,
    appSecret,
    async stop() {
      // Doors first, then who acts on its own, then the lane, then what all of them stand on.
      await Promise.all([archivist.stop(), server.close()])
      insist.stop()
      await Promise.all([
        applying.stop(),
        applyingBulk.stop(),
        burying.stop(),
        sweeping.stop(),
        sealing.stop(),
        remembering.stop(),
        noticing.stop(),
        side.stop(),
      ])
      await lane.stop()
      await leases.close()
      await database.close()
      await embedded?.stop()
    },
  }
}

const textOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

function shopWithUrl(stored: StoredConfiguration, wanted: string): ShopId | undefined {
  for (const [name, { url }] of Object.entries(stored.document.shops)) {
    const checked = url === undefined ? undefined : checkShopUrl(url, { allowPrivate: true })
    if (checked && 'url' in checked && checked.url === wanted)
      return configurationOf(stored.document, stored.version).shops.get(name as ShopId)?.shop
  }
  return undefined
}

const away = (cause: unknown): Failure =>
  new Failure('DATABASE_UNREACHABLE', `PostgreSQL does not answer (${textOf(cause)}). Check DATABASE_URL.`, {
    retry: 'later',
    cause,
  })

/** A database that can lose what it acknowledged, or that only copies another one, is refused before anything is promised on it. */
async function refuseUnsafeDatabase({ pool }: Database): Promise<void> {
  const { rows } = await pool
    .query<{ version: string; fsync: string; full_page_writes: string; synchronous_commit: string; replica: boolean }>(
      `select current_setting('server_version_num') as version,
              current_setting('fsync') as fsync,
              current_setting('full_page_writes') as full_page_writes,
              current_setting('synchronous_commit') as synchronous_commit,
              pg_is_in_recovery() as replica`,
    )
    .catch((cause: unknown) => {
      throw away(cause)
    })
  const [row] = rows
  if (!row) return
  if (Number(row.version) < 150_000) throw new Error('DATABASE_UNSAFE: PostgreSQL 15 or newer is needed.')
  if (row.replica) throw new Error('DATABASE_UNSAFE: this PostgreSQL is a replica. Give the primary in DATABASE_URL.')
  for (const setting of ['fsync', 'full_page_writes', 'synchronous_commit'] as const) {
    if (row[setting] === 'off') {
      throw new Error(
        `DATABASE_UNSAFE: ${setting} is off, so PostgreSQL may lose what Holdfast has acknowledged. Switch it on.`,
      )
    }
  }
}

/** A key that Holdfast made for itself, the same in every process of this database. */
async function ownSecret({ pool }: Database, name: string): Promise<Buffer> {
  await pool.query('insert into secret (name, value) values ($1, $2) on conflict do nothing', [
    name,
    Buffer.from(randomBytes(32).toString('hex')),
  ])
  const { rows } = await pool.query<{ value: Buffer }>('select value from secret where name = $1', [name])
  const [row] = rows
  if (!row) throw new Error(`The secret ${name} cannot be read`)
  return row.value
}

/** The admin token lies in the home folder, readable by its owner alone; the database keeps its hash. */
async function keepAdminToken(
  database: Database,
  home: string,
): Promise<{ readonly token: string; readonly isNew: boolean }> {
  const path = join(home, 'admin-token')
  if (existsSync(path)) {
    const token = readFileSync(path, 'utf8').trim()
    await keepToken(database.pool, token, 'admin', 'admin')
    return { token, isNew: false }
  }
  mkdirSync(home, { recursive: true })
  const token = await createToken(database.pool, 'admin', 'admin')
  writeFileSync(path, `${token}\n`, { mode: 0o600 })
  return { token, isNew: true }
}
