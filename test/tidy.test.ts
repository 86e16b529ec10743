/** The order of the house, read from its files: layers, dead files, forgotten markers, names, sizes. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { filesBelow, importsOf, ROOT, reachedFrom, textOf } from './source-files.ts'

const CODE_FOLDERS = ['src', 'sim', 'test', 'examples', 'bin']
const isCode = (path: string): boolean => /\.[tj]s$/.test(path)
const isTest = (path: string): boolean => /\.(test|shopware|tryton|e2e)\.ts$/.test(path)
/** What several tests of one folder stand on, kept beside them: it may start everything, so no layer binds it. */
const isFixture = (path: string): boolean =>
  path.startsWith('src/') && importsOf(path).some(({ target }) => target.startsWith('test/'))
    ? !isTest(path)
    : path.endsWith('-fixture.ts')
const code = CODE_FOLDERS.flatMap(filesBelow).filter(isCode)
const source = code.filter((path) => path.startsWith('src/') && !isTest(path) && !isFixture(path))
const tests = code.filter(isTest)

/** The catalogues: every layer but the core may speak their words. */
const CATALOGUES = ['src/errors.ts', 'src/messages.ts']
/** What builds the service may import everything but the commands. */
const SERVICE = [
  ...['src/core/', 'src/app/', 'src/adapters/', 'src/http/', 'src/service/'],
  ...['src/config.ts', 'src/metrics.ts', ...CATALOGUES],
]
/** Which folders a folder's files may import. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  'src/core/': ['src/core/'],
  'src/app/': ['src/core/', 'src/app/', ...CATALOGUES],
  'src/adapters/': ['src/core/', 'src/app/', 'src/adapters/', ...CATALOGUES],
  'src/http/': ['src/core/', 'src/app/', 'src/http/', ...CATALOGUES],
  'src/cli/': ['src/core/', 'src/app/', 'src/adapters/', 'src/http/contract.ts', 'src/cli/', ...CATALOGUES],
  'src/config.ts': ['src/core/'],
  'src/errors.ts': [],
  'src/messages.ts': ['src/core/'],
  'src/metrics.ts': [],
  'src/flow.ts': ['src/app/'],
  'src/service.ts': SERVICE,
  'src/service/': SERVICE,
  'src/main.ts': ['src/cli/', 'src/config.ts'],
}

/** Imports across a layer that are meant, each with its reason. */
const CROSSINGS: Readonly<Record<string, string>> = {
  'src/http/auth.ts → src/adapters/postgres/token-store.ts': 'the scopes stand beside the table that keeps them',
  'src/http/world.ts → src/adapters/postgres/token-store.ts': 'a type: the routes pass on what the table holds',
  'src/http/world.ts → src/adapters/postgres/answers.ts': 'a type: what an attempt was answered with',
  'src/http/world.ts → src/adapters/postgres/queries.ts': 'types: the routes pass on what the pages hold',
  'src/http/world.ts → src/adapters/postgres/history.ts': 'a type: what can be said of a moment',
  'src/http/world.ts → src/adapters/postgres/ledger-search.ts': 'types: the routes pass on what is looked for',
  'src/http/world.ts → src/adapters/postgres/partitions-archive.ts': 'types: the routes pass on how far it is',
  'src/http/world.ts → src/adapters/postgres/verify.ts': 'a type: the routes pass on the verdict',
  'src/http/server.ts → src/adapters/postgres/outage.ts': 'what says that the database is away is told once',
  'src/http/server.ts → src/adapters/wms/json.ts': 'one strict reader of JSON for every door',
  'src/http/routes/operations.ts → src/adapters/wms/json.ts': 'one strict reader of bytes for every door',
  'src/config.ts → src/adapters/postgres/migrate.ts': 'what a schema may be called is told once, beside its use',
  'src/cli/serve.ts → src/service.ts': 'the command that runs the service builds it',
  'src/cli/serve.ts → src/config.ts': 'it needs the whole environment, not only the address',
  'src/cli/run.ts → src/config.ts': 'a wrong environment ends a command with a sentence of its own',
  'src/cli/verify.ts → src/config.ts': '--offline opens the database itself',
  'src/cli/serve.ts → sim/demo.ts': 'npm start on an empty database shows the demo world',
  'src/cli/simulate.ts → sim/simulate/simulate.ts': 'the simulator is a command too',
  'src/cli/bench.ts → bench/bench.ts': 'so are the benchmarks',
}

const layerOf = (path: string): string | undefined => Object.keys(LAYERS).find((layer) => path.startsWith(layer))

describe('layers', () => {
  const crossings = source.flatMap((path) => {
    const allowed = LAYERS[layerOf(path) ?? ''] ?? []
    return importsOf(path)
      .filter(({ isOurs, target }) => isOurs && !allowed.some((layer) => target.startsWith(layer)))
      .map(({ target }) => `${path} → ${target}`)
  })

  test('every file of src belongs to a layer', () => {
    expect(source.filter((path) => layerOf(path) === undefined)).toEqual([])
  })

  test('arrows point inward, but for the crossings that have a reason', () => {
    expect([...new Set(crossings)].filter((crossing) => CROSSINGS[crossing] === undefined)).toEqual([])
  })

  test('no crossing is allowed that nobody uses', () => {
    expect(Object.keys(CROSSINGS).filter((crossing) => !crossings.includes(crossing))).toEqual([])
  })

  test('the core imports no package, not even Node’s own', () => {
    const packages = source
      .filter((path) => path.startsWith('src/core/'))
      .flatMap((path) => importsOf(path).flatMap(({ isOurs, target }) => (isOurs ? [] : [`${path}: ${target}`])))
    expect(packages).toEqual([])
  })

  test('the simulated neighbours know Holdfast only by its protocols; connected.ts alone starts one', () => {
    const neighbours = code.filter(
      (path) => /^sim\/(?!simulate\/)/.test(path) && !isTest(path) && path !== 'sim/connected.ts',
    )
    const known = neighbours.flatMap((path) =>
      importsOf(path).flatMap(({ target }) => (target.startsWith('src/') ? [`${path} → ${target}`] : [])),
    )
    expect(known).toEqual([])
  })

  test('the simulator runs the rules and use cases over twins in memory: no database, no HTTP, no clock of its own', () => {
    const doors = ['src/core/', 'src/app/', 'src/adapters/memory/', 'src/adapters/wms/', ...CATALOGUES]
    const others = code
      .filter((path) => path.startsWith('sim/simulate/') && !isTest(path))
      .flatMap((path) => importsOf(path).map(({ target }) => ({ path, target })))
      .filter(({ target }) => target.startsWith('src/') && !doors.some((door) => target.startsWith(door)))
    expect(others).toEqual([])
  })

  test('examples import nothing of ours: they are programs of strangers', () => {
    const ours = code
      .filter((path) => path.startsWith('examples/'))
      .flatMap((path) => importsOf(path).flatMap(({ isOurs, target }) => (isOurs ? [`${path} → ${target}`] : [])))
    expect(ours).toEqual([])
  })
})

describe('what must not be there', () => {
  /** Lines of some files that a pattern finds, as `path:line`. */
  const found = (paths: readonly string[], pattern: RegExp): readonly string[] =>
    paths.flatMap((path) =>
      textOf(path)
        .split('\n')
        .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}`] : [])),
    )

  test('the core has no clock and no chance', () => {
    const core = source.filter((path) => path.startsWith('src/core/'))
    expect(found(core, /\bDate\.now\b|\bnew Date\(\s*\)|\bMath\.random\b|\bperformance\.|\bcrypto\b/)).toEqual([])
  })

  test('the core waits for nobody', () => {
    const core = source.filter((path) => path.startsWith('src/core/'))
    expect(found(core, /\basync\b|\bawait\b|\bnew Promise\b|\bPromise[<.]|\bconsole\./)).toEqual([])
  })

  test('only main.ts reads the environment', () => {
    expect(
      found(
        source.filter((path) => path !== 'src/main.ts'),
        /\bprocess\.env\b/,
      ),
    ).toEqual([])
  })

  test('no forgotten markers', () => {
    const markers = ['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK', 'for ' + 'later', 'for ' + 'now']
    const texts = [...code, ...filesBelow('docs'), ...filesBelow('src').filter((path) => path.endsWith('.sql'))]
    expect(found(texts, new RegExp(`\\b(${markers.join('|')})\\b`))).toEqual([])
  })

  test('no test runs alone', () => {
    expect(found(tests, new RegExp(`\\b(test|it|describe)\\.${'on' + 'ly'}\\b`))).toEqual([])
  })

  test('no file is named after nothing in particular', () => {
    const nothing = /(^|[-./])(utils?|helpers?|managers?|common)([-./]|$)/
    expect([...code, ...filesBelow('docs')].filter((path) => nothing.test(path))).toEqual([])
  })
})

describe('names and sizes', () => {
  test('what package.json calls a command can be run: npx mends its mode only once', () => {
    const { bin } = JSON.parse(textOf('package.json')) as { bin: Record<string, string> }
    const modes = Object.values(bin).map((path) => statSync(join(ROOT, path)).mode & 0o111)
    expect(modes).toEqual(modes.map(() => 0o111))
  })

  test('files are kebab-case', () => {
    const named = [...CODE_FOLDERS, 'docs'].flatMap(filesBelow).filter((path) => !path.startsWith('test/fixtures/'))
    const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)+$/
    const nameOf = (path: string): string => path.split('/').at(-1) ?? ''
    expect(named.filter((path) => nameOf(path) !== 'README.md' && !kebab.test(nameOf(path)))).toEqual([])
  })

  test('a file holds one idea: long ones have a reason', () => {
    const longest = (path: string): number => (isTest(path) ? MAX_TEST_LINES : MAX_LINES)
    const lines = (path: string): number => textOf(path).split('\n').length - 1
    const long = code.filter((path) => lines(path) > longest(path))
    expect(long.filter((path) => LONG_FILES[path] === undefined)).toEqual([])
    expect(Object.keys(LONG_FILES).filter((path) => !long.includes(path))).toEqual([])
  })
})

const MAX_LINES = 400
/** A test file is a list of cases, read one by one. */
const MAX_TEST_LINES = 800
const LONG_FILES: Readonly<Record<string, string>> = {
  'sim/warehouse.ts': 'every act of a warehouse, one after another',
  'sim/simulate/world.ts': 'one closure over a whole world: what can be done to it is one list',
  'sim/simulate/shop.ts': 'a shop with every fault it can have, call by call',
}

describe('nothing is dead', () => {
  /** Files that nobody imports, each with whoever uses it. */
  const ENTRIES: Readonly<Record<string, string>> = {
    'src/main.ts': 'bin/holdfast.js and bin/start.js hand over to it',
    'src/flow.ts': 'the map of the system, for people',
    'sim/mutations/run.ts': 'npm run mutations',
    'test/torture/run.ts': 'npm run torture',
    'test/torture/shifted-clock.js': 'preloaded into the processes that are tortured',
  }

  test('every file is reached from main.ts, or a test stands on it', () => {
    const reached = reachedFrom([...Object.keys(ENTRIES), ...tests, 'test/postgres-server.ts'])
    expect(code.filter((path) => /^(src|sim|test)\//.test(path) && !reached.has(path))).toEqual([])
  })

  const { dependencies, devDependencies } = JSON.parse(textOf('package.json')) as Record<
    'dependencies' | 'devDependencies',
    Record<string, string>
  >
  const isPackage = ({ isOurs, target }: { isOurs: boolean; target: string }): boolean =>
    !isOurs && !target.startsWith('node:')

  test('what runs in production imports only production dependencies', () => {
    const production = [...reachedFrom(['src/main.ts'])]
    const packages = new Set(
      production.flatMap((path) =>
        importsOf(path)
          .filter(isPackage)
          .map(({ target }) => target),
      ),
    )
    expect([...packages].filter((name) => dependencies[name] === undefined)).toEqual([])
  })

  test('every dependency is imported by somebody', () => {
    const imported = new Set(code.flatMap((path) => importsOf(path).map(({ target }) => target)))
    expect(Object.keys(dependencies).filter((name) => !imported.has(name))).toEqual([])
    expect(Object.keys(devDependencies).filter((name) => dependencies[name] !== undefined)).toEqual([])
  })
})
