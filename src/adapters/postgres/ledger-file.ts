/** Proves an exported ledger by itself: every content hash, every block, every seal and its link to the one before. */
import { createHash } from 'node:crypto'
import type { LedgerEntry } from '../../core/ledger.ts'
import { hashOf } from './ledger.ts'
import { blockHash, GENESIS, sealHash } from './seal.ts'

/** What a file holds. Empty `problems`: it is whole. */
export type FileVerdict = {
  readonly entries: number
  /** Entries behind the last seal; none in the file of a month. */
  readonly unsealedEntries: number
  readonly seals: number
  /** The months whose blocks it holds, oldest first. */
  readonly months: readonly string[]
  /** SHA-256 of all of it, in hex. */
  readonly sha256: string
  readonly problems: readonly string[]
}

type SealLine = {
  readonly seal: number
  readonly month: string
  readonly entries: number
  readonly before: string
  readonly block: string
  readonly hash: string
  readonly archived?: boolean
}
type EntryLine = LedgerEntry & { readonly hash: string }

const MAX_PROBLEMS = 20
/** Lines between two words about progress. */
const TELL_EVERY = 50_000

/** Reads a file of NDJSON in pieces; holds one block of hashes, at most 5,000. */
export async function checkLedgerFile(
  pieces: AsyncIterable<Uint8Array | string>,
  onProgress: (text: string) => void = () => undefined,
): Promise<FileVerdict> {
  const whole = createHash('sha256')
  const problems: string[] = []
  const months = new Set<string>()
  let block: Buffer[] = []
  let before: { readonly no: number; readonly hash: string } | undefined
  let entries = 0
  let seals = 0
  const wrong = (problem: string): void => {
    if (problems.length < MAX_PROBLEMS) problems.push(problem)
  }
  const lines = linesOf(pieces, (piece) => whole.update(piece))
  let no = 0
  for await (const line of lines) {
    no += 1
    const read = readLine(line)
    if (read === undefined) {
      wrong(`Line ${no}: is no line of a ledger`)
    } else if ('seal' in read) {
      seals += 1
      checkSeal(read, block, before, wrong)
      if (!read.archived) months.add(read.month)
      before = { no: read.seal, hash: read.hash }
      block = []
    } else {
      entries += 1
      block.push(Buffer.from(read.hash, 'hex'))
      if (hashOf(read).toString('hex') !== read.hash)
        wrong(`Line ${no}, ${read.stream} v${read.version}: its content does not match its hash`)
    }
    if (no % TELL_EVERY === 0) onProgress(`${no} lines read`)
  }
  return {
    entries,
    unsealedEntries: block.length,
    seals,
    months: [...months].sort(),
    sha256: whole.digest('hex'),
    problems,
  }
}

function checkSeal(
  { seal, month: _, entries, before, block, hash, archived }: SealLine,
  hashes: readonly Buffer[],
  earlier: { readonly no: number; readonly hash: string } | undefined,
  wrong: (problem: string) => void,
): void {
  if (!archived && hashes.length !== entries) wrong(`Seal ${seal}: covers ${entries} entries, found ${hashes.length}`)
  if (!archived && blockHash(hashes).toString('hex') !== block) wrong(`Seal ${seal}: its block is not what it was`)
  if (sealHash(Buffer.from(before, 'hex'), Buffer.from(block, 'hex')).toString('hex') !== hash)
    wrong(`Seal ${seal}: the chain is broken here`)
  const expected = seal === 1 ? GENESIS.toString('hex') : earlier?.no === seal - 1 ? earlier.hash : before
  if (before !== expected) wrong(`Seal ${seal}: does not continue the one before it`)
}

function readLine(line: string): SealLine | EntryLine | undefined {
  try {
    const read: unknown = JSON.parse(line)
    if (typeof read !== 'object' || read === null || !('hash' in read)) return undefined
    return 'seal' in read ? (read as SealLine) : 'stream' in read ? (read as EntryLine) : undefined
  } catch {
    // What is no JSON is no line: the caller says which.
    return undefined
  }
}

/** The lines of a text that comes in pieces; every piece is shown whole, as it came. */
async function* linesOf(
  pieces: AsyncIterable<Uint8Array | string>,
  show: (piece: Uint8Array | string) => unknown,
): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const piece of pieces) {
    show(piece)
    const lines = (rest + (typeof piece === 'string' ? piece : decoder.decode(piece, { stream: true }))).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  if (rest !== '') yield rest
}
