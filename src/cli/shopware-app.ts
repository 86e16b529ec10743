/** `holdfast shopware-app build`: writes the app that a shop installs. */
import { parseArgs } from 'node:util'
import { writeApp } from '../adapters/shopware/app-bundle.ts'
import { type Command, EXIT, read, UsageProblem } from './command.ts'

export const shopwareApp: Command = {
  name: 'shopware-app',
  summary: 'Write the app that a Shopware shop installs',
  usage: `holdfast shopware-app build [FOLDER] --public-url URL

  FOLDER (default: .) receives a folder "Holdfast"; copy it to custom/apps of the shop and install it there.
  The URL is where the shop reaches this service; it may be given by HOLDFAST_PUBLIC_URL.`,
  async run(args, { client, out, env }) {
    const { values, positionals } = read(() =>
      parseArgs({ args: [...args], allowPositionals: true, options: { 'public-url': { type: 'string' } } }),
    )
    const [verb, folder = '.'] = positionals
    if (verb !== 'build' || positionals.length > 2) throw new UsageProblem('Say "build"')
    const publicUrl = values['public-url'] ?? env.HOLDFAST_PUBLIC_URL
    if (publicUrl === undefined || !URL.canParse(publicUrl) || !/^https?:/i.test(publicUrl))
      throw new UsageProblem('Give --public-url, the URL under which the shop reaches this service')
    const { body } = await client.request('GET', '/v1/shopware-app')
    const { appSecret, version } = body as { appSecret: string; version: string }
    await writeApp(folder, { publicUrl: publicUrl.replace(/\/+$/, ''), appSecret, version })
    out(
      `${folder}/Holdfast is written. Copy it to custom/apps of the shop, then: bin/console app:install --activate Holdfast`,
    )
    return EXIT.ok
  },
}
