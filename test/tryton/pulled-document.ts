/** The rules of a merchant whose one warehouse is a Tryton, and who sells through a channel. */
import type { ConfigurationDocument } from '../../src/app/configuration-file.ts'
import type { TrytonEnvironment } from './real-tryton.ts'

/** `main` there is `WH`; asked every second. */
export const trytonDocument = (
  { url, database, user }: Omit<TrytonEnvironment, 'password'>,
  more: Partial<ConfigurationDocument['sources'][string]['pull']> = {},
): ConfigurationDocument => ({
  sources: {
    erp: {
      semantics: 'net',
      dialect: 'tryton',
      defaultWarehouse: 'main',
      pull: {
        url,
        database,
        user,
        secretFrom: { env: 'TRYTON_PASSWORD' },
        warehouses: { main: 'WH' },
        every: '1s',
        ...more,
      },
    },
  },
  warehouses: { main: { source: 'erp', zone: 'Europe/Berlin' } },
  shops: {
    till: { kind: 'channel', warehouses: ['main'], zone: 'Europe/Berlin' },
    ahead: { kind: 'channel', warehouses: ['main'], zone: 'Europe/Berlin' },
  },
  // One shop sells what is on its way, the other only what lies there.
  promises: [{ shop: 'ahead', backOrders: { enabled: true, windowDays: 7 } }],
})
