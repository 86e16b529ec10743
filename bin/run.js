/** Runs a tool of the project in the right Node: `vitest …`, `biome …`, `mutations`, `torture`, or `check`: format, lint, types and tests. */
import { join } from 'node:path'
import { handOver, installWhatIsMissing, root } from './launch.js'

const TOOLS = {
  vitest: 'node_modules/vitest/vitest.mjs',
  biome: 'node_modules/@biomejs/biome/bin/biome',
  tsc: 'node_modules/typescript/bin/tsc',
  mutations: 'sim/mutations/run.ts',
  torture: 'test/torture/run.ts',
}

const STEPS = {
  'format and lint': ['biome', 'check', '--error-on-warnings', '.'],
  types: ['tsc', '-p', 'tsconfig.json'],
  'types of the core': ['tsc', '-p', 'src/core/tsconfig.json'],
  tests: ['vitest', 'run'],
}

installWhatIsMissing()
const [name, ...args] = process.argv.slice(2)
process.exitCode = name === 'check' ? await check(args.includes('--no-tests')) : await tool([name, ...args])

async function check(withoutTests) {
  for (const [step, command] of Object.entries(STEPS)) {
    if (withoutTests && step === 'tests') continue
    process.stdout.write(`── ${step}\n`)
    const code = await tool(command)
    if (code !== 0) return code
  }
  return 0
}

async function tool([which, ...rest]) {
  const script = TOOLS[which]
  if (!script) {
    process.stderr.write(`Unknown tool "${which}": one of ${Object.keys(TOOLS).join(', ')} or check\n`)
    return 2
  }
  return await handOver([join(root, script), ...rest], { cwd: root })
}
