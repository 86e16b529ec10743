/** Which addresses are not on the public internet. A shop may live there only where the operator has said so. */
import { BlockList, isIP, isIPv4 } from 'node:net'

/** Whether an IP address in its usual writing is loopback, private, link-local, carrier-internal, reserved or a group's. */
export function isPrivateAddress(address: string): boolean {
  if (isIP(address) === 0) return true
  return isIPv4(address) ? blocked.check(address, 'ipv4') : blocked.check(address, 'ipv6')
}

const blocked = new BlockList()
const IPV4_BLOCKS: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
]
for (const [network, bits] of IPV4_BLOCKS) {
  blocked.addSubnet(network, bits, 'ipv4')
  // The same addresses written as IPv6: mapped (::ffff:10.0.0.1) and translated (64:ff9b::10.0.0.1).
  blocked.addSubnet(`::ffff:${network}`, 96 + bits, 'ipv6')
  blocked.addSubnet(`64:ff9b::${network}`, 96 + bits, 'ipv6')
}
const IPV6_BLOCKS: readonly (readonly [string, number])[] = [
  ['::', 96], // unspecified, loopback and the old IPv4-compatible form
  ['100::', 64],
  ['2002::', 16], // 6to4 carries an IPv4 address of anybody's choice
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
]
for (const [network, bits] of IPV6_BLOCKS) blocked.addSubnet(network, bits, 'ipv6')
