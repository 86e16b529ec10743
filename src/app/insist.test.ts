import { expect, test } from 'vitest'
import type { Command } from '../core/decide.ts'
import { shopOf } from '../core/ids.ts'
import { insistOn } from './insist.ts'
import { type Lane, LaneBusy } from './lane.ts'

const release: Command = { kind: 'release', shop: shopOf('nord'), reservation: 'r' }
const origin = { actor: 'shop:nord', cause: 'checkout' }

/** A lane that is busy for the first calls. */
function busyLane(times: number): Lane & { readonly taken: Promise<number> } {
  let tried = 0
  let tell: (tried: number) => void = () => undefined
  const taken = new Promise<number>((resolve) => {
    tell = resolve
  })
  return {
    taken,
    submit: async () => {
      tried += 1
      if (tried <= times) throw new LaneBusy(1)
      tell(tried)
      return undefined as never
    },
  }
}

test('a command is handed over again until the lane takes it', async () => {
  const lane = busyLane(2)
  insistOn(lane, () => undefined).submit(release, origin)
  expect(await lane.taken).toBe(3)
})

test('what still waits at the end is told, not forgotten', async () => {
  const given = new Promise<Command>((tell) => {
    const insist = insistOn(busyLane(Number.POSITIVE_INFINITY), (_, command) => tell(command))
    insist.submit(release, origin)
    insist.stop()
  })
  expect(await given).toBe(release)
})
