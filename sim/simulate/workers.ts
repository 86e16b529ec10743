/** Worlds side by side: each thread runs one seed after another, and knows nothing of the others. */
import { once } from 'node:events'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { type Outcome, runSeed } from './run.ts'

/** Runs a seed somewhere. */
export type Runner = { run(seed: number, operations: number): Promise<Outcome>; stop(): Promise<void> }

/** What a thread is asked for. */
type Asked = { readonly seed: number; readonly operations: number }

/** Runs seeds in this thread. */
export const runnerHere: Runner = {
  run: (seed, operations) => runSeed(seed, { operations }),
  stop: async () => undefined,
}

/** Runs seeds in a thread of its own, one at a time. A thread that dies fails the run that it was asked for. */
export function runnerInThread(): Runner {
  const worker = new Worker(new URL(import.meta.url))
  return {
    async run(seed, operations) {
      const asked: Asked = { seed, operations }
      worker.postMessage(asked)
      const [outcome] = await once(worker, 'message')
      return outcome
    },
    stop: async () => void (await worker.terminate()),
  }
}

if (!isMainThread && parentPort) {
  const port = parentPort
  port.on('message', async ({ seed, operations }: Asked) => port.postMessage(await runSeed(seed, { operations })))
}
