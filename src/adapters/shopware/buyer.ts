/**
 * By what a buyer is known again, so that caps hold for people and not for carts. A guest is a new customer with each order, so the
 * shop's own id of him says nothing: his mail address does, and where the goods go. Both are brought into one form first, so that a
 * plus sign, a capital or "Str." for "Straße" makes nobody a new buyer; and both leave this house only as keyed digests.
 */
import { fieldOf, textOf } from './pick.ts'

/** Texts of a person: for {@link digestBuyer} and nothing else. */
export type BuyerInTheClear = { readonly mail?: string; readonly address?: string }

/** Reads the buyer out of a `salesChannelContext`; what is missing is nobody's. */
export function buyerOf(context: unknown): BuyerInTheClear {
  const mail = mailForm(textOf(fieldOf(fieldOf(context, 'customer'), 'email')))
  const address = addressForm(fieldOf(fieldOf(context, 'shippingLocation'), 'address'))
  return { ...(mail === undefined ? {} : { mail }), ...(address === undefined ? {} : { address }) }
}

/** The digests of a buyer in one shop. `digest` is a keyed one, in hex. */
export const digestBuyer = (
  { mail, address }: BuyerInTheClear,
  shop: string,
  digest: (text: string) => string,
): { readonly customer?: string; readonly address?: string } => ({
  ...(mail === undefined ? {} : { customer: digest(`buyer:${shop}:mail:${mail}`) }),
  ...(address === undefined ? {} : { address: digest(`buyer:${shop}:address:${address}`) }),
})

/** Without capitals, blanks, and what follows a plus sign: that reaches the same mailbox. */
function mailForm(text: string | undefined): string | undefined {
  const [local = '', domain = ''] = text?.normalize('NFKC').toLowerCase().replace(/\s/g, '').split('@') ?? []
  const box = local.replace(/\+.*$/, '')
  return box === '' || domain === '' ? undefined : `${box}@${domain}`
}

function addressForm(address: unknown): string | undefined {
  const [street, zipcode, city, country] = ['street', 'zipcode', 'city', 'countryId'].map((name) =>
    lettersOf(textOf(fieldOf(address, name))),
  )
  return street && city ? [street.replace('strasse', 'str'), zipcode, city, country].join('/') : undefined
}

/** Letters and digits alone, without accents. */
const lettersOf = (text: string | undefined): string =>
  (text ?? '')
    .toLowerCase()
    .replaceAll('ß', 'ss')
    .normalize('NFKD')
    .replace(/[^\p{L}\p{N}]/gu, '')
