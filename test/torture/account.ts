/** After a blow: what the clients know held against what is there, number by number. */
import { verify } from '../../src/adapters/postgres/verify.ts'
import type { Book } from './book.ts'
import type { House, Tortured } from './house.ts'

/** What is asked: the processes, and the database behind them. */
export type Asked = Pick<House, 'database' | 'token'> & {
  readonly holdfasts: readonly Pick<Tortured, 'name' | 'url' | 'running'>[]
}

/** The inbox is worked off in seconds; a message that stays longer is stuck. */
const APPLIED_WITHIN_MS = 60_000
const MAX_TOLD = 20

/** Everything that is wrong, in sentences; empty when nothing was lost and nothing is there twice. */
export async function account(house: Asked, book: Book): Promise<readonly string[]> {
  const wrong = [...book.wrong.splice(0), ...endedByThemselves(house)]
  wrong.push(...(await untilApplied(house)))
  wrong.push(...(await messages(house, book)))
  wrong.push(...(await baskets(house, book)))
  wrong.push(...(await orders(house, book)))
  wrong.push(...(await numbers(house, book)))
  wrong.push(...(await bugs(house)))
  wrong.push(...(await verify(house.database)).problems.map((problem) => `verify: ${problem}`))
  return wrong.slice(0, MAX_TOLD)
}

/** Whatever happens around it, a process lives until it is killed. */
const endedByThemselves = ({ holdfasts }: Asked): readonly string[] =>
  holdfasts.flatMap(({ name, running }) => {
    const { exitCode, signalCode } = running()?.process ?? { exitCode: null, signalCode: null }
    return exitCode === null && signalCode === null ? [] : [`${name} ended by itself: ${signalCode ?? exitCode}`]
  })

async function untilApplied({ database }: Asked): Promise<readonly string[]> {
  for (const giveUpAt = performance.now() + APPLIED_WITHIN_MS; ; ) {
    const { rows } = await database.pool.query<{ left: number }>(
      `select count(*) as left from inbox where state not in ('done')`,
    )
    const left = rows[0]?.left ?? 0
    if (left === 0) return []
    if (performance.now() > giveUpAt) return [`${left} messages of the inbox are not applied`]
    await new Promise((wake) => setTimeout(wake, 50))
  }
}

async function messages({ database }: Asked, book: Book): Promise<readonly string[]> {
  const { rows } = await database.pool.query<{ id: string; times: number }>(
    `select message_id as id, count(*) as times
     from (select message_id from inbox union all select message_id from dead_letter) as kept
     group by message_id`,
  )
  const kept = new Map(rows.map(({ id, times }) => [id, times]))
  return [...book.messages].flatMap((id) => {
    const times = kept.get(id) ?? 0
    return times === 1 ? [] : [`message ${id}: acknowledged, and there ${times} times`]
  })
}

type Units = { readonly name: string; readonly sku: string; readonly units: number }

/** Sums of units by name and SKU, as one text each. */
const asText = (rows: readonly Units[]): ReadonlyMap<string, string> => {
  const names = new Map<string, string[]>()
  for (const { name, sku, units } of rows) names.set(name, [...(names.get(name) ?? []), `${sku}×${units}`])
  return new Map([...names].map(([name, parts]) => [name, parts.sort().join(' ')]))
}

const compared = (what: string, known: ReadonlyMap<string, string>, there: ReadonlyMap<string, string>) =>
  [...new Set([...known.keys(), ...there.keys()])].flatMap((name) => {
    const [should, is] = [known.get(name) ?? 'nothing', there.get(name) ?? 'nothing']
    return should === is ? [] : [`${what} ${name}: answered ${should}, and there is ${is}`]
  })

async function baskets({ database }: Asked, book: Book): Promise<readonly string[]> {
  const { rows } = await database.pool.query<Units>(
    `select substr(reservation, length('api:till:') + 1) as name, sku, sum(units) as units
     from demand join sku on sku.id = sku_id
     where reservation is not null and phase = 'held' and ended is null
     group by 1, 2`,
  )
  const open = [...book.baskets.values()].filter(({ state }) => state === 'open')
  return compared('basket', asText(open.flatMap(({ key, lines }) => linesOf(key, lines))), asText(rows))
}

async function orders({ database }: Asked, book: Book): Promise<readonly string[]> {
  const { rows } = await database.pool.query<Units>(
    `select order_number as name, sku, sum(units) as units
     from demand join sku on sku.id = sku_id
     where order_number is not null and ended is null
     group by 1, 2`,
  )
  const placed = [...book.baskets.values()].filter(({ state }) => state === 'placed')
  const known = [
    ...placed.flatMap(({ key, lines }) => linesOf(`N-${key}`, lines)),
    ...[...book.facts].map(([name, { sku, units }]) => ({ name, sku, units })),
  ]
  return compared('order', asText(known), asText(rows))
}

const linesOf = (name: string, lines: ReadonlyMap<string, number>): readonly Units[] =>
  [...lines].map(([sku, units]) => ({ name, sku, units }))

/** What each process says is available: the last figure less what was taken, not one unit more and not one less. */
async function numbers(house: Asked, book: Book): Promise<readonly string[]> {
  const skus = book.skus()
  const told = await Promise.all(
    house.holdfasts.map(async ({ name, url }) => {
      const answer = await fetch(`${url}/v1/stock?skus=${skus.map(encodeURIComponent).join(',')}`, {
        headers: { authorization: `Bearer ${house.token()}` },
      })
      const stock = (await answer.json()) as { sku: string; shops: { availableUnits: number }[] }[]
      return { name, available: new Map(stock.map(({ sku, shops }) => [sku, shops[0]?.availableUnits])) }
    }),
  )
  return told.flatMap(({ name, available }) =>
    skus.flatMap((sku) => {
      const should = (book.figures.get(sku) ?? 0) - book.takenOf(sku)
      const is = available.get(sku)
      const oversold = should < 0 ? [`${sku}: ${-should} units were promised that do not exist`] : []
      return is === should ? oversold : [...oversold, `${sku}: ${should} are available, ${name} says ${is}`]
    }),
  )
}

/** No process met a broken invariant since its start. */
async function bugs(house: Asked): Promise<readonly string[]> {
  const counts = await Promise.all(
    house.holdfasts.map(async ({ name, url, running }) => {
      const metrics = await (await fetch(`${url}/metrics`)).text()
      const count = Number(/^holdfast_bugs_total (\d+)/m.exec(metrics)?.[1] ?? 0)
      return { name, count, told: running()?.said().split('\n').find(isError) ?? '' }
    }),
  )
  return counts.flatMap(({ name, count, told }) =>
    count === 0 ? [] : [`${name} met ${count} broken invariants, the first: ${told}`],
  )
}

/** A line of its log, as an error. */
const isError = (line: string): boolean => line.startsWith('{"level":50,')
