/** What entries of the ledger are looked for by, as options and as a query. */

/** The options. */
export const FILTER = {
  sku: { type: 'string' },
  actor: { type: 'string' },
  cause: { type: 'string' },
  kind: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
} as const

/** Options that are given, as a query. */
export const queryOf = (values: Readonly<Record<string, string | undefined>>): string =>
  new URLSearchParams(
    Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as [string, string]])),
  ).toString()
