import { expect, test } from 'vitest'
import { isOutage } from './outage.ts'

const coded = (code: string) => Object.assign(new Error('it went wrong'), { code })

test.for([
  '08006', // connection failure
  '53300', // too many connections
  '53100', // disk full
  '57P01', // an administrator ended it
  '57P03', // starting up
  '57014', // given up after statement_timeout
  '55P03', // given up waiting for a lock
  '25P03', // idle in transaction for too long
  '25006', // read-only: a standby
  '58030', // the disk failed
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
])('%s is an outage', (code) => {
  expect(isOutage(coded(code))).toBe(true)
})

test.for(['23505', '23514', '22P02', '40P01', '40001', '42601', '25001', 'ERR_ASSERTION'])(
  '%s is none: the database is well',
  (code) => {
    expect(isOutage(coded(code))).toBe(false)
  },
)

test.for([
  'Connection terminated unexpectedly',
  'Connection terminated due to connection timeout',
  'Client has encountered a connection error and is not queryable',
  'Query read timeout',
  'timeout exceeded when trying to connect',
])('"%s", which comes without a code, is an outage', (message) => {
  expect(isOutage(new Error(message))).toBe(true)
})

test('a thrown assertion is no outage, whatever words it uses', () => {
  expect(isOutage(new Error('the demand has ended: its timeout was terminated'))).toBe(false)
  expect(isOutage('Connection terminated')).toBe(false)
})
