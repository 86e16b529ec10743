/**
 * Checks an exported ledger with nothing of Holdfast: npx holdfast ledger export --out ledger.ndjson
 *
 *   node examples/check-ledger.ts ledger.ndjson        Node 24 or newer
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'

type Json = Readonly<Record<string, unknown>>
const sha256 = (...parts: readonly (string | Buffer)[]): Buffer =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()

/** JSON without white space, keys sorted: what is hashed. */
const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const pairs = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${pairs.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`
}

let block: Buffer[] = []
let before: Json = { seal: 0, hash: sha256('Holdfast ledger').toString('hex') }
let [entries, seals, wrong] = [0, 0, 0]
const complain = (text: string): void => {
  wrong += 1
  console.log(text)
}

for await (const line of createInterface({ input: createReadStream(process.argv[2] ?? 'ledger.ndjson') })) {
  const read: Json = JSON.parse(line)
  if ('seal' in read) {
    const isHere = read.archived !== true
    if (isHere && sha256(...block).toString('hex') !== read.block) complain(`seal ${read.seal}: its block was changed`)
    const chained = sha256(Buffer.from(`${read.before}${read.block}`, 'hex')).toString('hex')
    if (chained !== read.hash) complain(`seal ${read.seal}: its hash is wrong`)
    if (read.seal === Number(before.seal) + 1 && read.before !== before.hash)
      complain(`seal ${read.seal}: chain broken`)
    ;[before, block, seals] = [read, [], seals + 1]
  } else {
    const { hash, ...content } = read
    if (sha256(canonical(content)).toString('hex') !== hash) complain(`${read.stream} v${read.version}: was changed`)
    block.push(Buffer.from(String(hash), 'hex'))
    entries += 1
  }
}
console.log(
  `${entries} entries, ${seals} seals, ${block.length} not sealed yet: ${wrong === 0 ? 'whole' : `${wrong} wrong`}`,
)
process.exitCode = wrong === 0 ? 0 : 1
