/** Plants a bug: whoever imports a patched file from now on gets it with the bug in it. The tree stays as it is. */
import { readdirSync, readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Patch, patched, readPatch } from './patch.ts'

const ROOT = join(import.meta.dirname, '../..')

/** The planted bugs, by name. */
export const bugs = (): readonly string[] =>
  readdirSync(import.meta.dirname).flatMap((file) => (file.endsWith('.patch') ? [file.slice(0, -'.patch'.length)] : []))

export const bugOf = (name: string): Patch =>
  readPatch(readFileSync(join(import.meta.dirname, `${name}.patch`), 'utf8'))

/** The files of a bug as they are with it, by path from the root. Throws when it cannot be planted. */
export const plantedFiles = ({ hunks }: Patch): ReadonlyMap<string, string> =>
  new Map([...hunks].map(([file, each]) => [file, patched(readFileSync(join(ROOT, file), 'utf8'), each)]))

/** Has to happen before the first import of anything that is patched. */
export function plant(name: string): void {
  const sources = new Map(
    [...plantedFiles(bugOf(name))].map(([file, text]) => [pathToFileURL(join(ROOT, file)).href, text]),
  )
  registerHooks({
    load(url, context, next) {
      const source = sources.get(url)
      return source === undefined ? next(url, context) : { format: 'module-typescript', source, shortCircuit: true }
    },
  })
}
