/**
 * A login that is kept. A session ends thirty days after it began, at a logout and with a restart of some installations; then the
 * next call is answered 401, and we log in once and repeat once. Never more: wrong passwords make Tryton wait longer each time, and
 * from the seventh on it refuses the right one too.
 */
import { Failure } from '../../../errors.ts'
import { fieldOf } from '../../shopware/pick.ts'
import { LOGIN_PAUSE_MS, NotLoggedIn, type TrytonCall } from './rpc.ts'

export type Login = { readonly user: string; readonly password: string }

/** What Tryton wants as the last parameter of every call about a model: company, language and more, and what the call adds. */
export type Context = Readonly<Record<string, unknown>>

export type TrytonSession = {
  /** Calls a method of a model; the context is added. */
  call(method: string, params: readonly unknown[], more?: Context): Promise<unknown>
}

type Open = { readonly authorization: string; readonly context: Context }

/** Opens a session when it is first needed. One call at a time: Tryton is one process, more callers bring nothing. */
export function trytonSession(call: TrytonCall, { user, password }: Login): TrytonSession {
  let open: Promise<Open> | undefined

  const login = async (): Promise<Open> => {
    const proof = await logIn(call, { user, password })
    const authorization = `Session ${Buffer.from(`${user}:${proof.userId}:${proof.session}`).toString('base64')}`
    const context = await call('model.res.user.get_preferences', [true, {}], authorization)
    return { authorization, context: typeof context === 'object' && context !== null ? { ...context } : {} }
  }
  const opened = (): Promise<Open> => {
    open ??= login()
    open.catch(() => {
      open = undefined
    })
    return open
  }
  const callOnce = async (method: string, params: readonly unknown[], more: Context): Promise<unknown> => {
    const { authorization, context } = await opened()
    return await call(method, [...params, { ...context, ...more }], authorization)
  }

  return {
    async call(method, params, more = {}) {
      const isFresh = open === undefined
      try {
        return await callOnce(method, params, more)
      } catch (cause) {
        if (!(cause instanceof NotLoggedIn)) throw cause
        open = undefined
        if (isFresh) throw refused(user)
      }
      try {
        return await callOnce(method, params, more)
      } catch (cause) {
        if (cause instanceof NotLoggedIn) throw refused(user)
        throw cause
      }
    },
  }
}

async function logIn(
  call: TrytonCall,
  { user, password }: Login,
): Promise<{ readonly userId: number; readonly session: string }> {
  const answer = await call('common.db.login', [user, { password }]).catch((cause: unknown) => {
    throw cause instanceof NotLoggedIn ? refused(user) : isLoginException(cause) ? refused(user) : cause
  })
  const userId = Number(fieldOf(answer, '0'))
  const session = fieldOf(answer, '1')
  if (!Number.isSafeInteger(userId) || typeof session !== 'string') throw refused(user)
  return { userId, session }
}

const isLoginException = (cause: unknown): boolean =>
  cause instanceof Failure && cause.cause instanceof Error && cause.cause.message === 'LoginException'

const refused = (user: string): Failure =>
  new Failure(
    'WMS_LOGIN_REFUSED',
    `Tryton refused the login of "${user}": its password is wrong, or the user is gone. Set the right one in the variable that secretFrom names and restart. It is tried again in ${LOGIN_PAUSE_MS / 60_000} minutes, not sooner, for Tryton locks a user out.`,
    { retry: 'later', retryAfterMs: LOGIN_PAUSE_MS },
  )
