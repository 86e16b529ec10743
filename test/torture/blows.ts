/** What is done to the house: each blow begins, and is over when it is mended. What it kills, the round starts again. */
import type { Random } from '../../sim/random.ts'
import type { House, Tortured } from './house.ts'

export type Blow = {
  readonly name: string
  begin(house: House, random: Random): Promise<void>
  /** Ends it; nothing for what is over by itself. */
  mend(house: House): Promise<void>
}

const nothing = async (): Promise<void> => undefined
const anyOf = ({ holdfasts }: House, random: Random): Tortured => random.pick(holdfasts)

/** A process that is gone already cannot be killed. */
function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'ESRCH')) throw cause
  }
}

/** Every round has one of these. */
export const KILLS: readonly Blow[] = [
  {
    name: 'kill -9 of one Holdfast',
    begin: async (house, random) => await anyOf(house, random).kill(),
    mend: nothing,
  },
  {
    name: 'kill -9 of every Holdfast',
    begin: async (house) => {
      await Promise.all(house.holdfasts.map((each) => each.kill()))
    },
    mend: nothing,
  },
  {
    name: 'kill -9 of PostgreSQL',
    begin: async ({ postgres }) => kill(postgres.pid(), 'SIGKILL'),
    mend: nothing,
  },
  {
    name: 'kill -9 of one session of PostgreSQL',
    // The server then ends all of them and recovers from its log, as after a crash.
    begin: async ({ database }, random) => {
      const { rows } = await database.pool
        .query<{ pid: number }>(
          `select pid from pg_stat_activity where application_name = 'holdfast' and pid <> pg_backend_pid() order by pid`,
        )
        // The company may have ended the server already.
        .catch(() => ({ rows: [] }))
      if (rows.length > 0) kill(random.pick(rows).pid, 'SIGKILL')
    },
    mend: nothing,
  },
  {
    name: 'kill -9 of everything at once',
    begin: async ({ holdfasts, postgres }) => {
      kill(postgres.pid(), 'SIGKILL')
      await Promise.all(holdfasts.map((each) => each.kill()))
    },
    mend: nothing,
  },
]

type Weather = 'cut' | 'refuse' | 'freeze' | 'halfClose' | 'loseAnswers' | 'loseNextCommitAnswer'

/** One kind of bad weather before one process, on one side of it. */
const weather = (name: string, side: 'beforeClients' | 'beforeDatabase', what: Weather): Blow => ({
  name,
  begin: async (house, random) => anyOf(house, random)[side][what](),
  mend: async ({ holdfasts }) => {
    for (const each of holdfasts) each[side].pass()
  },
})

const slow = (name: string, side: 'beforeClients' | 'beforeDatabase', atMostMs: number): Blow => ({
  ...weather(name, side, 'cut'),
  begin: async (house, random) => anyOf(house, random)[side].delay(1 + random.whole(atMostMs)),
})

/** A shift of a day and more, either way. */
const CLOCK_SHIFT_MS = 26 * 60 * 60_000

/** Three rounds of four have one of these besides. */
export const COMPANY: readonly Blow[] = [
  weather('the database is cut off', 'beforeDatabase', 'refuse'),
  weather('connections to the database are cut', 'beforeDatabase', 'cut'),
  weather('the database’s cable is pulled', 'beforeDatabase', 'freeze'),
  weather('the answer of a commit is lost', 'beforeDatabase', 'loseNextCommitAnswer'),
  weather('every answer of the database is lost', 'beforeDatabase', 'loseAnswers'),
  weather('the database hears that its clients are done', 'beforeDatabase', 'halfClose'),
  slow('the database is far away', 'beforeDatabase', 300),
  weather('clients are cut off', 'beforeClients', 'refuse'),
  weather('clients’ connections are cut', 'beforeClients', 'cut'),
  weather('clients’ cable is pulled, and what they asked arrives later', 'beforeClients', 'freeze'),
  weather('no client hears its answer', 'beforeClients', 'loseAnswers'),
  weather('clients are half closed', 'beforeClients', 'halfClose'),
  slow('clients are far away', 'beforeClients', 800),
  {
    name: 'the disk is full',
    begin: async ({ disk }) => disk?.fill(),
    mend: async ({ disk }) => disk?.free(),
  },
  {
    name: 'the clock of one Holdfast is wrong by a day',
    begin: async (house, random) =>
      anyOf(house, random).shiftClock(random.chance(0.5) ? CLOCK_SHIFT_MS : 0 - CLOCK_SHIFT_MS),
    // Stays wrong until another round sets it right by chance or shifts it again: nothing depends on it.
    mend: async ({ holdfasts }) => holdfasts[0]?.shiftClock(0),
  },
  {
    name: 'PostgreSQL stands still',
    begin: async ({ postgres }) => kill(postgres.pid(), 'SIGSTOP'),
    mend: async ({ postgres }) => kill(postgres.pid(), 'SIGCONT'),
  },
  {
    name: 'one Holdfast stands still',
    begin: async (house, random) => {
      const pid = anyOf(house, random).running()?.process.pid
      if (pid !== undefined) kill(-pid, 'SIGSTOP')
    },
    mend: async ({ holdfasts }) => {
      for (const each of holdfasts) {
        const pid = each.running()?.process.pid
        if (pid !== undefined) kill(-pid, 'SIGCONT')
      }
    },
  },
]
