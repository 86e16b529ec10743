/** A Holdfast process of its own for a benchmark: callers on its own lane, until it is told to stop. Started by `processes.ts`. */
import { openDatabase } from '../src/adapters/postgres/database.ts'
import { createLane } from '../src/adapters/postgres/lane.ts'
import { orderCall, origin, rules } from './commands.ts'
import { basket, HOT } from './world.ts'

const [url = '', schema = '', what = '', callers = '0', seconds = '0'] = process.argv.slice(2)
const database = openDatabase({ url, schema })
const lane = createLane({ database, configuration: () => rules })
let decided = 0
const until = performance.now() + Number(seconds) * 1_000
const ask = async (caller: number): Promise<void> => {
  for (let n = 0; performance.now() < until; n += 1) {
    const skus = what === 'hot' ? [HOT] : basket()
    await lane.submit(orderCall(`p${process.pid}-${caller}-${n}`, skus), origin, 'checkout')
    decided += 1
  }
}
await Promise.all(Array.from({ length: Number(callers) }, (_, caller) => ask(caller)))
await lane.stop()
await database.close()
process.stdout.write(`${decided}\n`)
