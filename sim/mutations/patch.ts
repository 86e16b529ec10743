/**
 * A planted bug as a patch: a first line that says in words what a careless hand did, then a unified diff of shipped source. Its
 * hunks are found by what they say, not by line numbers, so that an edit elsewhere in the file does no harm to them; but each must
 * be found in one place only.
 */

/** One place of a file: these lines become those. */
export type Hunk = { readonly before: string; readonly after: string }

export type Patch = {
  /** What the careless hand did; a history's number in front where it is one of those. */
  readonly about: string
  /** By file, from the root of the repository. */
  readonly hunks: ReadonlyMap<string, readonly Hunk[]>
}

/** Reads a patch. Throws when it is none. */
export function readPatch(text: string): Patch {
  const [about = '', ...lines] = text.split('\n')
  const hunks = new Map<string, Hunk[]>()
  let file: string | undefined
  let open: { before: string[]; after: string[] } | undefined
  const close = (): void => {
    if (open && file !== undefined)
      hunks.get(file)?.push({ before: open.before.join('\n'), after: open.after.join('\n') })
    open = undefined
  }
  for (const line of lines) {
    const named = /^\+\+\+ b\/(.+)$/.exec(line)
    if (named?.[1] !== undefined) {
      close()
      file = named[1]
      hunks.set(file, [])
    } else if (line.startsWith('@@')) {
      close()
      open = { before: [], after: [] }
    } else if (line.startsWith('diff ')) close()
    else if (!line.startsWith('--- ') && line !== '') {
      if (line[0] !== '+') open?.before.push(line.slice(1))
      if (line[0] !== '-') open?.after.push(line.slice(1))
    }
  }
  close()
  if (about === '' || [...hunks.values()].flat().length === 0) throw new Error('This is no patch')
  return { about, hunks }
}

/** The text with every hunk in it. Throws when one is not found, or found twice. */
export function patched(text: string, hunks: readonly Hunk[]): string {
  return hunks.reduce((current, { before, after }) => {
    const lines = `\n${current}`
    const at = lines.indexOf(`\n${before}\n`)
    if (at < 0) throw new Error(`Nowhere: ${before}`)
    if (lines.indexOf(`\n${before}\n`, at + 1) >= 0) throw new Error(`In more than one place: ${before}`)
    return `${lines.slice(1, at + 1)}${after}${lines.slice(at + 1 + before.length)}`
  }, text)
}
