/** `holdfast ledger export`: what is found, line by line, into a file or to the standard output. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { open, rename, rm } from 'node:fs/promises'
import { stdout } from 'node:process'
import { parseArgs } from 'node:util'
import { type Client, type Command, EXIT, plain, read, UsageProblem } from './command.ts'
import { FILTER, queryOf } from './ledger-filter.ts'

const TYPES = { ndjson: 'application/x-ndjson', csv: 'text/csv' } as const

export const exportLedger: Command['run'] = async (args, { client, out }) => {
  const { values } = read(() =>
    parseArgs({
      args: [...args],
      options: { ...FILTER, format: { type: 'string' }, out: { type: 'string' } },
    }),
  )
  const { out: file, format = 'ndjson', ...filter } = values
  if (format !== 'ndjson' && format !== 'csv') throw new UsageProblem('--format must be ndjson or csv')
  const pieces = await client.open('GET', `/v1/ledger/export?${queryOf({ ...filter, format })}`, TYPES[format])
  if (file === undefined) {
    // A slow reader makes the service wait; one that goes away ends it.
    for await (const piece of pieces) if (!stdout.write(piece)) await once(stdout, 'drain')
    return EXIT.ok
  }
  const { bytes, lines } = await writeFileOf(file, pieces)
  out(`${plain(file)}: ${lines} lines, ${bytes} bytes.`)
  return EXIT.ok
}

/** The export of one month, into a file. */
export async function exportMonth(client: Client, month: string, file: string): Promise<Written> {
  return await writeFileOf(file, await client.open('GET', `/v1/ledger/export?month=${month}`, TYPES.ndjson))
}

type Written = { readonly bytes: number; readonly lines: number; readonly sha256: string }

const LINE_FEED = 10

/** Writes a file that is either whole and on disk under its name, or not there: it grows under another name. */
async function writeFileOf(file: string, pieces: AsyncIterable<Uint8Array>): Promise<Written> {
  const growing = `${file}.part`
  const handle = await open(growing, 'w').catch((cause: unknown) => {
    throw new UsageProblem(`${plain(file)} cannot be written: ${plain(cause instanceof Error ? cause.message : '')}`)
  })
  const hash = createHash('sha256')
  let bytes = 0
  let lines = 0
  try {
    for await (const piece of pieces) {
      hash.update(piece)
      bytes += piece.length
      for (const byte of piece) if (byte === LINE_FEED) lines += 1
      await handle.writeFile(piece)
    }
    await handle.sync()
  } catch (cause) {
    await handle.close()
    await rm(growing, { force: true })
    throw cause
  }
  await handle.close()
  await rename(growing, file)
  return { bytes, lines, sha256: hash.digest('hex') }
}
