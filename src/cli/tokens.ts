/** `holdfast tokens`: makes a token; it is shown once. */
import { parseArgs } from 'node:util'
import { asJson, type Command, EXIT, read, UsageProblem } from './command.ts'

export const tokens: Command = {
  name: 'tokens',
  summary: 'Make a token for a person or a program; it is shown once',
  usage: 'holdfast tokens create NAME --scope read|operate|admin [--json]',
  async run(args, { client, out }) {
    const { values, positionals } = read(() =>
      parseArgs({
        args: [...args],
        allowPositionals: true,
        options: { scope: { type: 'string', default: 'read' }, json: { type: 'boolean' } },
      }),
    )
    const [verb, name] = positionals
    if (verb !== 'create' || name === undefined || positionals.length > 2)
      throw new UsageProblem('Say "create" and a name')
    if (!['read', 'operate', 'admin'].includes(values.scope))
      throw new UsageProblem('The scope is read, operate or admin')
    const { body } = await client.request('POST', '/v1/tokens', { body: { name, scope: values.scope } })
    const { token } = body as { token: string }
    out(values.json ? asJson(body) : `${token}\n\nKeep it now: only its hash is stored.`)
    return EXIT.ok
  },
}
