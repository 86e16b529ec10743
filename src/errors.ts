/** The catalogue of failures: every code that an adapter may throw and a person may meet. A test keeps `docs/errors.md` equal. */

/** What a code means and what to do about it. */
export type CatalogueEntry = { readonly meaning: string; readonly mend: string }

export const catalogue = {
  SHOP_UNREACHABLE: {
    meaning: 'A shop did not answer in time, or its connection was refused.',
    mend: 'Nothing is lost: the work stays queued. Check that the shop runs and that its URL can be reached from here.',
  },
  SHOP_BUSY: {
    meaning: 'A shop asked us to slow down (429, 503 or a deadlock in its database).',
    mend: 'Nothing: we wait as long as it asks and try again.',
  },
  SHOP_KEY_REVOKED: {
    meaning: 'A shop refused our integration key (401).',
    mend: 'Install the app again, or check that its integration was not removed.',
  },
  SHOP_RIGHT_MISSING: {
    meaning: 'A shop refused a request for lack of a right (403).',
    mend: 'Update the app so that the merchant grants the permissions of its manifest.',
  },
  SHOP_ADDRESS_FORBIDDEN: {
    meaning: 'The name of a shop leads to a private address, which this Holdfast may not call.',
    mend: 'Check the name. A shop of your own network is called only where its private address is allowed.',
  },
  SHOP_ANSWER_INCOMPLETE: {
    meaning: 'A shop left out a part of an order that we asked for, such as its lines.',
    mend: 'Nothing was taken for deleted. Check that the merchant granted the permissions of the manifest, or update the app.',
  },
  SHOP_ANSWER_UNREADABLE: {
    meaning: 'A shop answered with something that is not what its API promises.',
    mend: 'Look at the excerpt: a login page, a proxy or a changed API version stands in between.',
  },
  SHOP_FAILED: {
    meaning: 'A shop answered with an error of its own (5xx).',
    mend: "Nothing is lost: the work stays queued. If it lasts, look into the shop's log.",
  },
  SHOP_REQUEST_REFUSED: {
    meaning: 'A shop does not understand a request of ours (4xx).',
    mend: 'Compare the version of the shop with those that this Holdfast knows; the message names the field.',
  },
  TABLES_NEWER: {
    meaning: 'A newer Holdfast has changed the tables while this process ran.',
    mend: 'Nothing: it decides nothing more and ends by itself. Start the newer version in its place.',
  },
  WMS_UNREACHABLE: {
    meaning: 'A warehouse system that we pull did not answer in time, or its connection was refused.',
    mend: 'Nothing is lost, and no figure changes: the last ones stay in force. Check that it runs and that its URL can be reached from here.',
  },
  WMS_BUSY: {
    meaning: 'A warehouse system asked us to slow down, or was writing what we wanted to read.',
    mend: 'Nothing: we wait and ask again.',
  },
  WMS_LOGIN_REFUSED: {
    meaning: 'A warehouse system refused the user or the password.',
    mend: 'Put the right password into the variable that `secretFrom` names and restart. It is tried again every five minutes, not oftener, so that the user is not locked out.',
  },
  WMS_RIGHT_MISSING: {
    meaning: 'A warehouse system does not let our user read something.',
    mend: 'Give the user the rights that the page of that system names.',
  },
  WMS_REQUEST_REFUSED: {
    meaning: 'A warehouse system does not understand a request of ours: a database, a module or a field is missing.',
    mend: 'Check the name of the database and that the modules and the version are those that the page of that system names.',
  },
  WMS_ANSWER_UNREADABLE: {
    meaning: 'A warehouse system answered with something that is not what its API promises, or with half of it.',
    mend: 'Nothing of it was taken. Look at the excerpt: a login page or a proxy stands in between, or the version is another one.',
  },
  WMS_FAILED: {
    meaning: 'A warehouse system answered with an error of its own (5xx).',
    mend: 'Nothing is lost. If it lasts, look into its log.',
  },
  DATABASE_UNREACHABLE: {
    meaning: 'PostgreSQL does not answer.',
    mend: 'Nothing that was acknowledged is lost. Start PostgreSQL; Holdfast goes on by itself.',
  },
} as const satisfies Record<string, CatalogueEntry>

export type FailureCode = keyof typeof catalogue

/** The outside did not play along. `retry` says whether trying again later can help. */
export class Failure extends Error {
  readonly code: FailureCode
  readonly retry: 'later' | 'never'
  /** Milliseconds that the other side asked us to wait, if it did. */
  readonly retryAfterMs: number | undefined
  constructor(
    code: FailureCode,
    message: string,
    options: { retry: 'later' | 'never'; cause?: unknown; retryAfterMs?: number },
  ) {
    super(`${code}: ${message}`, { cause: options.cause })
    this.name = 'Failure'
    this.code = code
    this.retry = options.retry
    this.retryAfterMs = options.retryAfterMs
  }
}

/** Ends a `switch` over a union: the compiler refuses a forgotten case. */
export function unreachable(value: never): never {
  throw new Error(`A case was forgotten: ${JSON.stringify(value)}`)
}
