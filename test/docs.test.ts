/** The documents, held against the code that they speak of. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, posix } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { readCanonical } from '../src/adapters/wms/canonical.ts'
import { doorOf } from '../src/adapters/wms/door.ts'
import { FieldProblem } from '../src/adapters/wms/fields.ts'
import { readJson } from '../src/adapters/wms/json.ts'
import { type SourceConfig, sourceConfigOf } from '../src/adapters/wms/source-config.ts'
import { configurationSchema, readConfigurationYaml } from '../src/app/configuration-file.ts'
import type { ReadMessage } from '../src/app/receive.ts'
import { type Command, EXIT } from '../src/cli/command.ts'
import { instantOf } from '../src/core/ids.ts'
import { catalogue } from '../src/errors.ts'
import { homePage } from '../src/http/home-page.ts'
import { PROBLEMS } from '../src/http/problem.ts'
import { createMetrics } from '../src/metrics.ts'
import { anchorsOf, blocksOf, linksOf, rowsOf, sectionOf } from './markdown.ts'
import { filesBelow, ROOT, textOf } from './source-files.ts'

const isProduct = (path: string): boolean => path.endsWith('.ts') && !/\.test\.ts$/.test(path)
const source = filesBelow('src').filter(isProduct)
const pages = [
  ...['README.md', 'ARCHITECTURE.md', 'CHANGELOG.md'].filter((path) => existsSync(join(ROOT, path))),
  ...filesBelow('docs'),
].filter((path) => path.endsWith('.md'))
const sorted = (texts: Iterable<string>): readonly string[] => [...new Set(texts)].sort()
/** The first cell of each row, without its back quotes. */
const names = (markdown: string): readonly string[] =>
  rowsOf(markdown).flatMap(([first = '']) => [...first.matchAll(/`([^`]+)`/g)].flatMap(([, name]) => name ?? []))

describe('links', () => {
  test.each(pages)('every link of %s leads somewhere', (page) => {
    const dead = linksOf(textOf(page)).filter((link) => {
      if (/^https?:/.test(link)) return false
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? page : posix.join(posix.dirname(page), path)
      if (!existsSync(join(ROOT, target))) return true
      return anchor !== undefined && !anchorsOf(textOf(target)).includes(anchor)
    })
    expect(dead).toEqual([])
  })

  test('every page of docs can be reached from its first one', () => {
    const reached = new Set<string>()
    const open = ['docs/README.md']
    for (let page = open.pop(); page !== undefined; page = open.pop()) {
      if (reached.has(page)) continue
      reached.add(page)
      const near = linksOf(textOf(page)).map((link) => posix.join(posix.dirname(page ?? ''), link.split('#')[0] ?? ''))
      open.push(...near.filter((target) => pages.includes(target)))
    }
    expect(pages.filter((page) => page.startsWith('docs/') && !reached.has(page))).toEqual([])
  })

  test('files and folders that a page names exist', () => {
    const named = pages.flatMap((page) =>
      [...textOf(page).matchAll(/`((?:src|sim|test|bin|docs|examples|shopware-app)\/[\w./-]*)`/g)].map(
        ([, path = '']) => ({ page, path }),
      ),
    )
    expect(named.filter(({ path }) => !existsSync(join(ROOT, path)))).toEqual([])
  })
})

describe('pictures', () => {
  test('no diagram holds a semicolon: Mermaid takes what follows for a state', () => {
    const diagrams = pages.flatMap((page) => blocksOf(textOf(page)).filter(({ info }) => info === 'mermaid'))
    expect(diagrams.length).toBeGreaterThan(0)
    expect(diagrams.filter(({ text }) => text.includes(';'))).toEqual([])
  })

  test('the demo tells what the README shows of it', () => {
    const told = ['sim/story.ts', 'sim/demo.ts', 'src/messages.ts'].map(textOf).join('\n')
    const shown = [...textOf('README.md').matchAll(/^\d\d:\d\d:\d\d {2}[\w-]+ +(?:\d+ +)*([^\d\n].*)$/gm)]
    const beginnings = shown.map(([, what = '']) => what.split(/ LAMP-OAK|\d|:/)[0]?.trim() ?? '')
    expect(beginnings.length).toBeGreaterThan(5)
    expect(beginnings.filter((beginning) => !told.includes(beginning))).toEqual([])
  })
})

describe('the page of errors', () => {
  const page = textOf('docs/errors.md')

  test('its failures are the catalogue', () => {
    const rows = rowsOf(sectionOf(page, 'Failures'))
    expect(rows).toEqual(Object.entries(catalogue).map(([code, { meaning, mend }]) => [`\`${code}\``, meaning, mend]))
  })

  test('its answers are those that the API can give, with their HTTP codes', () => {
    const told = rowsOf(sectionOf(page, 'Answers of the API')).map(([code, status]) => `${code} ${status}`)
    expect(told.toSorted()).toEqual(sorted(Object.entries(PROBLEMS).map(([code, [status]]) => `\`${code}\` ${status}`)))
  })

  test('its refused starts are those that are thrown', () => {
    const told = source.flatMap((path) =>
      [...textOf(path).matchAll(/(?:super|Error)\(\s*['"`]([A-Z]+(?:_[A-Z]+)+): /g)].flatMap(([, code]) => code ?? []),
    )
    const answers = names(sectionOf(page, 'Answers of the API'))
    expect(names(sectionOf(page, 'Refused starts')).toSorted()).toEqual(
      sorted(told).filter((code) => !answers.includes(code) && !code.startsWith('HOLDFAST_')),
    )
  })
})

describe('exit codes', () => {
  test('the page of errors tells each of them', () => {
    const rows = rowsOf(sectionOf(textOf('docs/errors.md'), 'Exit codes of the command line'))
    expect(rows.map(([code]) => Number(code))).toEqual(Object.values(EXIT))
  })
})

describe('the image', () => {
  test('what it copies exists, and what it sets is told', () => {
    const dockerfile = textOf('Dockerfile')
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths = '']) => paths.split(' '))
    expect(copied).toContain('src')
    expect(copied.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
    expect(copied.filter((path) => !textOf('.dockerignore').includes(`!${path}\n`))).toEqual([])
    const ours = [
      ...dockerfile.matchAll(/\b(HOLDFAST_\w+|HOST|PORT)=/g),
      ...textOf('compose.yaml').matchAll(/^ {6}(HOLDFAST_\w+|DATABASE_URL|LOG_LEVEL):/gm),
    ]
    const page = textOf('docs/configuration.md')
    expect(sorted(ours.flatMap(([, name]) => name ?? [])).filter((name) => !page.includes(`\`${name}\``))).toEqual([])
  })
})

describe('the page of operations', () => {
  const page = textOf('docs/operations.md')

  test('its incidents are those that are opened', () => {
    const opened = source
      .filter((path) => !path.startsWith('src/http/') && !/\/(door|receive)\.ts$/.test(path))
      .flatMap((path) => [...textOf(path).matchAll(/\bcode:\s*(?:\| )?((?:'[A-Z]+(?:_[A-Z]+)*'(?:\s*\| )?)+)/g)])
      .flatMap(([, union = '']) => [...union.matchAll(/'([A-Z_]+)'/g)].flatMap(([, code]) => code ?? []))
    expect(names(sectionOf(page, 'Incidents')).toSorted()).toEqual(sorted(opened))
  })

  test('its metrics are those that are counted', async () => {
    const counted = (await createMetrics().registry.getMetricsAsJSON()).map(({ name }) => name)
    const ours = counted.filter((name) => !/^holdfast_(process|nodejs)_/.test(name))
    expect(
      names(sectionOf(page, 'Metrics'))
        .filter((name) => name.startsWith('holdfast_'))
        .toSorted(),
    ).toEqual(sorted(ours))
  })
})

describe('the page of configuration', () => {
  const page = textOf('docs/configuration.md')

  test('its examples, and the files of examples, are accepted', () => {
    const texts = [
      ...blocksOf(page)
        .filter(({ info }) => info === 'yaml')
        .map(({ text }) => text),
      ...filesBelow('examples')
        .filter((path) => path.endsWith('.yaml'))
        .map(textOf),
    ]
    expect(texts.length).toBeGreaterThan(2)
    for (const text of texts) expect(readConfigurationYaml(text)).toHaveProperty('document')
  })

  test('every key stands in the tables, and no other', () => {
    for (const part of ['sources', 'warehouses', 'shops'] as const) {
      const keys = keysOf(configurationSchema.properties[part])
      expect(names(sectionOf(page, `\`${part}.NAME\``)).toSorted()).toEqual(sorted(keys))
    }
  })

  test('every key stands in the great example', () => {
    const [example] = blocksOf(page).filter(({ info }) => info === 'yaml')
    const keys = (['sources', 'warehouses', 'shops'] as const).flatMap((part) =>
      keysOf(configurationSchema.properties[part]).flatMap((key) => key.split('.')),
    )
    expect(keys.filter((key) => !new RegExp(`\\b${key}:`).test(example?.text ?? ''))).toEqual([])
  })

  test('every variable that the service or a command reads is told', () => {
    const read = textOf('src/config.ts').matchAll(/environment\.([A-Z_]+)/g)
    const told = page.match(/`[A-Z_]+`/g)?.map((text) => text.slice(1, -1)) ?? []
    expect(sorted([...read].flatMap(([, name]) => name ?? [])).filter((name) => !told.includes(name))).toEqual([])
  })

  /** The keys below the entries of a map, with dots; a union gives those of all its members. */
  function keysOf(schema: object): readonly string[] {
    const entries = 'patternProperties' in schema ? Object.values(schema.patternProperties as object) : []
    return entries.flatMap((entry) => propertiesOf(entry, ''))
  }

  function propertiesOf(schema: unknown, path: string): readonly string[] {
    if (typeof schema !== 'object' || schema === null) return []
    if ('anyOf' in schema && Array.isArray(schema.anyOf)) {
      const below = schema.anyOf.flatMap((member: unknown) => propertiesOf(member, path))
      return below.length > 0 ? below : [path]
    }
    if (!('properties' in schema)) return [path]
    return Object.entries(schema.properties as object).flatMap(([key, value]) =>
      propertiesOf(value, path === '' ? key : `${path}.${key}`),
    )
  }
})

describe('the messages of a warehouse', () => {
  const SECRET = 'sixteen-characters-or-more'
  const RECEIVED_AT = instantOf(Date.parse('2026-11-24T15:10:00Z'))
  const reading = () => ({ receivedAt: RECEIVED_AT, notes: new Set<string>() })

  const configured = (semantics: 'net' | 'gross'): SourceConfig => {
    const read = sourceConfigOf(
      'wms',
      {
        sources: {
          wms: { semantics, auth: { kind: 'bearer', secretFrom: { env: 'S' } }, defaultWarehouse: 'hamburg' },
        },
        warehouses: { hamburg: { source: 'wms', zone: 'UTC' }, leipzig: { source: 'wms', zone: 'UTC' } },
        shops: {},
      },
      () => SECRET,
    )
    if ('missing' in read) throw new Error(read.missing)
    return read.source
  }

  test('every canonical example is read whole, and every type has one', () => {
    const examples = blocksOf(textOf('docs/canonical-message.md')).filter(({ info }) => info.startsWith('json'))
    const types = examples.map(({ info, text }) => {
      const json = readJson(text)
      if (!('value' in json)) throw new Error(`${json.problem}: ${text}`)
      const read = readCanonical(json.value, configured(info === 'json gross' ? 'gross' : 'net'), reading())
      expect({ text, problems: read.problems }).toEqual({ text, problems: [] })
      expect(read.words.length).toBeGreaterThan(0)
      return (JSON.parse(text) as { type: string }).type
    })
    const known = textOf('src/adapters/wms/canonical.ts')
    const types_ = [...known.matchAll(/case '([a-z_.]+)'/g)].flatMap(([, type]) => type ?? [])
    const orderWords = /ORDER_WORDS = \[([^\]]+)\]/.exec(known)?.[1]?.match(/[a-z]+/g) ?? []
    expect(sorted(types)).toEqual(sorted([...types_, ...orderWords.map((word) => `order.${word}`)]))
  })

  test('every field that the canonical reader asks for is told', () => {
    const asked = textOf('src/adapters/wms/canonical.ts').matchAll(
      /\.(?:units|optionalUnits|text|optionalText|flag|optionalFlag|change|day|has|rows|rawRows)\('(\w+)'/g,
    )
    const page = textOf('docs/canonical-message.md')
    const told = [...page.matchAll(/`[^`\n]*`/g)].join(' ')
    const untold = sorted([...asked].flatMap(([, field]) => field ?? [])).filter(
      (field) => !new RegExp(`\\b${field}\\b`).test(told),
    )
    expect(untold).toEqual([])
  })

  test('every flat example is answered as the page says', () => {
    const blocks = blocksOf(textOf('docs/flat-message.md'))
    const door = doorOf(configured('net'))
    const asked = blocks.flatMap(({ info, text }, index) => {
      const raw = info === 'sh' ? /-d '([^']+)'/.exec(text)?.[1] : undefined
      return raw === undefined ? [] : [{ raw, answer: JSON.parse(blocks[index + 1]?.text ?? '') as Receipt }]
    })
    expect(asked.length).toBeGreaterThan(5)
    for (const { raw, answer } of asked) {
      const proved = door.prove({ headers: { authorization: `Bearer ${SECRET}` }, raw: Buffer.from(raw) })
      if ('refused' in proved) throw new Error(`${raw} was refused`)
      const read = proved.read(RECEIVED_AT)
      if (!('messages' in read)) throw new Error(`${raw} was refused`)
      expect({ raw, ...told(read.messages) }).toEqual({ raw, ...withoutIds(answer) })
    }
  })

  type Receipt = {
    readonly accepted: number
    readonly repeated: number
    readonly deadLetters: readonly {
      readonly index: number
      readonly id: number
      readonly field: string
      readonly reason: string
    }[]
    readonly notes: readonly string[]
  }

  /** The receipt of a first delivery, but for the ids that a database gives to dead letters. */
  const told = (messages: readonly ReadMessage[]) => ({
    accepted: messages.filter(({ words }) => words.length > 0).length,
    repeated: 0,
    deadLetters: messages.flatMap(({ index, problems }) =>
      problems.map(({ field, reason }) => ({ index, field, reason })),
    ),
    notes: sorted(messages.flatMap(({ notes }) => notes)),
  })
  const withoutIds = (receipt: Receipt) => ({
    ...receipt,
    deadLetters: receipt.deadLetters.map(({ id: _, ...letter }) => letter),
  })

  test('a field that cannot be used is a problem with its name', () => {
    const json = readJson('{"type":"order.shipped","order":"1","lines":[{"sku":"A","units":0}]}')
    if (!('value' in json)) throw new Error(json.problem)
    expect(() => readCanonical(json.value, configured('net'), reading())).toThrow(FieldProblem)
  })
})

describe('commands', () => {
  const isCommand = (value: unknown): value is Command =>
    typeof value === 'object' && value !== null && 'usage' in value && 'summary' in value && 'run' in value

  async function commands(): Promise<ReadonlyMap<string, Command>> {
    const modules = await Promise.all(
      filesBelow('src/cli')
        .filter(isProduct)
        .map((path) => import(join(ROOT, path)) as Promise<Record<string, unknown>>),
    )
    const found = modules.flatMap((module) => Object.values(module).filter(isCommand))
    const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, 'src/main.ts'), '--help'])
    const order = [...stdout.matchAll(/^ {2}([a-z-]+) {2,}/gm)].flatMap(([, name]) => name ?? [])
    expect(sorted(order)).toEqual(sorted(found.map(({ name }) => name)))
    return new Map(order.flatMap((name) => found.filter((each) => each.name === name).map((each) => [name, each])))
  }

  test('the page of the command line says what --help says', async () => {
    const parts = [...(await commands()).values()].map(
      ({ name, summary, usage }) =>
        `## ${name}\n\n${summary}.\n\n\`\`\`text\n${usage.replace(/^ {2}/gm, '')}\n\`\`\`\n`,
    )
    const page = [
      '# Command line',
      '',
      'This page is made from the commands themselves: `npm test -- test/docs -u` writes it again.',
      '',
      'Commands talk to the running service at `HOLDFAST_URL` (default `http://127.0.0.1:4600`) with the token in `HOLDFAST_TOKEN`,',
      'or the one in `HOLDFAST_HOME/admin-token`. `--json` prints for programs. `--help` after any of them prints what stands here.',
      'Exit codes are told with the [errors](errors.md#exit-codes-of-the-command-line).',
      '',
      ...parts,
    ].join('\n')
    await expect(page).toMatchFileSnapshot(join(ROOT, 'docs/cli.md'))
  })

  test('every command that a page or an example names exists, with its options', async () => {
    const known = await commands()
    const texts = [...pages.filter((page) => page !== 'docs/cli.md'), ...filesBelow('examples')].map((path) => ({
      path,
      text: textOf(path),
    }))
    const wrong = texts.flatMap(({ path, text }) =>
      [...text.matchAll(/npx holdfast ([a-z][a-z-]*)([^\n`]*)/g)].flatMap(([whole, name = '', rest = '']) => {
        if (name === 'COMMAND') return []
        const command = known.get(name)
        const options = rest.split('#')[0]?.match(/--[a-z-]+/g) ?? []
        const isKnown = command && options.every((option) => option === '--help' || command.usage.includes(option))
        return isKnown ? [] : [`${path}: ${whole}`]
      }),
    )
    expect(wrong).toEqual([])
  })

  test('every npm script that a page names exists', () => {
    const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> }
    const named = pages.flatMap((page) =>
      [...textOf(page).matchAll(/npm (?:run )?(start|test(?::[a-z]+)?|check|run [a-z:]+)\b/g)].map(([, name = '']) =>
        name.replace('run ', ''),
      ),
    )
    expect(sorted(named).filter((name) => scripts[name] === undefined)).toEqual([])
  })
})

describe('the home page', () => {
  const page = homePage('1.2.3')

  test('it loads nothing from elsewhere', () => {
    expect(page).not.toMatch(/https?:\/\//)
    expect(page).toContain('1.2.3')
  })

  test('its links, and the files that it names, exist', () => {
    const doors = filesBelow('src/http').filter(isProduct).map(textOf).join('\n')
    const links = [...page.matchAll(/href="(\/[^"]*)"/g)].flatMap(([, path]) => path ?? [])
    expect(links.filter((path) => !doors.includes(`'${path}'`))).toEqual([])
    const files = [...page.matchAll(/<dt>([\w/-]+\.md)<\/dt>/g)].flatMap(([, path]) => path ?? [])
    expect(files.length).toBeGreaterThan(0)
    expect(files.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
  })

  test('its figures are metrics that exist', async () => {
    const known = (await createMetrics().registry.getMetricsAsJSON()).map(({ name }) => name.replace('holdfast_', ''))
    const asked = [...page.matchAll(/sum\(rows, '(\w+)'/g)].flatMap(
      ([, name]) => name?.replace(/_(count|bucket)$/, '') ?? [],
    )
    expect(sorted(asked).filter((name) => !known.includes(name))).toEqual([])
  })
})
