/** The sum of ended demands that a checkpoint keeps in their place, whatever the order in which they ended. */
import { createHash } from 'node:crypto'
import type { Demand } from '../../core/demand.ts'
import { canonicalJson } from '../../core/ledger.ts'

const MODULUS = 2n ** 256n

export type EndedSum = {
  add(demand: Demand): void
  /** In hex. */
  hex(): string
}

/** @param begin the sum of those that ended before, in hex */
export function endedSum(begin = '0'): EndedSum {
  let sum = BigInt(`0x${begin}`)
  return {
    add(demand) {
      sum = (sum + BigInt(`0x${createHash('sha256').update(canonicalJson(demand)).digest('hex')}`)) % MODULUS
    },
    hex: () => sum.toString(16),
  }
}
