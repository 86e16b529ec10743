/** How the service ends, as a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../test/postgres.ts'
import { ROOT } from '../../test/source-files.ts'

let fresh: FreshDatabase | undefined
let home = ''
let child: ChildProcess | undefined
afterEach(async () => {
  child?.kill('SIGKILL')
  await fresh?.drop()
  await rm(home, { recursive: true, force: true })
})

test('Ctrl-C ends it in order, though the launcher passes on the signal that the terminal has sent already', async () => {
  fresh = await freshDatabase()
  home = await mkdtemp(join(tmpdir(), 'holdfast-serve-'))
  const service = spawn(process.execPath, [join(ROOT, 'src/main.ts'), 'serve'], {
    env: { DATABASE_URL: fresh.url, HOLDFAST_HOME: home, PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child = service
  const ended = new Promise((resolve) => {
    service.once('exit', (code, signal) => resolve({ code, signal }))
  })
  const said = (words: string) =>
    new Promise<void>((heard) => {
      for (const stream of [service.stdout, service.stderr]) {
        stream.on('data', (text: Buffer) => {
          if (text.toString().includes(words)) heard()
        })
      }
    })
  await said('answers at')
  const stopping = said('Stopping')
  service.kill('SIGINT')
  await stopping
  service.kill('SIGINT')
  expect(await ended).toEqual({ code: 0, signal: null })
})
