/** Bearer tokens of people and programs, kept as SHA-256 only. */
import { createHash, randomBytes } from 'node:crypto'
import type { Queryable } from './database.ts'

export type Scope = 'read' | 'operate' | 'admin'
export type TokenHolder = { readonly name: string; readonly scope: Scope }

/** What each scope may do: a wider one includes the narrower. */
const RANK: Record<Scope, number> = { read: 0, operate: 1, admin: 2 }
export const allows = (has: Scope, needs: Scope): boolean => RANK[has] >= RANK[needs]

const digest = (token: string): Buffer => createHash('sha256').update(token).digest()

/** Makes a token; only its hash is kept, so this is the one time that it is seen. */
export async function createToken(on: Queryable, name: string, scope: Scope): Promise<string> {
  const token = `hf_${scope}_${randomBytes(24).toString('base64url')}`
  await on.query('insert into token (hash, name, scope) values ($1, $2, $3)', [digest(token), name, scope])
  return token
}

/** Who a token belongs to; `undefined` for an unknown or revoked one. The lookup is by hash: its time tells nothing. */
export async function holderOf(on: Queryable, token: string): Promise<TokenHolder | undefined> {
  const { rows } = await on.query<TokenHolder>('select name, scope from token where hash = $1 and revoked_at is null', [
    digest(token),
  ])
  return rows[0]
}

/** Takes over a token that was made before (the one in `HOLDFAST_HOME/admin-token`), so that it works with this database too. */
export const keepToken = (on: Queryable, token: string, name: string, scope: Scope) =>
  on.query('insert into token (hash, name, scope) values ($1, $2, $3) on conflict do nothing', [
    digest(token),
    name,
    scope,
  ])
