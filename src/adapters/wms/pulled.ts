/**
 * What a pull brought, as it lies in the inbox: canonical messages of one warehouse under one stamp. Written by `app/pull.ts` and by
 * nobody else: a pulled source has no door.
 */
import { type ReadWords, readCanonical } from './canonical.ts'
import { Fields, type Reading } from './fields.ts'
import { isObject, type Json } from './json.ts'
import type { SourceConfig } from './source-config.ts'

/** Whether a message is what a pull brought. */
export const isPulled = (value: Json): boolean => isObject(value) && value.type === 'pulled'

/** `answersOurPull`: told of a system that went back in time, so that an older number is believed to be news. */
export type ReadPulled = ReadWords & { readonly answersOurPull: boolean }

/** Reads it. A part that cannot be used leaves its neighbours. Throws a `FieldProblem` for what is no pull of ours. */
export function readPulled(value: Json, source: SourceConfig, reading: Reading): ReadPulled {
  const fields = new Fields(value, reading)
  const about = fields.without('type', 'parts', 'isSuspected')
  const parts = fields
    .rawRows('parts')
    .map(({ value: part }) => readCanonical(isObject(part) ? { ...about, ...part } : part, source, reading))
  return {
    words: parts.flatMap(({ words }) => words),
    problems: parts.flatMap(({ problems }) => problems),
    answersOurPull: fields.flag('isSuspected', false),
  }
}
