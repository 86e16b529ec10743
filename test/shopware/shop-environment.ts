import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Longest run of one shell command against the shop, in milliseconds; installing an app clears the cache and takes seconds. */
export const COMMAND_TIMEOUT_MS = 120_000

/** Where a real shop is, and the commands that only its host can run; each command is undefined when its variable is unset. */
export type ShopEnvironment = {
  readonly url: string
  readonly adminUser: string
  readonly adminPassword: string
  readonly storeApiKey: string
  readonly salesChannelId: string
  readonly commands: ShopCommands
}

export type ShopCommands = {
  readonly installApp: ((folder: string) => Promise<string>) | undefined
  readonly uninstallApp: ((name: string) => Promise<string>) | undefined
  readonly sql: ((statement: string) => Promise<string>) | undefined
  readonly console: ((...words: string[]) => Promise<string>) | undefined
}

/** True when the environment names a real shop; a test file skips itself when not. */
export function hasRealShop(env: NodeJS.ProcessEnv): boolean {
  return (env.SHOPWARE_URL ?? '') !== ''
}

/**
 * Whether everything is to be tried as often as it takes to believe it (`SHOPWARE_DOSE=full`, about an hour), or once or twice, as
 * before each change of the code.
 */
export function isFullDose(env: NodeJS.ProcessEnv): boolean {
  return env.SHOPWARE_DOSE === 'full'
}

/** Reads the shop out of environment variables; throws `SHOPWARE_VARIABLE_MISSING` with the name of the first unset one. */
export function environmentOf(env: NodeJS.ProcessEnv): ShopEnvironment {
  return {
    url: required(env, 'SHOPWARE_URL'),
    adminUser: required(env, 'SHOPWARE_ADMIN_USER'),
    adminPassword: required(env, 'SHOPWARE_ADMIN_PASSWORD'),
    storeApiKey: required(env, 'SHOPWARE_STORE_API_KEY'),
    salesChannelId: required(env, 'SHOPWARE_SALES_CHANNEL_ID'),
    commands: {
      installApp: command(env.SHOPWARE_INSTALL_APP),
      uninstallApp: command(env.SHOPWARE_UNINSTALL_APP),
      sql: command(env.SHOPWARE_SQL),
      console: command(env.SHOPWARE_CONSOLE),
    },
  }
}

function required(env: NodeJS.ProcessEnv, name: string): string {
  const value = env[name]
  if (value === undefined || value === '')
    throw new Error(
      `SHOPWARE_VARIABLE_MISSING: ${name} is not set. Set it; test/shopware/real-shop.ts tells what it means.`,
    )
  return value
}

/** The prefix is a shell text of whoever runs the tests; our own words are handed over as arguments and never parsed. */
function command(prefix: string | undefined): ((...words: string[]) => Promise<string>) | undefined {
  if (prefix === undefined || prefix === '') return undefined
  return async (...words) => {
    const { stdout } = await promisify(execFile)('sh', ['-c', `${prefix} "$@"`, 'sh', ...words], {
      timeout: COMMAND_TIMEOUT_MS,
      maxBuffer: 16 * 1024 * 1024,
    })
    return stdout
  }
}
