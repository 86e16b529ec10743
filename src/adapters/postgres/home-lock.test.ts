import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { lockHome, startOf } from './home-lock.ts'

let home: string
const children: ChildProcess[] = []

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'holdfast lock '))
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  rmSync(home, { recursive: true, force: true })
})

/** Another process that takes the lock and says what came of it. */
async function otherProcess(): Promise<{ readonly said: string; readonly child: ChildProcess }> {
  const script = `
    import { lockHome } from ${JSON.stringify(new URL('./home-lock.ts', import.meta.url).href)}
    try { lockHome(process.argv[1]); process.stdout.write('taken') } catch (cause) { process.stdout.write(cause.message) }
    setInterval(() => undefined, 1_000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, home], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  const [said] = await once(child.stdout ?? child, 'data')
  return { said: String(said), child }
}

const lockFile = () => join(home, 'lock')

describe('the lock of a home folder', () => {
  test('is one process’s alone, and the other one is told which and what to do', async () => {
    const unlock = lockHome(home)
    const { said } = await otherProcess()
    expect(said).toContain(`HOME_IN_USE: process ${process.pid} already works in ${home}`)
    expect(said).toContain('HOLDFAST_HOME')
    expect(said).toContain('DATABASE_URL')
    unlock()
    expect((await otherProcess()).said).toBe('taken')
  })

  test('is not given twice to the same process', () => {
    lockHome(home)
    expect(() => lockHome(home)).toThrow(/HOME_IN_USE/)
  })

  test('is taken over from a process that was killed', async () => {
    const { said, child } = await otherProcess()
    expect(said).toBe('taken')
    expect(() => lockHome(home)).toThrow(`process ${child.pid} already works`)
    child.kill('SIGKILL')
    await once(child, 'exit')
    lockHome(home)()
  })

  test('is taken over from a pid that belongs to another process by now', () => {
    writeFileSync(lockFile(), JSON.stringify({ pid: process.pid, startedAt: 'long ago' }))
    lockHome(home)()
  })

  test.for(['', '{', 'null', '[]', '{"pid":"1"}', '{"pid":1}', '\u0000'])(
    'is taken over from a broken file: %j',
    (text) => {
      writeFileSync(lockFile(), text)
      lockHome(home)()
    },
  )

  test('leaves no file behind but itself', () => {
    const unlock = lockHome(home)
    expect(readdirSync(home)).toEqual(['lock'])
    unlock()
    expect(readdirSync(home)).toEqual([])
  })

  test('is not given back by whoever lost it', () => {
    const unlock = lockHome(home)
    const theirs = JSON.stringify({ pid: 1, startedAt: 'theirs' })
    writeFileSync(lockFile(), theirs)
    unlock()
    expect(readFileSync(lockFile(), 'utf8')).toBe(theirs)
  })

  test('is given to one of many that find it stale at once', async () => {
    writeFileSync(lockFile(), JSON.stringify({ pid: 2 ** 22 + 1, startedAt: 'gone' }))
    const all = await Promise.all(Array.from({ length: 5 }, () => otherProcess()))
    expect(all.filter(({ said }) => said === 'taken')).toHaveLength(1)
  })
})

test('the start of a process tells it from a later one with its number, and a dead one has none', async () => {
  expect(startOf(process.pid)).toBe(startOf(process.pid))
  const { child } = await otherProcess()
  const pid = child.pid ?? 0
  expect(startOf(pid)).toBeDefined()
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(startOf(pid)).toBeUndefined()
})
