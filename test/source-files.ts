/** The repository's own files and what they import, for the checks that look at the whole of it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))

const NOT_OURS = new Set(['node_modules', '.git', '.holdfast', 'dist', 'coverage'])

/** Every file below a folder of the repository, as paths with `/` from its root, sorted. A missing folder has none. */
export function filesBelow(folder: string): readonly string[] {
  if (!existsSync(join(ROOT, folder))) return []
  const entries = readdirSync(join(ROOT, folder), { withFileTypes: true })
  return entries
    .flatMap((entry) => {
      if (NOT_OURS.has(entry.name)) return []
      const path = posix.join(folder, entry.name)
      return entry.isDirectory() ? filesBelow(path) : [path]
    })
    .sort()
}

export const textOf = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

/** One import: a path of the repository, or the name of a package. */
export type Import = { readonly target: string; readonly isOurs: boolean; readonly isType: boolean }

const IMPORT = /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[^'"`;]*?\sfrom\s+)?'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/g

/** What a TypeScript or JavaScript file imports, statically or when it is needed. */
export function importsOf(path: string, text = textOf(path)): readonly Import[] {
  return [...text.matchAll(IMPORT)].flatMap(([, type, fixed, late]) => {
    const name = fixed ?? late
    if (name === undefined) return []
    const isOurs = name.startsWith('.')
    const target = isOurs ? posix.join(posix.dirname(path), name) : packageOf(name)
    return [{ target, isOurs, isType: type !== undefined }]
  })
}

const packageOf = (name: string): string =>
  name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/')

/** Every file that can be reached from some others by imports, these included. */
export function reachedFrom(entries: readonly string[]): ReadonlySet<string> {
  const reached = new Set<string>()
  const open = [...entries]
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (reached.has(path)) continue
    reached.add(path)
    open.push(...importsOf(path).flatMap(({ isOurs, target }) => (isOurs && /\.[tj]s$/.test(target) ? [target] : [])))
  }
  return reached
}
