import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_UNITS } from '../core/ids.ts'
import {
  type ConfigurationDocument,
  checkConfiguration,
  configurationOf,
  differences,
  EMPTY_DOCUMENT,
  readConfigurationYaml,
  writeConfigurationYaml,
} from './configuration-file.ts'

const YAML = `
sources:
  wms:
    semantics: net
    auth: { kind: standard-webhooks, secretFrom: { env: WMS_SECRET } }
    defaultWarehouse: main
    knowsOrdersWithin: 10m
warehouses:
  main: { source: wms, zone: Europe/Berlin, safetyUnits: 1, safetyBySku: { 00123: 2, 1E5: 3, "true": 4 } }
  west: { source: wms, zone: Europe/Vienna }
shops:
  nord:
    kind: shopware
    url: https://nord.example
    warehouses: [main, west]
    zone: Europe/Berlin
    quotaUnits: 50
    quotaBySku: { LAMP: 5 }
    safetyUnits: 2
    safetyBySku: { LAMP: 1 }
    orderInFlight: 90s
    doubleSubmitWindow: 3s
    whenUndecided: allow
    undecidedBelowUnits: 7
    whenSilent: split
    foreignWrites: warn
    admission: invited
    skuMapping: { LAMP-SIX: { sku: LAMP, units: 6 }, OLD: { sku: LAMP } }
    holdFrom: confirm
    confirmHold: 5m
    adminOrders: allow
    capPerCustomer: 3
    capPerAddress: 6
    capBySku: { LAMP: 1 }
    capShare: 25%
    paymentFailed: soft
    paymentFailedAfter: 2h
    warehouseKnowsOrdersBefore: 2026-11-01T00:00:00+01:00
  till: { kind: channel, warehouses: [main], zone: Europe/Berlin }
`

function documentOf(text = YAML): ConfigurationDocument {
  const read = readConfigurationYaml(text)
  if ('problems' in read) throw new Error(JSON.stringify(read.problems))
  return read.document
}

const problemsOf = (text: string) => {
  const read = readConfigurationYaml(text)
  return 'problems' in read ? read.problems : []
}

/** The document with one place changed, as somebody would edit the file. */
const edited = (from: string, to: string) => {
  if (!YAML.includes(from)) throw new Error(`there is no ${from}`)
  return problemsOf(YAML.replace(from, to))
}

describe('holdfast.yaml', () => {
  test('becomes the rules of the core, each bound of each shop among them', () => {
    const { shops, warehouses, sources, version } = configurationOf(documentOf(), 7)
    expect(version).toBe(7)
    expect([...sources.values()]).toEqual([
      { source: 'wms', semantics: 'net', allocatesOnAcknowledge: false, knowsOrdersWithinMs: 600_000 },
    ])
    expect([...warehouses.values()]).toMatchObject([
      { warehouse: 'main', source: 'wms', zone: 'Europe/Berlin', safetyUnits: 1 },
      { warehouse: 'west', safetyUnits: 0 },
    ])
    expect([...shops.values()]).toEqual([
      {
        shop: 'nord',
        kind: 'shopware',
        warehouses: ['main', 'west'],
        zone: 'Europe/Berlin',
        safetyUnits: 2,
        safetyBySku: new Map([['LAMP', 1]]),
        quotaUnits: 50,
        quotaBySku: new Map([['LAMP', 5]]),
        orderInFlightMs: 90_000,
        doubleSubmitWindowMs: 3_000,
        whenUndecided: 'allow',
        undecidedBelowUnits: 7,
        whenSilent: 'split',
        foreignWrites: 'warn',
        admission: 'invited',
        skuMapping: new Map([
          ['LAMP-SIX', { sku: 'LAMP', units: 6 }],
          ['OLD', { sku: 'LAMP', units: 1 }],
        ]),
        confirmHoldMs: 300_000,
        adminOrders: 'allow',
        caps: { perCustomerUnits: 3, perAddressUnits: 6, sharePercent: 25, bySku: new Map([['LAMP', 1]]) },
        paymentFailed: 'soft',
        paymentFailedAfterMs: 7_200_000,
        warehouseKnowsOrdersBefore: Date.parse('2026-10-31T23:00:00Z'),
      },
      {
        shop: 'till',
        kind: 'channel',
        warehouses: ['main'],
        zone: 'Europe/Berlin',
        safetyUnits: 0,
        safetyBySku: new Map(),
        quotaBySku: new Map(),
        orderInFlightMs: 60_000,
        doubleSubmitWindowMs: 5_000,
        whenUndecided: 'block',
        undecidedBelowUnits: 20,
        whenSilent: 'shared',
        foreignWrites: 'restore',
        paymentFailed: 'cancel',
        paymentFailedAfterMs: 1_800_000,
      },
    ])
  })

  test('row 78: SKUs that YAML takes for numbers or truths stay what was written', () => {
    const { warehouses } = configurationOf(documentOf(), 1)
    expect([...warehouses.values()][0]?.safetyBySku).toEqual(
      new Map([
        ['00123', 2],
        ['1E5', 3],
        ['true', 4],
      ]),
    )
    const odd = YAML.replace('"true": 4', 'true: 4, 0x10: 5, 1.10: 6, ~: 7, no: 8, 2026-11-23: 9')
    expect([
      ...(configurationOf(documentOf(odd), 1).warehouses.values().next().value?.safetyBySku.keys() ?? []),
    ]).toEqual(['00123', '1E5', 'true', '0x10', '1.10', '~', 'no', '2026-11-23'])
  })

  test('written back it is the same document, and reads as the same', () => {
    const document = documentOf()
    expect(documentOf(writeConfigurationYaml(document))).toEqual(document)
    expect(writeConfigurationYaml(documentOf(writeConfigurationYaml(document)))).toBe(writeConfigurationYaml(document))
  })

  test('written back, every SKU survives, whatever it looks like', () =>
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.oneof(
            fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }),
            fc.constantFrom('null', '~', '1e3', '=1+1', '- a', '#x', '0o7', '<<', '?'),
          ),
          fc.integer({ min: 0, max: MAX_UNITS }),
          { maxKeys: 6 },
        ),
        (safetyBySku) => {
          const document = documentOf()
          const main = document.warehouses.main
          if (!main) throw new Error('no warehouse')
          const checked = checkConfiguration({
            ...document,
            warehouses: { ...document.warehouses, main: { ...main, safetyBySku } },
          })
          if ('problems' in checked) return
          expect(documentOf(writeConfigurationYaml(checked.document))).toEqual(checked.document)
        },
      ),
    ))

  test('an empty file says that nothing is configured', () => {
    expect(readConfigurationYaml('')).toEqual({ document: EMPTY_DOCUMENT })
    expect(readConfigurationYaml('# nothing yet\n')).toEqual({ document: EMPTY_DOCUMENT })
  })

  test('JSON is YAML', () => expect(documentOf(JSON.stringify(documentOf()))).toEqual(documentOf()))
})

describe('a wrong value is told by its path, its line, and what would be right', () => {
  test.each([
    [
      'orderInFlight: 90s',
      'orderInFlight: 90',
      'shops.nord.orderInFlight',
      'must be a duration such as 500ms, 60s, 5m, 2h, 1d',
    ],
    ['orderInFlight: 90s', 'orderInFlight: 0s', 'shops.nord.orderInFlight', 'must lie between 1s and 1h'],
    ['orderInFlight: 90s', 'orderInFlight: 999999d', 'shops.nord.orderInFlight', 'must lie between 1s and 1h'],
    ['doubleSubmitWindow: 3s', 'doubleSubmitWindow: 2m', 'shops.nord.doubleSubmitWindow', 'must lie between 0s and 1m'],
    ['knowsOrdersWithin: 10m', 'knowsOrdersWithin: 0s', 'sources.wms.knowsOrdersWithin', 'must lie between 1s and 7d'],
    ['whenUndecided: allow', 'whenUndecided: maybe', 'shops.nord.whenUndecided', 'must be block or allow'],
    ['foreignWrites: warn', 'foreignWrites: fight', 'shops.nord.foreignWrites', 'must be restore, warn or ignore'],
    ['whenSilent: split', 'whenSilent: 1', 'shops.nord.whenSilent', 'must be shared or split'],
    ['kind: shopware', 'kind: shopify', 'shops.nord.kind', 'must be shopware or channel'],
    ['semantics: net', 'semantics: both', 'sources.wms.semantics', 'must be net or gross'],
    ['quotaUnits: 50', 'quotaUnits: -1', 'shops.nord.quotaUnits', 'must be whole units from 0 to 2147483647'],
    ['quotaUnits: 50', 'quotaUnits: 1e2', 'shops.nord.quotaUnits', 'must be whole units from 0 to 2147483647'],
    ['quotaUnits: 50', 'quotaUnits: 1.0', 'shops.nord.quotaUnits', 'must be whole units from 0 to 2147483647'],
    ['quotaUnits: 50', 'quotaUnits: 007', 'shops.nord.quotaUnits', 'must be whole units from 0 to 2147483647'],
    ['quotaUnits: 50', 'quotaUnits: .nan', 'shops.nord.quotaUnits', 'must be whole units from 0 to 2147483647'],
    ['quotaUnits: 50', 'quotaUnits: "50"', 'shops.nord.quotaUnits', 'must be whole units from 0 to 2147483647'],
    ['quotaUnits: 50', 'quotaUnits: 2147483648', 'shops.nord.quotaUnits', 'must be whole units from 0 to 2147483647'],
    [
      'quotaBySku: { LAMP: 5 }',
      'quotaBySku: { LAMP: five }',
      'shops.nord.quotaBySku.LAMP',
      'must be whole units from 0 to 2147483647',
    ],
    [
      'quotaBySku: { LAMP: 5 }',
      'quotaBySku: { LAMP: 5, " LAMP": 6 }',
      'shops.nord.quotaBySku. LAMP',
      'is the same SKU as "LAMP"',
    ],
    [
      'quotaBySku: { LAMP: 5 }',
      'quotaBySku: { "a\\u200bb": 5 }',
      'shops.nord.quotaBySku.a\u200bb',
      'the SKU contains a control or invisible character',
    ],
    ['zone: Europe/Vienna', 'zone: Europe/Wien', 'warehouses.west.zone', '"Europe/Wien" is no time zone'],
    [
      'source: wms, zone: Europe/Vienna',
      'source: erp, zone: Europe/Vienna',
      'warehouses.west.source',
      'there is no source "erp"',
    ],
    [
      'source: wms, zone: Europe/Vienna',
      'source: constructor, zone: Europe/Vienna',
      'warehouses.west.source',
      'there is no source "constructor"',
    ],
    [
      'warehouses: [main, west]',
      'warehouses: [main, toString]',
      'shops.nord.warehouses.1',
      'there is no warehouse "toString"',
    ],
    ['warehouses: [main, west]', 'warehouses: [main, main]', 'shops.nord.warehouses', 'names a warehouse twice'],
    [
      'warehouses: [main, west]',
      'warehouses: []',
      'shops.nord.warehouses',
      'must be a list of warehouses, first choice first',
    ],
    [
      'warehouses: [main, west]',
      'warehouses: main',
      'shops.nord.warehouses',
      'must be a list of warehouses, first choice first',
    ],
    [
      'defaultWarehouse: main',
      'defaultWarehouse: east',
      'sources.wms.defaultWarehouse',
      'there is no warehouse "east"',
    ],
    [
      'defaultWarehouse: main',
      'defaultWarehous: main',
      'sources.wms.defaultWarehous',
      expect.stringMatching(/^is unknown; known are semantics, dialect, auth, /),
    ],
    [
      'defaultWarehouse: main',
      'defaultWarehous: main',
      'sources.wms.defaultWarehouse',
      expect.stringMatching(/^is missing: a name/),
    ],
    ['kind: standard-webhooks', 'kind: hmac', 'sources.wms.auth.header', 'is missing: the name of a header'],
    [
      'kind: standard-webhooks',
      'kind: secret',
      'sources.wms.auth',
      'must be standard-webhooks, bearer or hmac, with secretFrom: { env: NAME }',
    ],
    [
      'secretFrom: { env: WMS_SECRET }',
      'secret: hunter2',
      'sources.wms.auth.secret',
      'is unknown; known are kind, secretFrom',
    ],
    [
      'url: https://nord.example',
      'url: nord.example',
      'shops.nord.url',
      '"nord.example" must be an http or https URL, such as https://shop.example',
    ],
    [
      'url: https://nord.example',
      'url: "javascript:alert(1)"',
      'shops.nord.url',
      expect.stringMatching(/http or https URL/),
    ],
    ['url: https://nord.example', 'safetyUnits: 3', '', expect.stringMatching(/unique/)],
    ['url: https://nord.example\n', '\n', 'shops.nord', 'a Shopware shop needs its url'],
    [
      '2026-11-01T00:00:00+01:00',
      '2026-02-30T00:00:00Z',
      'shops.nord.warehouseKnowsOrdersBefore',
      'must be a time that exists',
    ],
    ['2026-11-01T00:00:00+01:00', '"1"', 'shops.nord.warehouseKnowsOrdersBefore', expect.stringMatching(/RFC 3339/)],
    ['  till:', '  böse shop:', 'shops.böse shop', 'is no name: use letters, digits, -, _ and .'],
    ['  till:', '  ../x:', 'shops.../x', 'is no name: use letters, digits, -, _ and .'],
  ])('%s → %s', (from, to, path, problem) => {
    const told = edited(from, to)
    expect(told).toContainEqual(expect.objectContaining({ path, problem }))
    expect(told.filter(({ line }) => line === undefined).map(({ path: at }) => at)).not.toContain(
      'shops.nord.quotaUnits',
    )
  })

  test('the line is that of the value', () =>
    expect(edited('quotaUnits: 50', 'quotaUnits: -1')).toEqual([
      { path: 'shops.nord.quotaUnits', line: 17, problem: 'must be whole units from 0 to 2147483647' },
    ]))

  test('several at once, and not more than a person reads', () => {
    const shops = Object.fromEntries(Array.from({ length: 100 }, (_, nth) => [`s${nth}`, { kind: 'x' }]))
    const read = checkConfiguration({ sources: {}, warehouses: {}, shops })
    expect('problems' in read && read.problems.length).toBe(20)
  })

  test('the flat message and a gross source contradict each other', () => {
    const gross = YAML.replace('semantics: net', 'semantics: gross\n    dialect: flat')
    expect(problemsOf(gross)).toEqual([
      { path: 'sources.wms.semantics', line: 4, problem: expect.stringContaining('net') },
    ])
    const canonical = YAML.replace(
      'semantics: net',
      'semantics: net\n    dialect: canonical\n    availableIncludesReserved: true',
    )
    expect(problemsOf(canonical)).toMatchObject([{ path: 'sources.wms.availableIncludesReserved' }])
  })

  test('two shops cannot have one URL, however it is written', () =>
    expect(
      edited('  till: { kind: channel,', '  till: { kind: shopware, url: "HTTPS://NORD.example:443/",'),
    ).toMatchObject([{ path: 'shops.till.url', problem: 'shop "nord" has this URL already' }]))
})

describe('a file that is no configuration', () => {
  test.each([
    ['a: [', 'broken YAML'],
    ['a: 1\na: 2', 'a key twice'],
    ['- 1', 'a list'],
    ['text', 'a text'],
    ['a: &x [*x]', 'an alias of itself'],
    ['['.repeat(20_000), 'twenty thousand levels'],
    ['{'.repeat(20_000), 'twenty thousand maps'],
    ['---\na: 1\n---\nb: 2', 'two documents'],
    ['? [a, b]\n: 1', 'a list as a key'],
    ['!!js/function "x"', 'a tag of another tool'],
    ['__proto__: { admin: true }', 'a prototype'],
    ['x'.repeat(5_000_001), 'five million characters'],
    [
      `a: &a [1,1,1,1,1,1,1,1,1,1]\n${'bcdef'
        .split('')
        .map((name, nth) => `${name}: &${name} [${Array(10).fill(`*${'abcde'[nth]}`).join()}]`)
        .join('\n')}`,
      'aliases that grow',
    ],
  ])('is refused with a reason: %#', (text) => {
    expect(problemsOf(text).length).toBeGreaterThan(0)
    expect({}).not.toHaveProperty('admin')
  })

  test('never makes the reader throw, whatever it is', () =>
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'grapheme' }),
          fc.json(),
          fc.anything().map((value) => String(JSON.stringify(value))),
        ),
        (text) => {
          readConfigurationYaml(text)
        },
      ),
    ))

  test('never makes the check throw, whatever it is', () =>
    fc.assert(
      fc.property(
        fc.oneof(fc.anything(), fc.record({ sources: fc.object(), warehouses: fc.object(), shops: fc.object() })),
        (value) => {
          checkConfiguration(value)
        },
      ),
    ))
})

describe('the difference between two documents', () => {
  test('is every value that differs, by its path', () => {
    const before = documentOf()
    const after = documentOf(YAML.replace('quotaUnits: 50', 'quotaUnits: 60').replace('    safetyUnits: 2\n', ''))
    expect(differences(before, after)).toEqual([
      { path: 'shops.nord.quotaUnits', before: 50, after: 60 },
      { path: 'shops.nord.safetyUnits', before: 2, after: undefined },
    ])
  })

  test('of equal ones is empty, in whatever order they are written', () => {
    const document = documentOf()
    const reversed = Object.fromEntries(Object.entries(document).reverse())
    expect(differences(document, reversed)).toEqual([])
  })

  test('knows names that every object has', () =>
    expect(differences({ shops: {} }, { shops: { constructor: 1 } })).toEqual([
      { path: 'shops.constructor', before: undefined, after: 1 },
    ]))
})
