/** `holdfast serve`, `start` and `demo`: the service, alone or with a simulated warehouse and two simulated shops beside it. */
import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import colors from 'picocolors'
import pino from 'pino'
import { checkConfiguration } from '../app/configuration-file.ts'
import { type Config, readConfig } from '../config.ts'
import { type Service, startService } from '../service.ts'
import { type Client, type Command, clientOf, EXIT, read, type Shell } from './command.ts'

/** How long a stop may take before we end anyway. */
const STOP_WITHIN_MS = 10_000
/** The environment name under which the demo's source finds its secret. */
const DEMO_SECRET = 'HOLDFAST_DEMO_SECRET'

export const serve: Command = {
  name: 'serve',
  summary: 'Run the service',
  usage: 'holdfast serve',
  run: (args, shell) => run(args, shell, 'never'),
}

export const start: Command = {
  name: 'start',
  summary: 'Run the service; with nothing configured, add the demo world',
  usage: 'holdfast start',
  run: (args, shell) => run(args, shell, 'when-empty'),
}

export const demo: Command = {
  name: 'demo',
  summary: 'Run the service with a simulated warehouse and two simulated shops',
  usage: 'holdfast demo',
  run: (args, shell) => run(args, shell, 'always'),
}

async function run(
  args: readonly string[],
  shell: Shell,
  withDemo: 'never' | 'when-empty' | 'always',
): Promise<number> {
  read(() => parseArgs({ args: [...args], options: {} }))
  const config = readConfig(shell.env)
  const demoSecret = `whsec_${randomBytes(32).toString('base64')}`
  const isTerminal = process.stdout.isTTY === true
  const quiet = withDemo !== 'never' && isTerminal && shell.env.LOG_LEVEL === undefined
  const log = pino({ level: quiet ? 'warn' : config.logLevel, base: null }, pino.destination({ dest: 2, sync: false }))
  const signalled = firstSignal()
  let outdate = (): void => undefined
  const outdated = new Promise<'outdated'>((told) => {
    outdate = () => told('outdated')
  })
  const service = await startService({
    config,
    log,
    version: shell.version,
    demo: withDemo,
    secret: (name) => (name === DEMO_SECRET ? demoSecret : shell.env[name]),
    onOutdated: outdate,
  })
  welcome(shell, service, { config, isTerminal })
  const stopping = new AbortController()
  const played = service.isDemo ? playDemo(shell, service, demoSecret, stopping.signal) : Promise.resolve()
  played.catch((cause: unknown) =>
    shell.err(`The demo ended: ${cause instanceof Error ? cause.message : String(cause)}`),
  )
  const reason = await Promise.race([signalled, outdated])
  log.info({ reason }, 'Stopping: doors first, then what is under way.')
  stopping.abort()
  await played.catch(() => undefined)
  await service.stop()
  return reason === 'outdated' ? EXIT.failed : EXIT.ok
}

/**
 * Heard from the first moment on, so that whoever gives up while we start leaves no server behind; and for good, since the terminal
 * sends Ctrl-C to everybody and the launcher passes it on: unheard, the second one would end us at once.
 */
async function firstSignal(): Promise<NodeJS.Signals> {
  const signal = await new Promise<NodeJS.Signals>((told) => {
    process.on('SIGINT', told)
    process.on('SIGTERM', told)
  })
  setTimeout(() => process.exit(EXIT.failed), STOP_WITHIN_MS).unref()
  return signal
}

type Place = { readonly config: Config; readonly isTerminal: boolean }

function welcome(
  { out }: Shell,
  { url, adminToken, isFirstStart, schema }: Service,
  { config, isTerminal }: Place,
): void {
  out('')
  out(`  ${colors.bold(colors.cyan('Holdfast'))} answers at ${colors.underline(url)}`)
  out(
    `  ${colors.dim('database ')} ${config.databaseUrl === undefined ? `embedded PostgreSQL in ${config.home}` : 'DATABASE_URL'}, schema ${schema}`,
  )
  if (isFirstStart) {
    // A log file is no place for a token: who reads it finds the file that holds it.
    if (isTerminal) out(`  ${colors.dim('token    ')} ${adminToken}`)
    out(`  ${colors.dim(isTerminal ? '          kept in' : 'token     kept in')} ${config.home}/admin-token`)
  }
  out('')
}

/** The demo world speaks the real protocols over HTTP; this is all that it is given. */
async function playDemo(shell: Shell, service: Service, secret: string, stop: AbortSignal): Promise<void> {
  const { runDemo } = await import('../../sim/demo.ts')
  const client = clientOf({ url: service.url, token: service.adminToken, tokenFile: '' })
  tryThis(shell, service.url)
  await runDemo({
    auth: { kind: 'standard-webhooks', secret },
    log: shell.out,
    stop,
    holdfast: {
      url: service.url,
      configure: (world) => configureDemo(client, world),
      manifest: () => ({
        appName: 'Holdfast',
        appSecret: service.appSecret,
        registrationUrl: `${service.url}/shopware/registration`,
        gatewayUrl: `${service.url}/shopware/checkout-gateway`,
        webhooksUrl: `${service.url}/shopware/webhooks`,
      }),
      async stock(sku) {
        const { body } = await client.request('GET', `/v1/stock?skus=${encodeURIComponent(sku)}`)
        const [first] = body as {
          warehouses: { figureUnits: number }[]
          shops: { availableUnits: number; reservedUnits: number; shortageUnits: number }[]
        }[]
        const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0)
        return {
          figure: sum(first?.warehouses.map(({ figureUnits }) => figureUnits) ?? []),
          reserved: sum(first?.shops.map(({ reservedUnits }) => reservedUnits) ?? []),
          shortage: Math.max(0, ...(first?.shops.map(({ shortageUnits }) => shortageUnits) ?? [])),
          available: Math.max(0, ...(first?.shops.map(({ availableUnits }) => availableUnits) ?? [])),
        }
      },
      async hold(channel, key, sku, units) {
        await client.request('PUT', `/v1/shops/${channel}/reservations/${key}`, { body: { lines: [{ sku, units }] } })
      },
      async place(channel, key, order) {
        await client.request('POST', `/v1/shops/${channel}/reservations/${key}/place`, { body: { order } })
      },
      async deadLetters() {
        const { body } = await client.request('GET', '/v1/dead-letters?limit=500')
        return (body as { deadLetters: unknown[] }).deadLetters.length
      },
    },
  })
}

/** The simulated shops have new addresses at each start, so they replace what an earlier demo left. */
async function configureDemo(
  client: Client,
  world: {
    readonly source: string
    readonly warehouse: string
    readonly shops: readonly { readonly name: string; readonly url: string }[]
    readonly channel: string
  },
): Promise<void> {
  const document = {
    sources: {
      [world.source]: {
        semantics: 'net',
        auth: { kind: 'standard-webhooks', secretFrom: { env: DEMO_SECRET } },
        defaultWarehouse: world.warehouse,
      },
    },
    warehouses: { [world.warehouse]: { source: world.source, zone: 'Europe/Berlin' } },
    shops: {
      ...Object.fromEntries(
        world.shops.map(({ name, url }) => [
          name,
          { kind: 'shopware', url, warehouses: [world.warehouse], zone: 'Europe/Berlin', orderInFlight: '2s' },
        ]),
      ),
      [world.channel]: { kind: 'channel', warehouses: [world.warehouse], zone: 'Europe/Berlin' },
    },
  }
  const checked = checkConfiguration(document)
  if ('problems' in checked) throw new Error(`The demo's configuration is wrong: ${JSON.stringify(checked.problems)}`)
  await client.request('PUT', '/v1/configuration', { body: checked.document })
}

function tryThis({ out }: Shell, url: string): void {
  const line = (command: string, what: string): void => out(`  ${command.padEnd(48)} ${colors.dim(what)}`)
  out(
    `  ${colors.bold('A simulated warehouse and two simulated shops are opening')}, in a schema that the next start drops.`,
  )
  out(`  For your own: ${colors.bold('npx holdfast serve')}. Meanwhile, try this in another terminal:`)
  out('')
  line(`Open ${url}`, 'how the service is doing')
  line('npx holdfast stock LAMP-OAK', 'what is sellable, and from where')
  line('npx holdfast ledger --sku LAMP-OAK', 'every change, with who and why')
  line('npx holdfast reserve demo-market b1 TEAPOT=1', 'hold one, as a marketplace would')
  line('npx holdfast incidents', 'what a person should know')
  line('npx holdfast verify', 'rebuild everything from the ledger, and compare')
  out('')
}
