import { expect, test } from 'vitest'
import { instantOf } from '../../core/ids.ts'
import { openLaneClock } from './lane-clock.ts'

/** A clock that the test moves. */
function world() {
  let passed = 5_000
  const clock = openLaneClock(() => passed)
  const pass = (ms: number): void => {
    passed += ms
  }
  return { clock, pass }
}

test('before the database has said anything there is no moment', () => {
  expect(world().clock.now()).toBeUndefined()
})

test('what the database said is carried on by the time that passed, in whole milliseconds', () => {
  const { clock, pass } = world()
  clock.heard(instantOf(1_000_000))
  pass(12.7)
  expect(clock.now()).toBe(1_000_012)
})

test('it never goes back, though an answer may have been long on its way', () => {
  const { clock, pass } = world()
  clock.heard(instantOf(1_000_000))
  pass(40)
  expect(clock.now()).toBe(1_000_040)
  clock.heard(instantOf(1_000_030))
  expect(clock.now()).toBe(1_000_040)
  pass(15)
  expect(clock.now()).toBe(1_000_045)
})

test('a database whose clock was set back is followed', () => {
  const { clock, pass } = world()
  clock.heard(instantOf(1_000_000))
  clock.now()
  clock.heard(instantOf(900_000))
  pass(3)
  expect(clock.now()).toBe(900_003)
})
