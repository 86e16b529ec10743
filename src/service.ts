/** Builds the running service from a checked configuration: the database, the lane, both sides, the doors; and ends it in order. */
import type { Logger } from 'pino'
import type { DemoWish } from './adapters/postgres/demo-schema.ts'
import { createLane } from './adapters/postgres/lane.ts'
import { newestMigration } from './adapters/postgres/migrate.ts'
import { createArchivist } from './adapters/postgres/partitions-archive.ts'
import { insistOn } from './app/insist.ts'
import type { Config } from './config.ts'
import { buildDoors } from './service/doors.ts'
import { keepAdminToken, openFoundation, ownSecret } from './service/foundation.ts'
import { startPulls } from './service/pulls.ts'
import { rulesInForce } from './service/rules.ts'
import { startShops } from './service/shops.ts'
import { tellingOn } from './service/telling.ts'
import { startUpkeep } from './service/upkeep.ts'
import { warehouseSide } from './service/warehouses.ts'

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
  /** Told, once, that a newer version has changed the tables: end this process. */
  readonly onOutdated?: () => void
}

/** Starts everything; returns once the service answers. Throws, in a sentence, whatever keeps it from starting. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { config, log, version, demo = 'never', secret, onOutdated = () => undefined } = options
  const telling = tellingOn(log)
  const foundation = await openFoundation(config, log, demo)
  const { database, databaseUrl, schema, isDemo } = foundation

  const inForce = await rulesInForce({
    database,
    telling,
    secret,
    onChanged: (rules) => Promise.all([shops.onRules(rules), pulls.onRules()]),
  })
  const migration = await newestMigration()
  const lane = createLane({
    database,
    configuration: inForce.rules,
    migration,
    onChanged: () => shops.side.wakePublishers(),
    onByMargin: (units) => telling.metrics.byMargin.inc(units),
    onBug: (cause, command) => telling.bug(cause, `command ${command.kind}`),
  })
  const insist = insistOn(lane, (cause, command) => telling.bug(cause, `${command.kind} after its answer`))
  const warehouses = warehouseSide({ database, lane, inForce, telling })
  const { rules } = inForce
  const { onRecorded } = warehouses
  const shops = await startShops({ database, databaseUrl, schema, lane, rules, onRecorded, telling })
  warehouses.start()
  const { holdsLease } = shops
  const pulls = startPulls({ database, inForce, secret, holdsLease, wake: warehouses.wake, telling })
  const upkeep = startUpkeep({ database, lane, inForce, waiting: lane.waiting, telling, migration, onOutdated })
  const archivist = createArchivist(database)

  const appSecret = (await ownSecret(database, 'app-secret')).toString()
  const basketKey = await ownSecret(database, 'basket-key')
  const { token: adminToken, isNew } = await keepAdminToken(database, config.home)
  let url = ''
  const publicUrl = (): string => config.publicUrl ?? url
  const server = await buildDoors({
    ...{ database, lane, insist, inForce, warehouses, shops, archivist, telling },
    ...{ appSecret, basketKey, publicUrl, isDemo, version },
  })
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
      await Promise.all([warehouses.stop(), pulls.stop(), upkeep.stop(), shops.stop()])
      await lane.stop()
      await shops.close()
      await foundation.close()
    },
  }
}
