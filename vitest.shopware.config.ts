import { defineConfig } from 'vitest/config'

/** Tests against a real Shopware shop, which they take from the environment; see `test/shopware/real-shop.ts`. */
export default defineConfig({
  test: {
    include: ['test/shopware/**/*.shopware.ts'],
    globalSetup: ['test/postgres-server.ts'],
    pool: 'forks',
    maxWorkers: 1,
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 300_000,
    passWithNoTests: true,
  },
})
