/**
 * Torture: rounds of one kill -9 each, of Holdfast or of PostgreSQL, at a random moment under load, mostly with a second trouble
 * at the same time. After each round everything is mended, every request has got its answer, and what was answered is held against
 * what is there. What happens when comes from a seed; what the machine makes of it does not.
 */
import { type Random, seededRandom } from '../../sim/random.ts'
import { account } from './account.ts'
import { configure, stockUp, tell } from './beginning.ts'
import { type Blow, COMPANY, KILLS } from './blows.ts'
import { Book } from './book.ts'
import { startClients } from './clients.ts'
import { type House, openHouse } from './house.ts'

export type TortureOptions = {
  readonly seed: number
  readonly rounds: number
  /** Folders of the versions that run side by side. */
  readonly checkouts: readonly string[]
  readonly log: (line: string) => void
  /** Only kills and company whose name holds this text. */
  readonly only?: string
}

export type Report = {
  readonly rounds: readonly Round[]
  readonly answered: number
  readonly unanswered: number
  readonly entries: number
  /** Why the torture ended early; empty when nothing was lost and nothing is there twice. */
  readonly wrong: readonly string[]
}

export type Round = {
  readonly kill: string
  readonly company: string | undefined
  /** From when all was mended until a message was accepted by each process. */
  readonly backAfterMs: number
}

const CLIENTS = 7
/** Answers before a blow at most, and answers after everything was mended. */
const BEFORE = 80
const AFTER = 40
/** A second trouble lasts so long at most. */
const TROUBLE_MS = 1_500

export async function torture(options: TortureOptions): Promise<Report> {
  const { seed, log } = options
  const random = seededRandom(seed)
  const book = new Book()
  const house = await openHouse(options)
  const rounds: Round[] = []
  try {
    if (!house.disk) log('No disk could be mounted here (only root can), so it is never full.')
    for (const each of house.holdfasts) await each.start()
    await configure(house)
    await stockUp(house, book)
    let wrong: readonly string[] = []
    for (let number = 1; number <= options.rounds && wrong.length === 0; number += 1) {
      const plan = planOf(house, random, options.only)
      const round = await runRound(house, book, plan, `r${number}`)
      wrong = await account(house, book)
      rounds.push(round)
      const company = round.company === undefined ? '' : `, while ${round.company}`
      log(
        `${String(number).padStart(4)}  ${wrong.length === 0 ? 'well ' : 'WRONG'}  back after ${String(Math.round(round.backAfterMs)).padStart(5)} ms  ` +
          `${round.kill}${company}`,
      )
    }
    const { rows } = await house.database.pool.query<{ entries: number }>(
      'select count(*) as entries from ledger_entry',
    )
    const { answered, unanswered } = book
    return { rounds, answered, unanswered, entries: rows[0]?.entries ?? 0, wrong }
  } finally {
    await house.close()
  }
}

type Plan = {
  readonly kill: Blow
  readonly company: Blow | undefined
  readonly beforeCompany: number
  readonly beforeKill: number
  readonly troubleMs: number
  readonly chance: Random
  readonly clients: readonly Random[]
}

/** Everything that chance decides about a round, decided at once: so a round of a seed is the same whatever came before it. */
function planOf({ disk }: House, random: Random, only = ''): Plan {
  const of = (blows: readonly Blow[]): readonly Blow[] => {
    const named = blows.filter(({ name }) => name.includes(only))
    return named.length === 0 ? blows : named
  }
  const company = of(COMPANY.filter(({ name }) => disk || !name.includes('disk')))
  const isNamed = only !== '' && company.every(({ name }) => name.includes(only))
  const seeds = Array.from({ length: CLIENTS + 1 }, () => random.whole(2 ** 31))
  const isAccompanied = random.chance(0.75)
  const second = random.pick(company)
  return {
    kill: random.pick(of(KILLS)),
    company: isAccompanied || isNamed ? second : undefined,
    beforeCompany: 5 + random.whole(BEFORE),
    beforeKill: random.whole(12),
    troubleMs: 50 + random.whole(TROUBLE_MS),
    chance: seededRandom(seeds[CLIENTS] ?? 0),
    clients: seeds.slice(0, CLIENTS).map(seededRandom),
  }
}

async function runRound(house: House, book: Book, plan: Plan, name: string): Promise<Round> {
  const { kill, company, chance } = plan
  const doors = { urls: house.holdfasts.map(({ url }) => url), token: tokenOf(house) }
  const clients = startClients(book, doors, name, plan.clients)
  await clients.after(plan.beforeCompany)
  await company?.begin(house, chance)
  if (company) await clients.after(plan.beforeKill)
  await kill.begin(house, chance)
  await new Promise((wake) => setTimeout(wake, plan.troubleMs))
  await company?.mend(house)
  const since = performance.now()
  await Promise.all(house.holdfasts.filter((each) => !each.running()).map((each) => each.start()))
  await Promise.all(house.holdfasts.map(({ url, name: who }) => tell(url, `${name}-back-${who}`, 'BACK', 1)))
  const backAfterMs = performance.now() - since
  await clients.after(AFTER, 'answered')
  await clients.stop()
  return { kill: kill.name, company: company?.name, backAfterMs }
}

/** The token is the same for all, and none of them may be there to tell it. */
function tokenOf(house: House): () => string {
  const token = house.token()
  return () => token
}
