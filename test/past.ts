/** Decisions of another day: the real lane, by a clock that the test sets. For tests of what is old. */
import pg from 'pg'
import type { Connections, Database } from '../src/adapters/postgres/database.ts'
import { createLane } from '../src/adapters/postgres/lane.ts'
import type { Configuration } from '../src/core/configuration.ts'
import type { Command } from '../src/core/decide.ts'
import { type Instant, instantOf } from '../src/core/ids.ts'
import { origin, rules } from './postgres-world.ts'

/** Decides commands, in their order, as if it were `moment`. Makes the month's partition first. */
export async function decideAt(
  database: Database,
  moment: string,
  commands: readonly Command[],
  by: Configuration = rules,
): Promise<void> {
  const now = instantOf(Date.parse(moment))
  await database.pool.query('select ledger_partition($1::date)', [moment.slice(0, 10)])
  const lane = createLane({ database: { reserved: atMoment(database, now) }, configuration: () => by })
  await Promise.all(commands.map((command) => lane.submit(command, origin)))
  await lane.stop()
}

const atMoment = ({ reserved }: Database, now: Instant): Connections => ({
  pool: reserved.pool,
  transaction: (work) => reserved.transaction((client, leave) => work(withClock(client, now), leave)),
})

/** A batch asks the database's clock as `now`: the answer is another one. */
const withClock = (client: pg.PoolClient, now: Instant): pg.PoolClient =>
  new Proxy(client, {
    get(target, name) {
      if (name !== 'query') return Reflect.get(target, name)
      return async (...asked: unknown[]) => {
        // A COPY answers through a call-back of its own, and no row.
        if (asked[0] instanceof pg.Query) return Reflect.apply(target.query, target, asked)
        const result = await Reflect.apply(target.query, target, asked)
        return { ...result, rows: result.rows.map((row: object) => ('now' in row ? { ...row, now } : row)) }
      }
    },
  })
