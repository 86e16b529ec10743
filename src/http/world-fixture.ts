/** What the routes stand on, in memory: for tests of the server itself, which must not wait for a database. */
import type { HttpWorld } from './world.ts'

const never = (name: string) => (): never => {
  throw new Error(`${name} was not expected to be called`)
}

/** A world in which nothing is expected but what is given. The token `token-of-the-test` may everything. */
export const fakeWorld = (given: Partial<HttpWorld> = {}): HttpWorld => ({
  lane: { submit: never('lane') },
  rules: never('rules'),
  now: never('now'),
  states: never('states'),
  reservation: never('reservation'),
  placed: never('placed'),
  onRecorded: never('onRecorded'),
  closeIncident: never('closeIncident'),
  mayReceive: (_, headers) => headers['webhook-signature'] !== undefined,
  receive: async () => ({ receipt: { accepted: 1, repeated: 0, deadLetters: [], notes: [] } }),
  replay: never('replay'),
  ledger: never('ledger'),
  ledgerLines: never('ledgerLines'),
  ledgerMonths: never('ledgerMonths'),
  archiveMonth: never('archiveMonth'),
  past: never('past'),
  incidents: never('incidents'),
  deadLetters: never('deadLetters'),
  configuration: never('configuration'),
  configure: never('configure'),
  shops: never('shops'),
  retire: never('retire'),
  release: never('release'),
  invite: never('invite'),
  resync: never('resync'),
  trust: never('trust'),
  holderOf: async (token) => (token === 'token-of-the-test' ? { name: 'test', scope: 'admin' } : undefined),
  createToken: never('createToken'),
  keptAnswer: async () => undefined,
  keepAnswer: async () => undefined,
  verify: never('verify'),
  shopware: {
    registration: never('registration'),
    confirmation: never('confirmation'),
    gateway: async (raw, headers) => ({
      httpCode: headers['shopware-shop-signature'] === undefined ? 401 : 200,
      headers: {},
      body: String(raw.length),
    }),
    webhook: never('webhook'),
  },
  appBundle: { appSecret: 'secret', version: '1.0.0' },
  isReady: async () => true,
  metrics: async () => '',
  onBug: (cause) => {
    throw cause
  },
  ...given,
})
