import { describe, expect, test } from 'vitest'
import { type HttpAnswer, type HttpCall, HttpFault, type HttpRequest } from '../../shopware/http-call.ts'
import { trytonCaller } from './rpc.ts'
import { trytonSession } from './session.ts'

const answer = (status: number, body: unknown): HttpAnswer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
})
const result = (value: unknown): HttpAnswer => answer(200, { id: 1, result: value })
const error = (...value: unknown[]): HttpAnswer => answer(200, { id: 1, error: value })
const LOGGED_IN = result([7, 'a'.repeat(64)])
const PREFERENCES = result({ company: 1, language: 'en' })

/** A Tryton that answers as it is told, and remembers what it was asked. */
function tryton(...answers: readonly (HttpAnswer | HttpFault)[]) {
  const asked: { readonly method: string; readonly params: readonly unknown[]; readonly authorization?: string }[] = []
  const left = [...answers]
  const http: HttpCall = async (request: HttpRequest) => {
    const { authorization } = request.headers
    asked.push({ ...JSON.parse(request.body ?? ''), ...(authorization === undefined ? {} : { authorization }) })
    const next = left.shift()
    if (!next) throw new Error('It was asked more often than it answers')
    if (next instanceof HttpFault) throw next
    return next
  }
  const caller = trytonCaller(http, { url: 'https://erp.example', database: 'shop' })
  return { asked, session: trytonSession(caller, { user: 'holdfast', password: 'pass-4711' }) }
}

describe('a session', () => {
  test('logs in when it is first needed, and gives each call the preferences as its last parameter', async () => {
    const { asked, session } = tryton(LOGGED_IN, PREFERENCES, result(3), result(4))
    expect(await session.call('model.stock.move.search_count', [[]])).toBe(3)
    expect(await session.call('model.stock.move.search_count', [[]], { stock_assign: true })).toBe(4)
    expect(asked.map(({ method }) => method)).toEqual([
      'common.db.login',
      'model.res.user.get_preferences',
      'model.stock.move.search_count',
      'model.stock.move.search_count',
    ])
    expect(asked[3]?.params).toEqual([[], { company: 1, language: 'en', stock_assign: true }])
    const [scheme, proof] = asked[3]?.authorization?.split(' ') ?? []
    expect(scheme).toBe('Session')
    expect(Buffer.from(proof ?? '', 'base64').toString()).toBe(`holdfast:7:${'a'.repeat(64)}`)
  })

  test('that is over is opened once more, and the call repeated once', async () => {
    const { asked, session } = tryton(
      ...[LOGGED_IN, PREFERENCES, result(1)],
      ...[answer(401, '<html>'), LOGGED_IN, PREFERENCES, result(2)],
    )
    await session.call('model.ir.date.today', [])
    expect(await session.call('model.ir.date.today', [])).toBe(2)
    expect(asked.filter(({ method }) => method === 'common.db.login')).toHaveLength(2)
  })

  test.each([
    ['401', answer(401, '<html>')],
    ['a question for the password', error('LoginException', ['password', 'Password for admin', 'password'])],
    ['nothing', result(null)],
  ])('is not tried twice where the login is answered with %s, for Tryton locks users out', async (_, refusal) => {
    const { asked, session } = tryton(refusal)
    await expect(session.call('model.ir.date.today', [])).rejects.toMatchObject({
      code: 'WMS_LOGIN_REFUSED',
      retryAfterMs: 300_000,
      message: expect.not.stringContaining('pass-4711'),
    })
    expect(asked).toHaveLength(1)
  })

  test('that ends at once although the login was taken is no reason to go on logging in', async () => {
    const { asked, session } = tryton(LOGGED_IN, PREFERENCES, answer(401, ''))
    await expect(session.call('model.ir.date.today', [])).rejects.toMatchObject({ code: 'WMS_LOGIN_REFUSED' })
    expect(asked).toHaveLength(3)
  })
})

describe('what Tryton answers instead', () => {
  test.each([
    [
      'no answer',
      new HttpFault('timeout', 'no whole answer within 30000 ms', { maybeActed: true }),
      'WMS_UNREACHABLE',
      'later',
    ],
    ['half an answer', new HttpFault('broken', 'aborted', { maybeActed: true }), 'WMS_UNREACHABLE', 'later'],
    ['half a text', answer(200, '{"id":1,"result":[{"id"'), 'WMS_ANSWER_UNREADABLE', 'later'],
    ['a page', answer(200, '<html>Sign in</html>'), 'WMS_ANSWER_UNREADABLE', 'later'],
    ['no result', answer(200, { id: 1 }), 'WMS_ANSWER_UNREADABLE', 'later'],
    ['a crash', answer(500, '<html>'), 'WMS_FAILED', 'later'],
    ['too many logins', answer(429, '<html>'), 'WMS_BUSY', 'later'],
    ['a method that is not exposed', answer(403, '<html>'), 'WMS_RIGHT_MISSING', 'never'],
    ['another address', answer(404, '<html>'), 'WMS_REQUEST_REFUSED', 'never'],
    [
      'a right that is missing',
      error('UserError', ['You are not allowed to access "Sale".', '', null]),
      'WMS_RIGHT_MISSING',
      'later',
    ],
    ['a lock', error('could not serialize access due to concurrent update\n', ''), 'WMS_BUSY', 'later'],
    ['an unknown field', error("'nofield'", ''), 'WMS_REQUEST_REFUSED', 'later'],
  ])('%s is told by its code', async (_, said, code, retry) => {
    const { session } = tryton(LOGGED_IN, PREFERENCES, said)
    await expect(session.call('model.sale.line.search_read', [])).rejects.toMatchObject({ code, retry })
  })

  test('no message of ours holds a path of the server', async () => {
    const { session } = tryton(error("Database '/var/lib/tryton/nope.sqlite' doesn't exist!", ''))
    await expect(session.call('model.ir.date.today', [])).rejects.toMatchObject({
      message: expect.not.stringContaining('/var/lib'),
    })
  })
})
