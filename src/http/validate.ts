/** Checks what comes with a request. Nothing in a body is ever turned into something else: `"5"` is no number there. */
import type { TSchema } from 'typebox'
import { checkerOf } from '../app/schema-problems.ts'
import { Problem } from './problem.ts'

type Part = 'body' | 'querystring' | 'params' | 'headers'

/** The validator of one part of a route. Addresses are text, so plain numbers and truths in them are read first. */
export function validatorOf(
  schema: TSchema,
  part: string | undefined,
): (value: unknown) => { value: unknown } | { error: Problem } {
  const check = checkerOf(schema)
  const isText = part === 'querystring' || part === 'params'
  return (sent) => {
    const value = isText ? readTexts(schema, sent) : sent
    const problems = check(value)
    if (problems.length === 0) return { value }
    const [first] = problems
    const where = first?.path || (NAMES[part as Part] ?? 'The request')
    return {
      error: new Problem('REQUEST_WRONG', `${where} ${first?.problem ?? 'is wrong'}.`, {
        more: { problems: problems.map(({ path, problem }) => ({ field: path, problem })) },
      }),
    }
  }
}

const NAMES: Readonly<Record<Part, string>> = {
  body: 'The body',
  querystring: 'The query',
  params: 'The address',
  headers: 'The headers',
}

const INTEGER = /^(0|-?[1-9][0-9]{0,15})$/

function readTexts(schema: TSchema, sent: unknown): unknown {
  if (typeof sent !== 'object' || sent === null) return sent
  const properties = 'properties' in schema ? (schema.properties as Readonly<Record<string, { type?: string }>>) : {}
  const read = (name: string, text: unknown): unknown => {
    const type = Object.hasOwn(properties, name) ? properties[name]?.type : undefined
    if (type === 'integer' && typeof text === 'string' && INTEGER.test(text)) return Number(text)
    if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
    return text
  }
  return Object.fromEntries(Object.entries(sent).map(([name, text]) => [name, read(name, text)]))
}
