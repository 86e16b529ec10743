import { describe, expect, test } from 'vitest'
import { checkConfiguration, configurationOf } from './configuration-file.ts'

const PULL = {
  url: 'https://erp.example',
  database: 'shop',
  user: 'holdfast',
  secretFrom: { env: 'TRYTON_PASSWORD' },
  warehouses: { main: 'WH', east: 'WH2' },
  every: '15s',
}
const document = (source: object = {}, pull: object | null = {}) => ({
  sources: {
    erp: {
      semantics: 'net',
      dialect: 'tryton',
      defaultWarehouse: 'main',
      ...(pull === null ? {} : { pull: { ...PULL, ...pull } }),
      ...source,
    },
    wms: { semantics: 'net', defaultWarehouse: 'old', auth: { kind: 'bearer', secretFrom: { env: 'WMS' } } },
  },
  warehouses: Object.fromEntries(
    [
      ['main', 'erp'],
      ['east', 'erp'],
      ['old', 'wms'],
    ].map(([name, source]) => [name, { source, zone: 'Europe/Berlin' }]),
  ),
  shops: {},
})

describe('a source that is asked', () => {
  test('is taken, and its numbers are those of our pulls', () => {
    const checked = checkConfiguration(document())
    if (!('document' in checked)) throw new Error(JSON.stringify(checked.problems))
    const { sources } = configurationOf(checked.document, 1)
    expect([...sources.values()].map(({ source, isPulled }) => [source, isPulled])).toEqual([
      ['erp', true],
      ['wms', undefined],
    ])
  })

  test.each([
    ['no pull', document({}, null), 'sources.erp.pull', 'is missing'],
    [
      'a door of its own',
      document({ auth: { kind: 'bearer', secretFrom: { env: 'X' } } }),
      'sources.erp.auth',
      'take it out',
    ],
    ['a margin', document({ knowsOrdersWithin: '5m' }), 'sources.erp.knowsOrdersWithin', 'take it out'],
    ['gross figures', document({ semantics: 'gross' }), 'sources.erp.semantics', 'must be net'],
    ['another dialect', document({ dialect: 'flat' }), 'sources.erp.pull', 'dialect tryton'],
    ['another dialect and no door', document({ dialect: 'flat' }, null), 'sources.erp.auth', 'is missing'],
    ['no URL', document({}, { url: 'erp.example' }), 'sources.erp.pull.url', '"erp.example" must be'],
    [
      'a URL that holds a password',
      document({}, { url: 'https://me:secret@erp.example' }),
      'sources.erp.pull.url',
      'it must be an http or https URL alone',
    ],
    ['a pause that is too short', document({}, { every: '10ms' }), 'sources.erp.pull.every', 'between 1s and 1h'],
    [
      'a warehouse of another source',
      document({}, { warehouses: { ...PULL.warehouses, old: 'WH3' } }),
      'sources.erp.pull.warehouses.old',
      'no warehouse of this source',
    ],
    [
      'a warehouse that nobody knows',
      document({}, { warehouses: { ...PULL.warehouses, none: 'WH3' } }),
      'sources.erp.pull.warehouses.none',
      'no warehouse of this source',
    ],
    [
      'a warehouse left out',
      document({}, { warehouses: { main: 'WH' } }),
      'sources.erp.pull.warehouses',
      'leaves out "east"',
    ],
    [
      'one code twice',
      document({}, { warehouses: { main: 'WH', east: 'WH' } }),
      'sources.erp.pull.warehouses',
      'one code twice',
    ],
    ['a user with a colon', document({}, { user: 'a:b' }), 'sources.erp.pull.user', 'a user of its own'],
    ['a password in clear', document({}, { password: 'secret' }), 'sources.erp.pull.password', 'is unknown'],
  ])('with %s is refused by its path, with what would be right', (_, wrong, path, problem) => {
    expect(checkConfiguration(wrong)).toMatchObject({
      problems: expect.arrayContaining([{ path, problem: expect.stringContaining(problem) }]),
    })
  })
})
