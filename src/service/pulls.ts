/** The systems that are asked: one loop for each source with a `pull`, as the rules name them. */
import type { Database } from '../adapters/postgres/database.ts'
import { pullBookOn } from '../adapters/postgres/pull-store.ts'
import { closeIncident, openIncident } from '../adapters/postgres/queries.ts'
import { trytonSystem } from '../adapters/wms/tryton/tryton.ts'
import type { ConfigurationDocument } from '../app/configuration-file.ts'
import { durationMs } from '../app/configuration-parts.ts'
import { type Loop, startLoop } from '../app/loop.ts'
import { pullRound } from '../app/pull.ts'
import { sourceOf } from '../core/ids.ts'
import type { RulesInForce } from './rules.ts'
import type { Telling } from './telling.ts'

export type PullsPorts = {
  readonly database: Database
  readonly inForce: RulesInForce
  readonly secret: (name: string) => string | undefined
  readonly holdsLease: (name: string) => Promise<boolean>
  /** Told when messages lie in the inbox. */
  readonly wake: () => void
  readonly telling: Telling
}

export type Pulls = {
  /** Other rules are in force: what is asked otherwise from now on is begun anew. */
  onRules(): Promise<void>
  stop(): Promise<void>
}

type Running = { readonly rules: string; readonly loop: Loop; isStopping: boolean }
type Pull = NonNullable<ConfigurationDocument['sources'][string]['pull']>

const EVERY_DEFAULT = '15s'

export function startPulls(ports: PullsPorts): Pulls {
  const { database, inForce, secret, telling } = ports
  const book = pullBookOn(database, () => inForce.rules().version)
  const running = new Map<string, Running>()

  const start = (name: string, pull: Pull): void => {
    const password = secret(pull.secretFrom.env)
    if (!password) {
      telling.log.error(
        { source: name },
        `The password of source "${name}" is missing: set ${pull.secretFrom.env} and restart. It is not asked until then.`,
      )
      return
    }
    const source = sourceOf(name)
    const system = trytonSystem({ ...pull, url: pull.url.replace(/\/+$/, ''), password })
    const each: Running = {
      rules: JSON.stringify(pull),
      isStopping: false,
      loop: startLoop({
        name: `pull:${name}`,
        everyMs: durationMs(pull.every ?? EVERY_DEFAULT),
        onTrouble: telling.trouble,
        async round() {
          const door = inForce.door(source)
          if (!door || each.isStopping) return false
          return await pullRound(
            {
              book,
              system,
              readMessage: door.readMessage,
              holdsLease: () => ports.holdsLease(`source:${name}`),
              isStopping: () => each.isStopping,
              wake: ports.wake,
              onIncident: (incident) => openIncident(database.pool, incident),
              onSettled: (code, key) => closeIncident(database.pool, code, key),
            },
            source,
          )
        },
      }),
    }
    running.set(name, each)
  }
  const end = async (name: string): Promise<void> => {
    const each = running.get(name)
    if (!each) return
    running.delete(name)
    each.isStopping = true
    await each.loop.stop()
  }
  const follow = async (): Promise<void> => {
    const { sources } = inForce.stored().document
    for (const [name, each] of running) if (each.rules !== JSON.stringify(sources[name]?.pull)) await end(name)
    for (const [name, { pull }] of Object.entries(sources)) if (pull && !running.has(name)) start(name, pull)
  }
  void follow()

  return {
    onRules: follow,
    async stop() {
      await Promise.all([...running.keys()].map(end))
    },
  }
}
