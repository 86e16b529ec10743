/** Tells a database that is away or out of means from a statement that is wrong. */

/**
 * Classes and codes of PostgreSQL that say nothing about our statement: connection lost (08), out of means (53), shutting down or
 * starting (57P), given up after waiting (57014, 55P03, 25P03), a standby (25006), a disk that failed (58).
 */
const SQLSTATES = /^(08|53|57P|57014|55P03|25P03|25006|58)/
/** Codes of Node's sockets: ECONNREFUSED, EPIPE, ENOTFOUND and their like. */
const SOCKET = /^E[A-Z]+$/
/** What `pg` says in words alone, without a code. */
const WORDS = [
  'Connection terminated',
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable',
  'Query read timeout',
  'timeout exceeded when trying to connect',
  'timeout expired',
]

/**
 * Whether PostgreSQL is away, too busy or a standby: trying again later can help, and nobody's statement is to blame. A
 * constraint that was broken, a deadlock, a thrown assertion are no outage, whatever words they use.
 */
export function isOutage(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false
  const code = codeOf(cause)
  if (code !== undefined) return SQLSTATES.test(code) || SOCKET.test(code)
  return WORDS.some((words) => cause.message.startsWith(words))
}

/** The code of an error of PostgreSQL or of a socket. */
export const codeOf = (cause: unknown): string | undefined =>
  cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined
