import { expect, test } from 'vitest'
import { buyerOf, digestBuyer } from './buyer.ts'

const context = (email: unknown, address: unknown) => ({ customer: { email }, shippingLocation: { address } })
const home = { street: 'Hauptstraße 12', zipcode: '12345', city: 'Köln', countryId: 'abc' }

test('one mailbox is one buyer, however it is written', () => {
  const mails = ['ada@example.org', ' ADA@Example.org', 'ada+1@example.org', 'ada+shop+2@EXAMPLE.ORG']
  expect(new Set(mails.map((mail) => buyerOf(context(mail, undefined)).mail))).toEqual(new Set(['ada@example.org']))
  expect(buyerOf(context('bob@example.org', undefined)).mail).not.toBe('ada@example.org')
})

test('one house is one address, however it is written', () => {
  const streets = ['Hauptstraße 12', 'HAUPTSTRASSE 12', 'Hauptstr. 12', 'hauptstr 12']
  const forms = streets.map((street) => buyerOf(context(undefined, { ...home, street })).address)
  expect(new Set(forms).size).toBe(1)
  expect(buyerOf(context(undefined, { ...home, city: 'Koln' })).address).toBe(forms[0]?.replace('köln', 'koln'))
  expect(buyerOf(context(undefined, { ...home, street: 'Hauptstraße 1' })).address).not.toBe(forms[0])
  expect(buyerOf(context(undefined, { ...home, zipcode: '99999' })).address).not.toBe(forms[0])
})

test.each([undefined, null, [], '', 'no-at-sign', '@example.org', '+1@example.org', 7])(
  'a mail address %j names nobody',
  (mail) => expect(buyerOf(context(mail, home)).mail).toBeUndefined(),
)

test.each([undefined, null, [], {}, { street: '', city: 'Köln' }, { street: '!!!', city: 'Köln' }])(
  'an address %j is nowhere',
  (address) => expect(buyerOf(context('ada@example.org', address)).address).toBeUndefined(),
)

test('what leaves is digests, others in each shop, and none where nothing is known', () => {
  const buyer = buyerOf(context('ada@example.org', home))
  const digest = (text: string) => `<${text.length}>`
  const made = digestBuyer(buyer, 'nord', digest)
  expect(made).toEqual({ customer: expect.stringMatching(/^<\d+>$/), address: expect.stringMatching(/^<\d+>$/) })
  const plain = (text: string) => text
  expect(digestBuyer(buyer, 'nord', plain).customer).not.toBe(digestBuyer(buyer, 'sued', plain).customer)
  expect(digestBuyer({}, 'nord', digest)).toEqual({})
})
