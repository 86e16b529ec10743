import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import {
  apiHold,
  figure,
  nord,
  order,
  orderCall,
  orderWord,
  origin,
  rules,
  till,
} from '../../../test/postgres-world.ts'
import { type Command, decide, draftsOf, skusOf } from '../../core/decide.ts'
import { instantOf, type Sku, skuOf } from '../../core/ids.ts'
import { canonicalJson, type SkuEntryBody, streamOfSku } from '../../core/ledger.ts'
import { emptyState, evolve, type SkuState } from '../../core/stock.ts'
import { databaseNow, type Queryable } from './database.ts'
import { createLane } from './lane.ts'
import { loadForDecision, loadStates, namedDemands, touchedBefore } from './load.ts'
import { SKU_COLUMNS, type SkuRow } from './rows.ts'
import { openStateCache } from './state-cache.ts'
import { whereaboutsOf } from './whereabouts.ts'

const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)
const SKUS = ['P', 'Q', 'R', 'S'] as const
const HISTORY = 300
const PROBES = 150
/** Attempts stay open so long: some of the history's are still there for the probes. */
const EXPIRES_AFTER_MS = 1_500

let fresh: FreshDatabase

/** Small and seeded (mulberry32): the same seed is the same history. */
function randomFrom(seed: number) {
  let state = seed
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  return { below, oneOf: <T>(choices: readonly T[]): T => choices[below(choices.length)] as T }
}

const random = randomFrom(SEED)
let sequence = 0
let made = 0

/** Any command, about things that exist often enough. */
function anyCommand(): Command {
  const some = () =>
    [...new Set([random.oneOf(SKUS), random.oneOf(SKUS)])].map((sku) => [sku, 1 + random.below(3)] as const)
  const call = random.below(made + 1)
  const lines = some().map(([sku, units]) => ({ sku, units, lineKey: `call-${call}-${sku}` }))
  sequence += 1
  switch (random.below(10)) {
    case 0:
    case 1:
      made += 1
      return orderCall(`call-${made}`, some())
    case 2:
      return orderCall(`again-${sequence}`, some())
    case 3:
      return apiHold(`key-${random.below(6)}`, some(), random.oneOf(['all', 'partial']))
    case 4:
      return { kind: 'release', shop: till, reservation: `key-${random.below(6)}` }
    case 5:
      return order(`o-${random.below(12)}`, lines, { state: random.oneOf(['open', 'open', 'cancelled']) })
    case 6:
      return order(
        `t-${random.below(6)}`,
        some().map(([sku, units]) => ({ sku, units })),
        {
          shop: till,
          reservation: `key-${random.below(6)}`,
        },
      )
    case 7:
      return figure(random.oneOf(SKUS), random.oneOf([10, 60, 100]) + random.below(20), sequence)
    case 8:
      return orderWord(
        random.oneOf(['acknowledged', 'allocated', 'shipped', 'deallocated', 'short', 'cancelled']),
        `o-${random.below(12)}`,
        random.oneOf(SKUS),
        1 + random.below(2),
        sequence,
      )
    default:
      return {
        kind: 'expire',
        shop: nord,
        sku: skuOf(random.oneOf(SKUS)),
        watermark: instantOf(Date.now() - EXPIRES_AFTER_MS),
      }
  }
}

/** Everything that ever was, folded from the ledger: nothing is left out. */
async function wholeStates(on: Queryable): Promise<ReadonlyMap<Sku, SkuState>> {
  const { rows } = await on.query<{ stream: string; version: number; body: SkuEntryBody }>(
    `select stream, version, body from ledger_entry where stream like 'sku:%' order by stream, version`,
  )
  const states = new Map(SKUS.map((sku) => [skuOf(sku), emptyState(skuOf(sku))]))
  for (const state of states.values()) {
    for (const { stream, version, body } of rows) {
      if (stream !== streamOfSku(state.sku)) continue
      for (const change of body.changes) evolve(state, change)
      state.version = version
    }
  }
  return states
}

/** The states as the lane loads them for one command. */
async function statesForDecision(on: Queryable, command: Command) {
  const { skuIds, attempts } = await touchedBefore(on, [command])
  const { rows } = await on.query<SkuRow>(
    `select ${SKU_COLUMNS} from sku where sku = any($1) or id = any($2) order by id`,
    [skusOf(command), skuIds],
  )
  const demands = await namedDemands(on, [command], attempts)
  const named = { demands, isSomeShopUnread: false }
  const { states } = await loadForDecision(on, rows, [command], named, openStateCache())
  const seen = new Set([...skusOf(command), ...whereaboutsOf(states).of(command)])
  return [...seen].flatMap((sku) => states.get(sku) ?? [])
}

beforeAll(async () => {
  fresh = await freshDatabase()
  const lane = createLane({ database: fresh.database, configuration: () => rules })
  for (const sku of SKUS) await lane.submit(figure(sku, 80, 0), origin)
  for (let n = 0; n < HISTORY; n += 1) await lane.submit(anyCommand(), origin)
  await lane.stop()
})
afterAll(() => fresh.drop())

test(`a decision on what the lane loads is the decision on the whole state (SEED=${SEED})`, async () => {
  const { pool } = fresh.database
  const now = await databaseNow(pool)
  const decideOn = (states: readonly SkuState[], seen: readonly Sku[], command: Command) => {
    const drafts = draftsOf(states, rules, now)
    const answer = decide(drafts, command)
    const changes = [...drafts].map(([sku, draft]) => [
      sku,
      // A shortage of a SKU that the command has nothing to do with waits for a command that has.
      draft.changes.filter(({ why }) => seen.includes(sku) || why !== 'served-shortage'),
    ])
    return canonicalJson({ answer, changes: Object.fromEntries(changes.filter(([, each]) => each?.length)) })
  }
  const kinds = new Set<string>()
  for (let n = 0; n < PROBES; n += 1) {
    const command = anyCommand()
    kinds.add(command.kind)
    const loaded = await statesForDecision(pool, command)
    // On everything there is: neither a demand nor a SKU that the lane left out would have mattered.
    const whole = [...(await wholeStates(pool)).values()]
    const seen = loaded.map(({ sku }) => sku)
    expect(decideOn(loaded, seen, command), `probe ${n}: ${JSON.stringify(command)}`).toBe(
      decideOn(whole, seen, command),
    )
  }
  expect([...kinds].sort()).toEqual(['expire', 'hold', 'order', 'release', 'word'])
})

test('whoever decides nothing reads the live demands of a SKU, and all of them', async () => {
  const states = await loadStates(fresh.database.pool, [...SKUS, 'NEVER-HEARD-OF'].map(skuOf))
  const whole = await wholeStates(fresh.database.pool)
  expect(states.map(({ sku }) => sku).sort()).toEqual([...SKUS])
  for (const state of states) {
    const live = [...(whole.get(state.sku)?.demands ?? [])].filter(([, demand]) => demand.end === undefined)
    expect(canonicalJson([...state.demands].toSorted(([a], [b]) => a - b))).toBe(
      canonicalJson(live.toSorted(([a], [b]) => a - b)),
    )
    expect(state.complete).toBe(true)
  }
})
