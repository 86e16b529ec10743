/** The doors of the service: the four of the Shopware app, and the HTTP server with everything that its routes stand on. */
import { createHmac, randomUUID } from 'node:crypto'
import { keepAnswer, keptAnswer } from '../adapters/postgres/answers.ts'
import { closeIncidentByHand } from '../adapters/postgres/close-incident.ts'
import { type Database, databaseNow } from '../adapters/postgres/database.ts'
import { configurationAt, stateAtMoment } from '../adapters/postgres/history.ts'
import { fileDelivery } from '../adapters/postgres/inbox-store.ts'
import { exportLedger, exportMonth } from '../adapters/postgres/ledger-export.ts'
import { ledgerSearch } from '../adapters/postgres/ledger-search.ts'
import { loadStates } from '../adapters/postgres/load.ts'
import { type createArchivist, ledgerMonths } from '../adapters/postgres/partitions-archive.ts'
import { orderOfReservation } from '../adapters/postgres/placed-query.ts'
import { deadLetterPage, incidentPage, openIncident } from '../adapters/postgres/queries.ts'
import { isNewWebhook } from '../adapters/postgres/registration-store.ts'
import { heldReservation } from '../adapters/postgres/reservation-query.ts'
import { createToken, holderOf } from '../adapters/postgres/token-store.ts'
import { verify } from '../adapters/postgres/verify.ts'
import { shopwareDoors } from '../adapters/shopware/doors.ts'
import { configurationOf } from '../app/configuration-file.ts'
import type { Insist } from '../app/insist.ts'
import type { Lane } from '../app/lane.ts'
import { instantOf } from '../core/ids.ts'
import { Problem } from '../http/problem.ts'
import { buildServer } from '../http/server.ts'
import type { HttpWorld } from '../http/world.ts'
import type { RulesInForce } from './rules.ts'
import { ALLOW_PRIVATE, type Shops } from './shops.ts'
import type { Telling } from './telling.ts'
import type { WarehouseSide } from './warehouses.ts'

export type DoorPorts = {
  readonly database: Database
  readonly lane: Lane
  readonly insist: Insist
  readonly inForce: RulesInForce
  readonly warehouses: WarehouseSide
  readonly shops: Shops
  readonly archivist: ReturnType<typeof createArchivist>
  readonly telling: Telling
  /** Secret of the app, which the manifest carries. */
  readonly appSecret: string
  /** Key under which a cart's token becomes a basket's name. */
  readonly basketKey: Buffer
  /** Where shops and warehouses reach us. */
  readonly publicUrl: () => string
  readonly isDemo: boolean
  readonly version: string
}

/** Builds the server with every door; nobody can come in before it listens. */
export const buildDoors = (ports: DoorPorts) => buildServer(httpWorld(ports), ports.version)

function httpWorld(ports: DoorPorts): HttpWorld {
  const { database, lane, inForce, warehouses, shops, archivist, telling, appSecret, isDemo, version } = ports
  const { pool } = database
  return {
    lane,
    rules: inForce.rules,
    now: () => databaseNow(pool),
    states: (skus) => loadStates(pool, skus),
    reservation: (shop, reservation) => heldReservation(pool, shop, reservation),
    placed: (shop, reservation) => orderOfReservation(pool, shop, reservation),
    onRecorded: warehouses.onRecorded,
    receive: warehouses.receive,
    mayReceive: warehouses.mayReceive,
    replay: warehouses.replay,
    trust: warehouses.trust,
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
    closeIncident: (id, author) =>
      closeIncidentByHand(database, { id, author, configuration: inForce.rules().version }),
    deadLetters: (page) => deadLetterPage(pool, page),
    configuration: async () => inForce.stored(),
    async configure(document, author, dryRun) {
      if (isDemo && inForce.stored().version > 0) throw new Problem('DEMO_IS_PLAYING')
      return await inForce.apply(document, author, dryRun)
    },
    shops: shops.shops,
    retire: shops.retire,
    release: shops.release,
    invite: shops.invite,
    resync: shops.resync,
    holderOf: (token) => holderOf(pool, token),
    createToken: (name, scope) => createToken(pool, name, scope),
    keptAnswer: (scope, key) => keptAnswer(pool, scope, key),
    keepAnswer: (scope, key, answer) => keepAnswer(pool, scope, key, answer),
    verify: (onProgress) => verify(database, onProgress),
    shopware: appDoors(ports),
    appBundle: { appSecret, version },
    isReady: () =>
      pool.query('select 1').then(
        () => true,
        () => false,
      ),
    metrics: () => telling.metrics.registry.metrics(),
    onBug: telling.bug,
  }
}

function appDoors(ports: DoorPorts): HttpWorld['shopware'] {
  const { database, lane, insist, inForce, shops, telling, appSecret, basketKey, publicUrl } = ports
  const { pool } = database
  const { side, registrations } = shops
  const { metrics, trouble } = telling
  return shopwareDoors({
    handshake: () => ({
      store: registrations,
      appSecret,
      confirmationUrl: `${publicUrl()}/shopware/confirmation`,
      policy: { allowPrivate: ALLOW_PRIVATE },
      shopWithUrl: inForce.shopWithUrl,
      needsInvitation: (shop) => inForce.rules().shops.get(shop)?.admission === 'invited',
    }),
    now: () => instantOf(Date.now()),
    checkout: {
      lane,
      rules: inForce.rules,
      status: side.status,
      lastShown: side.lastShown,
      now: () => databaseNow(pool),
      afterAnswer: insist.submit,
      states: (skus) => loadStates(pool, skus),
      onCall: side.onCall,
    },
    basketOf: (cartToken) => createHmac('sha256', basketKey).update(cartToken).digest(),
    digest: (text) => createHmac('sha256', basketKey).update(text).digest('hex'),
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
}
