import { type Static, type TSchema, Type } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'
import type { ShopEnvironment } from './shop-environment.ts'
import { type Answer, failure, openHttp, type Question, readBody } from './shop-http.ts'

/** Rows that one search may return; Shopware refuses more. */
export const PAGE_ROWS = 500

/** Attempts of one write that met a deadlock in the shop's database; two writers at once meet one now and then. */
const MAX_DEADLOCK_ATTEMPTS = 5

/** A token is renewed this long before it ends, in milliseconds. */
const TOKEN_MARGIN_MS = 60_000

/** The Admin API as the administrator, who may do everything. */
export type ShopAdmin = {
  /** One call without a token. */
  readonly plain: (question: Question) => Promise<Answer>
  /** One call with the token; the answer as it came, also when it is an error. */
  readonly call: (question: Question) => Promise<Answer>
  /** One call that must succeed; a deadlock is tried again, every other error thrown. */
  readonly write: (question: Question, what: string) => Promise<Answer>
  /** One search; the rows as the schema says. */
  readonly search: <Schema extends TSchema>(
    entity: string,
    criteria: Record<string, unknown>,
    schema: Validator<Record<string, never>, Schema>,
  ) => Promise<Static<Schema>>
  readonly close: () => void
}

const tokenAnswer = Compile(Type.Object({ access_token: Type.String(), expires_in: Type.Number() }))
const errorAnswer = Compile(Type.Object({ errors: Type.Array(Type.Object({ code: Type.Optional(Type.String()) })) }))

/** Opens the Admin API with the password of an administrator; the token is fetched at the first call and renewed in time. */
export function openAdmin(environment: ShopEnvironment): ShopAdmin {
  const http = openHttp(environment.url)
  let token: Promise<{ value: string; untilMs: number }> | undefined

  const fetchToken = async (): Promise<{ value: string; untilMs: number }> => {
    const askedMs = Date.now()
    const answer = await http.call({
      method: 'POST',
      path: '/api/oauth/token',
      body: {
        grant_type: 'password',
        client_id: 'administration',
        scopes: 'write',
        username: environment.adminUser,
        password: environment.adminPassword,
      },
    })
    const { access_token, expires_in } = readBody(tokenAnswer, answer, 'the login of the administrator')
    return { value: access_token, untilMs: askedMs + expires_in * 1_000 - TOKEN_MARGIN_MS }
  }
  const freshToken = async (): Promise<string> => {
    const seen = token
    const known = await seen?.catch(() => undefined)
    if (known !== undefined && known.untilMs > Date.now()) return known.value
    // Of many that find it missing or old, the first fetches a new one and the others wait for it.
    if (token === seen || token === undefined) token = fetchToken()
    return (await token).value
  }

  const call = async (question: Question): Promise<Answer> =>
    http.call({ ...question, headers: { ...question.headers, authorization: `Bearer ${await freshToken()}` } })

  const write = async (question: Question, what: string): Promise<Answer> => {
    for (let attempt = 1; ; attempt++) {
      const answer = await call(question)
      if (answer.http < 300) return answer
      if (!isDeadlock(answer) || attempt === MAX_DEADLOCK_ATTEMPTS) throw failure(answer, what)
    }
  }
  const search: ShopAdmin['search'] = async (entity, criteria, schema) =>
    readBody(
      schema,
      await call({ method: 'POST', path: `/api/search/${entity}`, body: criteria }),
      `the search for ${entity}`,
    )
  return { plain: http.call, call, write, search, close: http.close }
}

/** A deadlock in the shop's database comes back as 400 with MySQL's own number. */
function isDeadlock(answer: Answer): boolean {
  const body: unknown = answer.body
  return errorAnswer.Check(body) && body.errors.some((error) => error.code === '1213')
}
