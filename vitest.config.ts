import { defineConfig } from 'vitest/config'

/**
 * The suffix of a test names the world it needs: `.test.ts` nothing, `.pg.test.ts` a PostgreSQL, `.sim.test.ts` the simulated
 * neighbours and a PostgreSQL. The server is started once for the whole run, and only if one of them is in it.
 */
export default defineConfig({
  test: {
    include: ['{src,sim,test,bench}/**/*.test.ts'],
    globalSetup: ['test/postgres-server.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 45_000,
    hookTimeout: 60_000,
    execArgv: ['--disable-warning=ExperimentalWarning'],
  },
})
