/** `sources.NAME.pull`: a system that does not speak by itself, and how to ask it. */
import { type Static, Type } from 'typebox'
import { duration, name, type Say, sayDuration, secretFrom } from './configuration-parts.ts'

export const pull = Type.Object(
  {
    url: Type.String({ description: 'the URL of the system, without its database' }),
    database: Type.String({ pattern: '^[^/\\s]{1,63}$', description: 'the name of its database' }),
    user: Type.String({ pattern: '^[^:\\s]{1,100}$', description: 'the login of a user of its own' }),
    secretFrom,
    warehouses: Type.Record(
      name,
      Type.String({ minLength: 1, maxLength: 255, description: 'the code that the system gives the warehouse' }),
      { additionalProperties: false, description: 'our warehouses, each with its code there, such as { hamburg: WH }' },
    ),
    every: Type.Optional(duration),
  },
  {
    additionalProperties: false,
    description: '{ url, database, user, secretFrom: { env: NAME }, warehouses: { OURS: ITS CODE }, every }',
  },
)

type Source = {
  readonly semantics: 'net' | 'gross'
  readonly dialect?: string
  readonly auth?: unknown
  readonly pull?: Static<typeof pull>
  readonly availableIncludesReserved?: boolean
  readonly allocatesOnAcknowledge?: boolean
  readonly knowsOrdersWithin?: string
}

/** Keys that say how a source speaks by itself. */
const SPEAKING = ['auth', 'availableIncludesReserved', 'allocatesOnAcknowledge', 'knowsOrdersWithin'] as const
const EVERY = ['1s', '1h'] as const

/** A source either speaks by itself and proves who it is, or it is asked. */
export function sayPull(
  key: string,
  source: Source,
  warehouses: Readonly<Record<string, { readonly source: string }>>,
  say: Say,
): void {
  const at = `sources.${key}`
  if (source.dialect !== 'tryton') {
    if (source.auth === undefined) say(`${at}.auth`, 'is missing: say how its messages prove who sent them')
    if (source.pull !== undefined) say(`${at}.pull`, 'belongs to dialect tryton: set that, or take pull out')
    return
  }
  for (const each of SPEAKING)
    if (source[each] !== undefined)
      say(`${at}.${each}`, 'is for sources that speak by themselves: take it out, Tryton is asked')
  if (source.semantics === 'gross')
    say(`${at}.semantics`, 'must be net: a figure of Tryton is without what is assigned')
  if (source.pull) sayConnection(key, source.pull, warehouses, say)
  else say(`${at}.pull`, 'is missing: dialect tryton needs { url, database, user, secretFrom, warehouses }')
}

function sayConnection(
  key: string,
  { url, every, warehouses: codes }: Static<typeof pull>,
  warehouses: Readonly<Record<string, { readonly source: string }>>,
  say: Say,
): void {
  const at = `sources.${key}.pull`
  // One that holds a password is not said again.
  const said = url.includes('@') ? 'it' : `"${url}"`
  if (!isBareUrl(url))
    say(
      `${at}.url`,
      `${said} must be an http or https URL alone, without user and password, such as https://erp.example`,
    )
  sayDuration(`${at}.every`, every, EVERY, say)
  for (const each of Object.keys(codes))
    if (!Object.hasOwn(warehouses, each) || warehouses[each]?.source !== key)
      say(
        `${at}.warehouses.${each}`,
        `"${each}" is no warehouse of this source: write it under warehouses, with source: ${key}`,
      )
  for (const [each, { source }] of Object.entries(warehouses))
    if (source === key && !Object.hasOwn(codes, each))
      say(`${at}.warehouses`, `leaves out "${each}", which belongs to this source: give its code`)
  if (new Set(Object.values(codes)).size < Object.keys(codes).length)
    say(`${at}.warehouses`, 'gives one code twice: each of ours is another warehouse there')
}

/** Without a user, a password, a query or a fragment: they would be lost, or told to whoever reads a message. */
function isBareUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password, search, hash } = new URL(text)
  return /^https?:$/.test(protocol) && username + password + search + hash === ''
}
