/** What is wrong about a configuration only because of the one before it. */
import type { ConfigurationDocument, ConfigurationProblem } from './configuration-file.ts'

/**
 * A warehouse stays with its source. Figures and words are put in order by their source's own numbers: the first ones of another
 * source would be late for as long as it counts below the former one, and the last figure of that one would be sold from meanwhile.
 */
export function changeProblems(
  before: ConfigurationDocument,
  after: ConfigurationDocument,
): readonly ConfigurationProblem[] {
  return Object.entries(after.warehouses).flatMap(([name, { source }]) => {
    const former = Object.hasOwn(before.warehouses, name) ? before.warehouses[name]?.source : undefined
    if (former === undefined || former === source) return []
    const problem = `belongs to source "${former}" and cannot be given to "${source}": give its goods a warehouse of another name`
    return [{ path: `warehouses.${name}.source`, problem }]
  })
}
