/** `holdfast shops release`: leaves a shop, and tells how far that has come until it is done. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Static } from 'typebox'
import type { Release } from '../http/contract.ts'
import { asJson, type Client, EXIT, plain } from './command.ts'

const LOOK_EVERY_MS = 1_000
/** Without any progress for so many looks it stops looking; the service goes on all the same. */
const LOOKS_WITHOUT_PROGRESS = 60

/** Begins the release, or joins one that is under way. */
export async function releaseShop(
  { client, out }: { readonly client: Client; readonly out: (text: string) => void },
  shop: string,
  json: boolean,
): Promise<number> {
  const ask = async () =>
    (await client.request('POST', `/v1/shops/${encodeURIComponent(shop)}/release`)).body as Static<typeof Release>
  let answer = await ask()
  for (let idle = 0; answer.state === 'releasing' && idle < LOOKS_WITHOUT_PROGRESS; ) {
    if (!json) out(`${answer.productsLeft} products still have our close-out.`)
    await delay(LOOK_EVERY_MS)
    const next = await ask()
    idle = next.productsLeft < answer.productsLeft ? 0 : idle + 1
    answer = next
  }
  out(json ? asJson(answer) : told(shop, answer))
  return answer.state !== 'releasing' && answer.productsLeft === 0 ? EXIT.ok : EXIT.failed
}

function told(shop: string, { state, productsLeft }: Static<typeof Release>): string {
  if (state === 'releasing')
    return `${plain(shop)} does not take its settings back at the moment. It is tried on; look again with the same command.`
  if (productsLeft > 0)
    return `${plain(shop)} is ${plain(state)}: its key no longer works, and ${productsLeft} products keep our close-out. Install the app again, then release.`
  return `${plain(shop)} is released: nothing is published any more, each product has its own close-out. Now remove the app there.`
}
