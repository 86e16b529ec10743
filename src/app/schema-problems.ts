/** What a schema has against a value, said by the path of the value and with what would be right: from its descriptions. */
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { Settings } from 'typebox/system'

/** One trouble: where, and what would be right. */
export type SchemaProblem = { readonly path: string; readonly problem: string }

type SchemaError = {
  readonly keyword: string
  readonly schemaPath: string
  readonly instancePath: string
  readonly message: string
  readonly params: object
}

/** More than a person would read at once. */
const MAX_PROBLEMS = 20
/** Each trouble of ours is up to a dozen of the library's: those of every branch of a choice. Its own bound is 8. */
Settings.Set({ maxErrors: 1_000 })

/** Compiles a schema into a check: nothing wrong is an empty list. */
export function checkerOf(schema: TSchema): (value: unknown) => readonly SchemaProblem[] {
  const compiled = Compile(schema)
  return (value) => {
    if (compiled.Check(value)) return []
    const errors = [...compiled.Errors(value)].filter(({ keyword }) => keyword !== 'boolean')
    const told = errors.filter((error) => !isOfAnotherChoice(error, errors, schema, value))
    const problems = told.flatMap((error) => problemsOf(error, schema))
    const distinct = [...new Map(problems.map((each) => [`${each.path} ${each.problem}`, each])).values()]
    return distinct.length > 0 ? distinct.slice(0, MAX_PROBLEMS) : [{ path: '', problem: 'does not fit its schema' }]
  }
}

/**
 * A choice that fails tells the troubles of each of its branches. Where the value names its `kind`, only those of that branch are
 * told; elsewhere only that none fits.
 */
function isOfAnotherChoice(error: SchemaError, all: readonly SchemaError[], schema: TSchema, value: unknown): boolean {
  return all.some((choice) => {
    if (choice.keyword !== 'anyOf') return false
    const branch = branchOf(choice, schema, value)
    if (error === choice) return branch !== undefined
    const inChoice = error.schemaPath.startsWith(`${choice.schemaPath}/anyOf/`)
    return inChoice && !(branch !== undefined && isIn(error.schemaPath, `${choice.schemaPath}/anyOf/${branch}`))
  })
}

const isIn = (path: string, parent: string): boolean => path === parent || path.startsWith(`${parent}/`)

function branchOf(choice: SchemaError, schema: TSchema, value: unknown): number | undefined {
  const kind = at(at(value, choice.instancePath), '/kind')
  const branches = at(at(schema, choice.schemaPath.slice(1)), '/anyOf')
  if (kind === undefined || !Array.isArray(branches)) return undefined
  const found = branches.findIndex((branch) => at(branch, '/properties/kind/const') === kind)
  return found < 0 ? undefined : found
}

function problemsOf(
  { keyword, schemaPath, instancePath, message, params }: SchemaError,
  root: TSchema,
): SchemaProblem[] {
  const schema = at(root, schemaPath.slice(1))
  const path = tokens(instancePath).join('.')
  const below = (name: string): string => (path === '' ? name : `${path}.${name}`)
  const names = (list: unknown): readonly string[] => (Array.isArray(list) ? list.map(String) : [])
  switch (keyword) {
    case 'additionalProperties':
      return names(at(params, '/additionalProperties')).map((name) => ({
        path: below(name),
        problem: unknownIn(schema),
      }))
    case 'required':
      return names(at(params, '/requiredProperties')).map((name) => {
        const description = at(at(schema, '/properties'), `/${name}/description`)
        return { path: below(name), problem: `is missing${typeof description === 'string' ? `: ${description}` : ''}` }
      })
    default: {
      const description = at(schema, '/description')
      return [{ path, problem: typeof description === 'string' ? `must be ${description}` : message }]
    }
  }
}

function unknownIn(schema: unknown): string {
  const patterns = at(schema, '/patternProperties')
  if (typeof patterns === 'object' && patterns !== null) return 'is no name: use letters, digits, -, _ and .'
  const known = at(schema, '/properties')
  return `is unknown; known are ${typeof known === 'object' && known !== null ? Object.keys(known).join(', ') : 'none'}`
}

const tokens = (pointer: string): readonly string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))

/** What stands at a JSON pointer. */
function at(value: unknown, pointer: string): unknown {
  let here = value
  for (const token of tokens(pointer)) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, token)) return undefined
    here = Object.getOwnPropertyDescriptor(here, token)?.value
  }
  return here
}
