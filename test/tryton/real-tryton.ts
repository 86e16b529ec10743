/**
 * The real Tryton that the tests take from the environment, spoken to with a client of their own: what proves the product must not
 * stand on the product's own code.
 */
import assert from 'node:assert/strict'

export type TrytonEnvironment = {
  readonly url: string
  readonly database: string
  readonly user: string
  readonly password: string
}

/** `TRYTON_URL` (without the database), `TRYTON_DATABASE`, `TRYTON_USER`, `TRYTON_PASSWORD`; `undefined` where there is none. */
export function trytonEnvironment(environment: NodeJS.ProcessEnv): TrytonEnvironment | undefined {
  const { TRYTON_URL: url, TRYTON_DATABASE: database, TRYTON_USER: user, TRYTON_PASSWORD: password } = environment
  if (!url || !database || !user || !password) return undefined
  return { url: url.replace(/\/+$/, ''), database, user, password }
}

/** Said once where the tests are skipped. */
export const NO_TRYTON =
  'No Tryton in the environment (TRYTON_URL, TRYTON_DATABASE, TRYTON_USER, TRYTON_PASSWORD): its tests are skipped.'

/** A row as Tryton writes it. */
export type Row = Readonly<Record<string, unknown>> & { readonly id: number }

export type Tryton = {
  readonly place: TrytonEnvironment
  call(method: string, params: readonly unknown[], more?: Readonly<Record<string, unknown>>): Promise<unknown>
  create(model: string, values: Readonly<Record<string, unknown>>): Promise<number>
  write(model: string, id: number, values: Readonly<Record<string, unknown>>): Promise<void>
  /** Presses a button of some rows. */
  press(model: string, button: string, ids: readonly number[]): Promise<unknown>
  find(model: string, domain: readonly unknown[], fields: readonly string[]): Promise<readonly Row[]>
}

/** A day as Tryton writes it. */
export const trytonDay = (day: string) => {
  const [year = 0, month = 0, date = 0] = day.split('-').map(Number)
  return { __class__: 'date', year, month, day: date }
}

export const decimal = (text: string) => ({ __class__: 'Decimal', decimal: text })

export async function logIn(place: TrytonEnvironment): Promise<Tryton> {
  const post = async (method: string, params: readonly unknown[], authorization?: string): Promise<unknown> => {
    const response = await fetch(`${place.url}/${place.database}/`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(authorization ? { authorization } : {}) },
      body: JSON.stringify({ id: 1, method, params }),
    })
    const text = await response.text()
    assert.equal(response.status, 200, `${method}: ${response.status} ${text.slice(0, 200)}`)
    const answer: unknown = JSON.parse(text)
    assert(typeof answer === 'object' && answer !== null)
    if ('error' in answer) throw new Error(`${method}: ${JSON.stringify(answer.error).slice(0, 500)}`)
    return 'result' in answer ? answer.result : undefined
  }
  const proof = await post('common.db.login', [place.user, { password: place.password }])
  assert(Array.isArray(proof))
  const authorization = `Session ${Buffer.from(`${place.user}:${proof[0]}:${proof[1]}`).toString('base64')}`
  const context = await post('model.res.user.get_preferences', [true, {}], authorization)
  assert(typeof context === 'object')
  const call: Tryton['call'] = (method, params, more = {}) =>
    post(method, [...params, { ...context, ...more }], authorization)
  return {
    place,
    call,
    async create(model, values) {
      const ids = await call(`model.${model}.create`, [[values]])
      assert(Array.isArray(ids) && typeof ids[0] === 'number')
      return ids[0]
    },
    async write(model, id, values) {
      await call(`model.${model}.write`, [[id], values])
    },
    press: (model, button, ids) => call(`model.${model}.${button}`, [ids]),
    async find(model, domain, fields) {
      const rows = await call(`model.${model}.search_read`, [domain, 0, null, null, fields])
      assert(Array.isArray(rows))
      return rows.map((row: unknown) => {
        assert(typeof row === 'object' && row !== null && 'id' in row && typeof row.id === 'number')
        return { ...row, id: row.id }
      })
    },
  }
}
