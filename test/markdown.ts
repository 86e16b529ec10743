/** What the checks of the documents need to know of Markdown: fenced blocks, links, anchors and tables. */

/** A fenced block: its info string (`json`, `json gross`, `sh`) and its text. */
export type Block = { readonly info: string; readonly text: string }

export const blocksOf = (markdown: string): readonly Block[] =>
  [...markdown.matchAll(/^```([^\n]*)\n([\s\S]*?)^```$/gm)].map(([, info = '', text = '']) => ({
    info: info.trim(),
    text,
  }))

const withoutBlocks = (markdown: string): string => markdown.replace(/^```[\s\S]*?^```$/gm, '')

/** Targets of all links, as they are written. */
export const linksOf = (markdown: string): readonly string[] =>
  [...withoutBlocks(markdown).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target]) => target ?? [])

/** The anchors of a document's headings, as Git forges make them. */
export const anchorsOf = (markdown: string): readonly string[] =>
  [...withoutBlocks(markdown).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\- _]/gu, '')
      .replaceAll(' ', '-'),
  )

/** Rows of all tables, cell by cell, without heads and rules. A `\|` inside a cell is part of it. */
export const rowsOf = (markdown: string): readonly (readonly string[])[] =>
  withoutBlocks(markdown)
    .split('\n')
    .filter((line, index, lines) => line.startsWith('|') && !isRule(line) && !isRule(lines[index + 1] ?? ''))
    .map((line) =>
      line
        .slice(1, line.lastIndexOf('|'))
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    )

const isRule = (line: string): boolean => /^\|[-:| ]+\|$/.test(line)

/** What stands between two headings of the same or a higher level. */
export function sectionOf(markdown: string, heading: string): string {
  const lines = markdown.split('\n')
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, '') === heading)
  if (start < 0) throw new Error(`There is no heading "${heading}"`)
  const level = /^#+/.exec(lines[start] ?? '')?.[0].length ?? 1
  const end = lines.findIndex((line, index) => index > start && new RegExp(`^#{1,${level}} `).test(line))
  return lines.slice(start + 1, end < 0 ? undefined : end).join('\n')
}
