/** Runs scenarios one after another in one world, and writes what came out: JSON, a page and pictures. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { curveOf } from './curve.ts'
import { pictureOf } from './picture.ts'
import { type BenchPace, type Row, SCENARIOS } from './scenarios.ts'
import { openWorld } from './world.ts'

export type BenchOptions = {
  /** Names of {@link SCENARIOS}; all of them when empty. */
  readonly what: readonly string[]
  readonly pace: BenchPace
  readonly databaseUrl: string | undefined
  /** Where the results go; nothing is written when absent. */
  readonly folder: string | undefined
  readonly out: (text: string) => void
}

export type Result = { readonly scenario: string; readonly title: string; readonly rows: readonly Row[] }
export type Report = {
  readonly at: string
  readonly about: string
  readonly pace: BenchPace
  readonly results: readonly Result[]
}

export const SCENARIO_NAMES: readonly string[] = Object.keys(SCENARIOS)

/** Measures. Answered always means committed with fsync; compare figures of one run only. */
export async function bench({ what, pace, databaseUrl, folder, out }: BenchOptions): Promise<Report> {
  const world = await openWorld(databaseUrl)
  const results: Result[] = []
  const report: Report = { at: new Date().toISOString(), about: world.about, pace, results }
  try {
    out(world.about)
    for (const name of what.length > 0 ? what : SCENARIO_NAMES) {
      const scenario = SCENARIOS[name]
      if (!scenario) throw new Error(`No benchmark is called "${name}"`)
      out(`\n${scenario.title}`)
      const rows = await scenario.run(world, pace)
      for (const row of rows) out(`  ${lineOf(row)}`)
      const result = { scenario: name, title: scenario.title, rows }
      results.push(result)
      if (folder !== undefined) write(folder, report, result)
    }
  } finally {
    await world.close()
  }
  return report
}

function lineOf({ name, perSecond, p50Ms, p99Ms, ownCpuUs, serverCpuUs, note }: Row): string {
  const cpu = ownCpuUs > 0 ? `${ownCpuUs.toFixed(0)} + ${(serverCpuUs ?? 0).toFixed(0)} µs` : ''
  const waits = `p50 ${p50Ms.toFixed(1)} ms  p99 ${p99Ms.toFixed(1)} ms`
  return `${name.padEnd(48)} ${String(Math.round(perSecond)).padStart(8)}/s  ${waits}  ${cpu}  ${note ?? ''}`.trimEnd()
}

function write(folder: string, report: Report, { scenario, title, rows }: Result): void {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, `${report.at.slice(0, 10)}-${scenario}`)
  const { at, about, pace } = report
  writeFileSync(`${path}.json`, `${JSON.stringify({ at, about, pace, title, rows }, null, 2)}\n`)
  writeFileSync(`${path}.md`, pageOf(report, title, rows))
  writeFileSync(`${path}.svg`, pictureOf(title, rows))
  const overCallers = rows.filter(({ name }) => name.startsWith('lane, '))
  if (overCallers.length > 2)
    writeFileSync(`${path}-over-callers.svg`, curveOf(`${title}: the lane over callers`, overCallers))
}

function pageOf({ at, about, pace }: Report, title: string, rows: readonly Row[]): string {
  const cells = rows.map(
    ({ name, perSecond, p50Ms, p99Ms, ownCpuUs, serverCpuUs, note }) =>
      `| ${name} | ${Math.round(perSecond)} | ${p50Ms.toFixed(1)} | ${p99Ms.toFixed(1)} | ${ownCpuUs.toFixed(0)} | ${serverCpuUs?.toFixed(0) ?? '–'} | ${note ?? ''} |`,
  )
  return [
    `# ${title}`,
    '',
    `${at}: ${about}. ${pace.rounds} alternated rounds of ${pace.seconds} s after ${pace.warmUpSeconds} s, medians.`,
    '',
    '| what | per second | p50 ms | p99 ms | own processor µs | PostgreSQL µs | |',
    '|---|---:|---:|---:|---:|---:|---|',
    ...cells,
    '',
  ].join('\n')
}
