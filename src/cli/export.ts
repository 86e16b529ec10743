/** `holdfast export`: the rules in force, as YAML. */
import { parseArgs } from 'node:util'
import { type ConfigurationDocument, writeConfigurationYaml } from '../app/configuration-file.ts'
import { asJson, type Command, EXIT, read } from './command.ts'

export const exportConfiguration: Command = {
  name: 'export',
  summary: 'Write the rules in force as holdfast.yaml',
  usage: 'holdfast export [--json] > holdfast.yaml',
  async run(args, { client, out }) {
    const { values } = read(() => parseArgs({ args: [...args], options: { json: { type: 'boolean' } } }))
    const { body } = await client.request('GET', '/v1/configuration')
    const { document } = body as { document: ConfigurationDocument }
    out(values.json ? asJson(document) : writeConfigurationYaml(document).trimEnd())
    return EXIT.ok
  },
}
