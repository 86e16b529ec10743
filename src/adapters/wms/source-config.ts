/** How one source is connected: who may speak for it, in which dialect, about which warehouses. */

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

export type SourceConfig = {
  readonly name: string
  readonly dialect: 'flat' | 'canonical' | 'auto'
  readonly auth: SourceAuth
  readonly semantics: 'net' | 'gross'
  /** Where flat messages belong, and canonical ones that name no warehouse. */
  readonly defaultWarehouse: string
  /** The warehouses of this source; a message about another one is a dead letter. */
  readonly warehouses: readonly string[]
  /** Flat dialect only: `available_stock` still includes `reserved_stock`. */
  readonly availableIncludesReserved: boolean
}
