/** A shop's URL as somebody tells it: checked before anything is sent there, and brought into one form for comparing. */
import { isIP } from 'node:net'
import { isPrivateAddress } from './private-address.ts'

/** The longest URL of a shop, in characters. */
export const MAX_SHOP_URL_CHARACTERS = 1_024

/** What the operator allows beyond the public internet. */
export type ShopUrlPolicy = {
  /** Whether shops may have loopback and private addresses, names without a domain and plain http. */
  readonly allowPrivate: boolean
}

/**
 * Checks and normalises a shop's URL: lower-case host, default port left out, no slash at the end, no doubled ones.
 *
 * The address behind a name is not known here; whoever connects checks it once more, on the address that is really used.
 *
 * @returns the normal form, or what is wrong with it, in words for the person who installs the app
 */
export function checkShopUrl(
  received: string,
  policy: ShopUrlPolicy,
): { readonly url: string } | { readonly problem: string } {
  if (received.length > MAX_SHOP_URL_CHARACTERS) return { problem: 'is too long' }
  // The URL parser drops tabs and line ends and turns backslashes round; we refuse what it would mend.
  if (/[\s\\\p{Cc}]/u.test(received)) return { problem: 'contains a space, a backslash or a control character' }
  if (!/^https?:\/\/[^/]/i.test(received)) return { problem: 'does not begin with http:// or https://' }
  if (!URL.canParse(received)) return { problem: 'is not a URL' }
  const url = new URL(received)
  if (url.username !== '' || url.password !== '' || received.includes('@')) {
    return { problem: 'must not contain a user or a password' }
  }
  if (url.search !== '' || url.hash !== '' || /[?#]/.test(received)) {
    return { problem: 'must not contain a query or a fragment' }
  }
  if (url.hostname.endsWith('.')) return { problem: 'has a host that ends with a dot' }
  const port = url.port === '' ? undefined : Number(url.port)
  if (port !== undefined && port < 1_024 && port !== 80 && port !== 443) {
    return { problem: 'has a port on which no shop listens' }
  }
  if (!policy.allowPrivate && isPrivateHost(url.hostname)) {
    return { problem: 'has a private address, which this Holdfast may not call' }
  }
  const path = url.pathname.replace(/\/{2,}/g, '/').replace(/\/$/, '')
  return { url: `${url.protocol}//${url.host}${path}` }
}

function isPrivateHost(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0) return isPrivateAddress(host)
  // A name without a dot, and the names that never lead outside.
  return !host.includes('.') || /\.(localhost|local|internal|intranet|lan|home|corp|invalid|test)$/.test(host)
}
