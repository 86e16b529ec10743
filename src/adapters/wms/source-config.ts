/** How one source is connected: who may speak for it, in which dialect, about which warehouses. */
import { createHash } from 'node:crypto'
import type { ConfigurationDocument } from '../../app/configuration-file.ts'
import { keyOf } from './authenticate.ts'

export type SourceAuth =
  | { readonly kind: 'standard-webhooks'; readonly secrets: readonly string[] }
  | {
      readonly kind: 'hmac'
      readonly header: string
      readonly encoding: 'hex' | 'base64'
      readonly secrets: readonly string[]
    }
  /** SHA-256 of the tokens: the tokens themselves are not kept. */
  | { readonly kind: 'bearer'; readonly tokenHashes: readonly Buffer[] }
  /** The source is asked: nobody may speak for it. */
  | { readonly kind: 'pulled' }

export type SourceConfig = {
  readonly name: string
  readonly dialect: 'flat' | 'canonical' | 'auto' | 'tryton'
  readonly auth: SourceAuth
  readonly semantics: 'net' | 'gross'
  /** Where flat messages belong, and canonical ones that name no warehouse. */
  readonly defaultWarehouse: string
  /** The warehouses of this source; a message about another one is a dead letter. */
  readonly warehouses: readonly string[]
  /** Flat dialect only: `available_stock` still includes `reserved_stock`. */
  readonly availableIncludesReserved: boolean
}

/** A source's connection from the configuration; `missing` says what to set where the secret is not there, or is too short. */
export function sourceConfigOf(
  name: string,
  document: ConfigurationDocument,
  secret: (name: string) => string | undefined,
): { readonly source: SourceConfig } | { readonly missing: string } {
  const rules = document.sources[name]
  if (!rules) return { missing: name }
  if (rules.pull) return { source: { ...aboutOf(name, rules, document), auth: { kind: 'pulled' } } }
  const variable = rules.auth?.secretFrom.env ?? ''
  const value = secret(variable)
  if (!rules.auth || value === undefined || value === '') return { missing: variable }
  const { auth } = rules
  // Several secrets, separated by blanks, are accepted while one is exchanged for another.
  const secrets = value.split(/\s+/).filter((each) => each !== '')
  // A key that decodes to nothing would let anybody sign.
  const weak = secrets.length === 0 || secrets.some((each) => bytesOf(auth.kind, each) < MIN_SECRET_BYTES)
  if (weak) return { missing: `${variable} to a secret of at least ${MIN_SECRET_BYTES} bytes` }
  return { source: { ...aboutOf(name, rules, document), auth: authOf(auth, secrets) } }
}

type SourceRules = ConfigurationDocument['sources'][string]

const aboutOf = (name: string, rules: SourceRules, document: ConfigurationDocument): Omit<SourceConfig, 'auth'> => ({
  name,
  dialect: rules.dialect ?? 'auto',
  semantics: rules.semantics,
  defaultWarehouse: rules.defaultWarehouse,
  warehouses: Object.entries(document.warehouses).flatMap(([key, { source }]) => (source === name ? [key] : [])),
  availableIncludesReserved: rules.availableIncludesReserved ?? false,
})

/** Standard Webhooks asks for 24 bytes; anything below 16 can be guessed. */
const MIN_SECRET_BYTES = 16

const bytesOf = (kind: SourceAuth['kind'], secret: string): number =>
  kind === 'standard-webhooks' ? keyOf(secret).length : Buffer.byteLength(secret)

function authOf(auth: NonNullable<SourceRules['auth']>, secrets: readonly string[]): SourceAuth {
  switch (auth.kind) {
    case 'standard-webhooks':
      return { kind: 'standard-webhooks', secrets }
    case 'hmac':
      return { kind: 'hmac', header: auth.header, encoding: auth.encoding, secrets }
    case 'bearer':
      return { kind: 'bearer', tokenHashes: secrets.map((token) => createHash('sha256').update(token).digest()) }
  }
}
