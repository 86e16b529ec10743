import { defineConfig } from 'vitest/config'

/** Tests against a real Tryton, which they take from the environment; see `test/tryton/real-tryton.ts`. */
export default defineConfig({
  test: {
    include: ['test/tryton/**/*.tryton.ts'],
    globalSetup: ['test/postgres-server.ts'],
    pool: 'forks',
    maxWorkers: 1,
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
})
