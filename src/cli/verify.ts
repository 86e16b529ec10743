/** `holdfast verify`: rebuilds every state from the ledger and compares; proves files of months that were archived. */
import { createReadStream } from 'node:fs'
import { parseArgs } from 'node:util'
import { openDatabase } from '../adapters/postgres/database.ts'
import { checkLedgerFile } from '../adapters/postgres/ledger-file.ts'
import { archivesTold } from '../adapters/postgres/partitions.ts'
import { verify as verifyDatabase } from '../adapters/postgres/verify.ts'
import { readConfig } from '../config.ts'
import { asJson, type Client, type Command, EXIT, plain, read, UsageProblem } from './command.ts'

type Told = {
  readonly entries: number
  readonly archivedEntries: number
  readonly seals: number
  readonly skus: number
  readonly problems: readonly string[]
}
type Env = Readonly<Record<string, string | undefined>>
type Say = (text: string) => void

export const verify: Command = {
  name: 'verify',
  summary: 'Prove the ledger: hashes, seals, and every state rebuilt and compared',
  usage: `holdfast verify [--archive FILE]… [--offline] [--json]

  Asks the running service; --offline reads DATABASE_URL itself. Tells on the standard error how far it is.
  --archive proves files of months that were archived instead: each by itself, and against what the ledger tells of it.
  Exit code 1: something is wrong.`,
  async run(args, { client, out, err, env }) {
    const { values } = read(() =>
      parseArgs({
        args: [...args],
        options: {
          archive: { type: 'string', multiple: true },
          offline: { type: 'boolean' },
          json: { type: 'boolean' },
        },
      }),
    )
    if (values.archive) {
      const told = await archives(values.archive, values.offline ? toldOffline(env) : toldBy(client), err)
      out(values.json ? asJson(told) : told.map(({ text }) => text).join('\n'))
      return told.every(({ problems }) => problems.length === 0) ? EXIT.ok : EXIT.failed
    }
    const told = values.offline
      ? await onDatabase(env, (database) => verifyDatabase(database, err))
      : await throughService(client, err)
    out(values.json ? asJson(told) : sentence(told))
    return told.problems.length === 0 ? EXIT.ok : EXIT.failed
  },
}

async function onDatabase<T>(env: Env, work: (database: ReturnType<typeof openDatabase>) => Promise<T>): Promise<T> {
  const { databaseUrl, schema } = readConfig(env)
  if (databaseUrl === undefined)
    throw new UsageProblem('Set DATABASE_URL: the embedded database is verified through the running service')
  const database = openDatabase({ url: databaseUrl, schema })
  await database.findPrimary()
  try {
    return await work(database)
  } finally {
    await database.close()
  }
}

/** Lines of progress, and the verdict as the last one. */
async function throughService(client: Client, err: Say): Promise<Told> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const piece of await client.open('POST', '/v1/verify', 'application/x-ndjson')) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const told = JSON.parse(line) as { readonly progress: string } | Told
      if (!('progress' in told)) return told
      err(plain(told.progress))
    }
  }
  throw new Error('The service ended before its verdict. Look into its log, and try again.')
}

type ToldMonths = () => Promise<readonly { readonly month: string; readonly sha256: string }[]>

const toldBy =
  (client: Client): ToldMonths =>
  async () =>
    ((await client.request('GET', '/v1/ledger/months')).body as { archived: Awaited<ReturnType<ToldMonths>> }).archived

const toldOffline =
  (env: Env): ToldMonths =>
  () =>
    onDatabase(env, async ({ pool }) => [...(await archivesTold(pool)).values()])

/** Each file by itself, then its bytes against the hash that the ledger keeps. */
async function archives(files: readonly string[], tell: ToldMonths, err: Say) {
  const known = await tell()
  const told = []
  for (const file of files) {
    const verdict = await checkLedgerFile(createReadStream(file), (text) => err(`${plain(file)}: ${text}`)).catch(
      (cause: unknown) => {
        if (cause instanceof Error && 'code' in cause) throw new UsageProblem(`${plain(file)}: ${plain(cause.message)}`)
        throw cause
      },
    )
    const month = known.find(({ sha256 }) => sha256 === verdict.sha256)?.month
    const problems = [
      ...verdict.problems,
      ...(month === undefined ? ['the ledger tells of no month that was archived as this file'] : []),
    ]
    const what = `${month ?? verdict.months.join(', ')}, ${verdict.entries} entries, ${verdict.seals} seals`
    const text =
      problems.length === 0
        ? `${plain(file)}: whole, and what was archived (${what}).`
        : [`${plain(file)}: is not what it should be (${what}):`, ...problems.map((each) => plain(`  ${each}`))].join(
            '\n',
          )
    told.push({ file, month, ...verdict, problems, text })
  }
  return told
}

const sentence = ({ entries, archivedEntries, seals, skus, problems }: Told): string =>
  problems.length === 0
    ? `All is well: ${entries} entries, ${seals} seals, ${skus} SKUs rebuilt from the ledger and equal to the last unit.${
        archivedEntries > 0 ? ` ${archivedEntries} entries more lie in archived months; their seals hold.` : ''
      }`
    : ['The ledger and the state do not agree:', ...problems.map((problem) => plain(`  ${problem}`))].join('\n')
