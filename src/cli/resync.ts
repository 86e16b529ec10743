/** `holdfast shops resync`: compares every number of a shop, and tells how far that has come until it is done. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Static } from 'typebox'
import type { Resync } from '../http/contract.ts'
import { asJson, type Client, EXIT, plain } from './command.ts'

const LOOK_EVERY_MS = 1_000
/** Without any progress for so many looks it stops looking; the service goes on all the same. */
const LOOKS_WITHOUT_PROGRESS = 120

export type ResyncOptions = { readonly shop: string; readonly stop: boolean; readonly json: boolean }

/** Begins a comparison, goes on with a stopped one, or stops it. Whoever ends this command does not end the comparison. */
export async function resyncShop(
  { client, out }: { readonly client: Client; readonly out: (text: string) => void },
  { shop, stop, json }: ResyncOptions,
): Promise<number> {
  const ask = async (method: string) =>
    (await client.request(method, `/v1/shops/${encodeURIComponent(shop)}/resync`)).body as Static<typeof Resync>
  let answer = await ask(stop ? 'DELETE' : 'POST')
  for (let idle = 0; answer.state === 'running' && idle < LOOKS_WITHOUT_PROGRESS; ) {
    if (!json) out(`${answer.comparedSkus} of ${answer.totalSkus} compared.`)
    await delay(LOOK_EVERY_MS)
    const next = await ask('GET')
    idle = next.comparedSkus > answer.comparedSkus ? 0 : idle + 1
    answer = next
  }
  out(json ? asJson(answer) : told(answer))
  return answer.state === 'done' || (stop && answer.state === 'stopped') ? EXIT.ok : EXIT.failed
}

function told({ shop, state, comparedSkus, totalSkus }: Static<typeof Resync>): string {
  const so = `${comparedSkus} of ${totalSkus} SKUs of ${plain(shop)} are compared`
  switch (state) {
    case 'done':
      return `${so}; whatever differed was put right.`
    case 'stopped':
      return `Stopped: ${so}. Go on with holdfast shops resync ${plain(shop)}.`
    case 'running':
      return `${so}, and nothing moves at the moment: is the shop connected? It goes on by itself.`
    default:
      return `No comparison of ${plain(shop)} was ever begun.`
  }
}
