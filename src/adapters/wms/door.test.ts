import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { after } from '../../core/ids.ts'
import { doorOf, MAX_MESSAGES } from './door.ts'
import { NOW, SECRET, sha256, signed, sourceNamed } from './door-fixture.ts'
import type { SourceConfig } from './source-config.ts'

type Told = { readonly type?: string; readonly id?: string; readonly source?: Partial<SourceConfig> }

/** Delivers a body, signed as it should be. */
function deliver(body: string | Buffer, { type, id, source }: Told = {}) {
  const raw = Buffer.from(body)
  const headers = {
    ...signed(raw, id === undefined ? {} : { id }),
    ...(type === undefined ? {} : { 'content-type': type }),
  }
  const proved = doorOf(sourceNamed(source)).prove({ headers, raw })
  return 'refused' in proved ? proved : proved.read(NOW)
}

function messagesOf(body: string | Buffer, about: Told = {}) {
  const read = deliver(body, about)
  if (!('messages' in read)) throw new Error('refused')
  return read.messages
}

const flat = (sku: string, units = 1) => JSON.stringify({ sku, available_stock: units })

describe('a delivery', () => {
  test('that is not authentic is refused with the same words, whatever was wrong, and the reason stays with us', () => {
    const reasons: string[] = []
    const door = doorOf(sourceNamed(), (reason) => reasons.push(reason))
    const raw = Buffer.from(flat('A'))
    const refused = { refused: { httpCode: 401, code: 'NOT_AUTHENTIC', detail: 'The message is not authentic' } }
    expect(door.prove({ headers: {}, raw })).toEqual(refused)
    expect(door.prove({ headers: signed('other'), raw })).toEqual(refused)
    const proved = door.prove({ headers: signed(raw), raw })
    expect('read' in proved && proved.read(after(NOW, 301_000))).toEqual(refused)
    expect(new Set(reasons).size).toBe(3)
  })

  test('of one message, of an array, and of lines are the same', () => {
    const one = flat('A')
    const two = flat('B')
    expect(messagesOf(one)).toMatchObject([{ index: 0, raw: one, words: [{ sku: 'A' }] }])
    for (const [body, type] of [
      [`[${one}, ${two}]`, 'application/json'],
      [`${one}\n${two}\n`, 'application/x-ndjson'],
      [`${one}\r\n\n${two}`, 'Application/X-NDJSON; charset=utf-8'],
      [`${one}\n${two}`, 'application/json'],
    ] as const) {
      const messages = messagesOf(body, { type })
      expect(messages.map(({ raw }) => raw.trim())).toEqual([one, two])
      expect(messages.map(({ words }) => words.length)).toEqual([1, 1])
    }
  })

  test('row 17: that is empty, or holds blanks, or begins with a BOM, is one dead letter', () => {
    for (const body of ['', '   ', '\n\n', '\ufeff{"sku":"A","available_stock":1}', '[]', ' [ ] ']) {
      expect(messagesOf(body)).toMatchObject([{ index: 0, words: [], problems: [{ field: 'message' }] }])
    }
  })

  test.each(['application/json; charset=utf-16', 'text/plain', 'text/plain; charset=latin1', '', 'application/xml'])(
    'row 7: of the type %j is read as the UTF-8 JSON that it is, or not at all',
    (type) => {
      expect(messagesOf(flat('Ä'), { type })).toMatchObject([{ words: [{ sku: 'Ä' }] }])
      expect(messagesOf(Buffer.from(flat('Ä'), 'utf16le'), { type })).toMatchObject([{ words: [], problems: [{}] }])
    },
  )

  test('row 45: that is no JSON is one dead letter, whole, with the place of the trouble', () =>
    expect(messagesOf('{"sku":"A","available_stock":1,}')).toEqual([
      {
        index: 0,
        id: 'msg-1',
        raw: '{"sku":"A","available_stock":1,}',
        words: [],
        notes: [],
        problems: [
          {
            field: 'message',
            value: '{"sku":"A","available_stock":1,}',
            reason: 'A key must be a text in double quotes (at character 31)',
          },
        ],
      },
    ]))

  test.each(['null', '"x"', '1', '[[]]', '[null]', '{}', '{"type":7}'])('row 51: %s is one dead letter', (body) =>
    expect(messagesOf(body)).toMatchObject([{ words: [], problems: [{}] }]),
  )

  test('rows 53 and 56: that is no UTF-8 is kept byte for byte', () => {
    const bytes = Buffer.from([0x7b, 0xff, 0xfe, 0x7d])
    const [message] = messagesOf(bytes)
    expect(message).toMatchObject({ problems: [{ reason: expect.stringContaining('not UTF-8') }] })
    expect(Buffer.from(message?.raw.replace('base64:', '') ?? '', 'base64')).toEqual(bytes)
  })

  test('that is no UTF-8 never becomes a message, however often it is replayed', () => {
    const [message] = messagesOf(Buffer.from('{"sku":"M\u00fctze","available_stock":1}', 'latin1'))
    expect(doorOf(sourceNamed()).readMessage(message?.raw ?? '', NOW)).toMatchObject({ words: [], problems: [{}] })
  })

  test('row 62: two messages in one body are taken each once, and the wrong one hinders no other', () => {
    const messages = messagesOf(
      `[${flat('A')},{"sku":"B","sku":"C","available_stock":1},${flat('C', -1)},${flat('D')}]`,
    )
    expect(messages.map(({ words, problems }) => [words.length, problems.length])).toEqual([
      [1, 0],
      [0, 1],
      [0, 1],
      [1, 0],
    ])
    expect(messages[2]).toMatchObject({ raw: flat('C', -1), problems: [{ field: 'available_stock', value: '-1' }] })
  })

  test('row 62: of ten thousand messages is taken, one more is refused whole', () => {
    const lines = (count: number) => Array.from({ length: count }, (_, nth) => flat(`S${nth}`))
    expect(messagesOf(`[${lines(MAX_MESSAGES).join()}]`)).toHaveLength(MAX_MESSAGES)
    const refused = { refused: { httpCode: 400, code: 'TOO_MANY_MESSAGES' } }
    expect(deliver(`[${lines(MAX_MESSAGES + 1).join()}]`)).toMatchObject(refused)
    expect(deliver(lines(MAX_MESSAGES + 1).join('\n'))).toMatchObject(refused)
  })

  test('row 104: a message whose list is empty says nothing, and is not passed over in silence', () => {
    for (const message of [
      { type: 'order.shipped', order: '1', lines: [] },
      { type: 'stock.snapshot', figures: [] },
    ]) {
      expect(messagesOf(JSON.stringify(message))).toMatchObject([{ words: [], problems: [{ field: 'message' }] }])
    }
  })

  test('of any bytes is read or is dead letters, never an exception and never silence', () =>
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.string().map(Buffer.from), fc.json().map(Buffer.from)), (bytes) => {
        for (const { words, problems } of messagesOf(Buffer.from(bytes))) {
          expect(words.length + problems.length).toBeGreaterThan(0)
        }
      }),
    ))
})

describe('the identity of a message', () => {
  const ids = (body: string, about: Told = {}) => messagesOf(body, about).map(({ id }) => id)

  test('is the webhook-id of its delivery, with its place where there are several', () => {
    expect(ids(flat('A'), { id: 'w1' })).toEqual(['w1'])
    expect(ids(`[${flat('A')}]`, { id: 'w1' })).toEqual(['w1'])
    expect(ids(`[${flat('A')},${flat('B')}]`, { id: 'w1' })).toEqual(['w1#0', 'w1#1'])
  })

  test('is never in the body of a flat message: an id there is the product’s', () =>
    expect(ids('{"id":"product-77","sku":"A","available_stock":1}', { id: 'w1' })).toEqual(['w1']))

  test('is the own id of a canonical message', () =>
    expect(ids('{"id":"m-7","type":"stock.level.reported","sku":"A","net":1}', { id: 'w1' })).toEqual(['m-7']))

  test('that is too long is refused: cut to fit, two of them could become one', () => {
    const long = 'x'.repeat(256)
    const [message] = messagesOf(`{"id":"${long}","type":"stock.level.reported","sku":"A","net":1}`)
    expect(message).toMatchObject({ words: [], problems: [{ field: 'id' }] })
  })

  test('is unknown where the sender gives none', () => {
    const source = sourceNamed({ auth: { kind: 'bearer', tokenHashes: [sha256('the-token-of-the-wms')] } })
    const proved = doorOf(source).prove({
      headers: { authorization: 'Bearer the-token-of-the-wms' },
      raw: Buffer.from(flat('A')),
    })
    const read = 'read' in proved ? proved.read(NOW) : undefined
    expect(read && 'messages' in read && read.messages[0]).not.toHaveProperty('id')
  })
})

test('a message that is read again later says the same', () => {
  const door = doorOf(sourceNamed({ auth: { kind: 'standard-webhooks', secrets: [SECRET] } }))
  const raw = '{"sku":" A","available_stock":42,"incoming_stock":20,"as_of":"2026-11-23T08:00:00Z"}'
  const [first] = messagesOf(raw)
  expect(door.readMessage(raw, NOW)).toEqual({
    words: first?.words,
    notes: first?.notes,
    problems: [],
    sentAs: new Map([['A', ' A']]),
  })
  expect(first?.notes).toEqual(['SKU_TRIMMED_OR_COMPOSED', 'INCOMING_WITHOUT_DAY'])
})
