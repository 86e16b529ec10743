/** The environment, checked. Everything has a default; a wrong value is told in a sentence and ends the start. */
import { join, resolve } from 'node:path'
import { SCHEMA_PATTERN } from './adapters/postgres/migrate.ts'

export type Config = {
  /** Absent: the embedded server in `home`. */
  readonly databaseUrl: string | undefined
  readonly home: string
  readonly schema: string
  readonly host: string
  readonly port: number
  /** What shops and warehouses call; without a slash at its end. */
  readonly publicUrl: string | undefined
  readonly logLevel: (typeof LOG_LEVELS)[number]
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

/** A wrong value in the environment. */
export class ConfigProblem extends Error {}

type Environment = Readonly<Record<string, string | undefined>>

/** @throws ConfigProblem naming the variable, what is wrong with it and what would be right */
export function readConfig(environment: Environment): Config {
  const schema = environment.HOLDFAST_SCHEMA ?? 'holdfast'
  if (!SCHEMA_PATTERN.test(schema))
    throw new ConfigProblem(`HOLDFAST_SCHEMA is "${schema}": use lower-case letters, digits and _`)
  const logLevel = LOG_LEVELS.find((level) => level === (environment.LOG_LEVEL ?? 'info'))
  if (!logLevel) throw new ConfigProblem(`LOG_LEVEL is "${environment.LOG_LEVEL}": use one of ${LOG_LEVELS.join(', ')}`)
  return {
    databaseUrl: databaseUrlOf(environment.DATABASE_URL),
    home: homeOf(environment),
    schema,
    host: environment.HOST ?? '127.0.0.1',
    port: portOf(environment.PORT),
    publicUrl: urlOf('HOLDFAST_PUBLIC_URL', environment.HOLDFAST_PUBLIC_URL),
    logLevel,
  }
}

/** What the command line needs to find the running service. */
export const readClientConfig = (
  environment: Environment,
): { readonly url: string; readonly token: string | undefined; readonly tokenFile: string } => ({
  url: urlOf('HOLDFAST_URL', environment.HOLDFAST_URL) ?? `http://127.0.0.1:${portOf(environment.PORT)}`,
  token: environment.HOLDFAST_TOKEN,
  tokenFile: join(homeOf(environment), 'admin-token'),
})

const homeOf = (environment: Environment): string => resolve(environment.HOLDFAST_HOME ?? '.holdfast')

function databaseUrlOf(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined
  if (!/^postgres(ql)?:\/\//.test(text))
    throw new ConfigProblem('DATABASE_URL must begin with postgres:// or postgresql://')
  return text
}

function portOf(text: string | undefined): number {
  const port = text === undefined ? 4600 : Number(text)
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new ConfigProblem(`PORT is "${text}": use a number from 0 to 65535`)
  return port
}

function urlOf(name: string, text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw new ConfigProblem(`${name} is "${text}": use an http or https URL`)
  return text.replace(/\/+$/, '')
}
