/** `holdfast verify`: rebuilds every state from the ledger and compares. */
import { parseArgs } from 'node:util'
import { openDatabase } from '../adapters/postgres/database.ts'
import { verify as verifyDatabase } from '../adapters/postgres/verify.ts'
import { readConfig } from '../config.ts'
import { asJson, type Command, EXIT, plain, read, UsageProblem } from './command.ts'

type Told = {
  readonly entries: number
  readonly seals: number
  readonly skus: number
  readonly problems: readonly string[]
}

export const verify: Command = {
  name: 'verify',
  summary: 'Prove the ledger: hashes, seals, and every state rebuilt and compared',
  usage: `holdfast verify [--offline] [--json]

  Asks the running service; --offline reads DATABASE_URL itself. Exit code 1: something is wrong.`,
  async run(args, { client, out, err, env }) {
    const { values } = read(() =>
      parseArgs({ args: [...args], options: { offline: { type: 'boolean' }, json: { type: 'boolean' } } }),
    )
    const told = values.offline ? await offline(env, err) : ((await client.request('POST', '/v1/verify')).body as Told)
    out(values.json ? asJson(told) : sentence(told))
    return told.problems.length === 0 ? EXIT.ok : EXIT.failed
  },
}

async function offline(env: Readonly<Record<string, string | undefined>>, err: (text: string) => void): Promise<Told> {
  const { databaseUrl, schema } = readConfig(env)
  if (databaseUrl === undefined)
    throw new UsageProblem('Set DATABASE_URL: the embedded database is verified through the running service')
  const database = openDatabase({ url: databaseUrl, schema })
  try {
    return await verifyDatabase(database, err)
  } finally {
    await database.close()
  }
}

const sentence = ({ entries, seals, skus, problems }: Told): string =>
  problems.length === 0
    ? `All is well: ${entries} entries, ${seals} seals, ${skus} SKUs rebuilt from the ledger and equal to the last unit.`
    : ['The ledger and the state do not agree:', ...problems.map((problem) => plain(`  ${problem}`))].join('\n')
