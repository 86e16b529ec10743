/** Bearer tokens with a scope. The 401 says the same whatever was wrong. */
import type { FastifyRequest } from 'fastify'
import { allows, type Scope } from '../adapters/postgres/token-store.ts'
import { Problem } from './problem.ts'
import type { HttpWorld } from './world.ts'

const names = new WeakMap<FastifyRequest, string>()

/** Lets a request through whose token has at least this scope; asked before its body is read. */
export const need =
  (world: Pick<HttpWorld, 'holderOf'>, scope: Scope) =>
  async (request: FastifyRequest): Promise<void> => {
    const token = /^Bearer ([A-Za-z0-9_-]{8,200})$/.exec(request.headers.authorization ?? '')?.[1]
    const holder = token === undefined ? undefined : await world.holderOf(token)
    if (!holder) {
      throw new Problem('TOKEN_MISSING', 'Send a valid token as "Authorization: Bearer …".', {
        headers: { 'www-authenticate': 'Bearer' },
      })
    }
    if (!allows(holder.scope, scope)) {
      throw new Problem('SCOPE_TOO_NARROW', `This needs a token with scope "${scope}"; yours has "${holder.scope}".`)
    }
    names.set(request, holder.name)
  }

/** Who asks, for the ledger. */
export const actorOf = (request: FastifyRequest): string => `token:${names.get(request) ?? 'unknown'}`
