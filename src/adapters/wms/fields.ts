/** Reads named fields of a message, each with its own reason when it cannot be used. The first trouble ends the message. */
import { readDay, readInstant } from '../../app/time-text.ts'
import {
  canonicalSku,
  type Day,
  type Instant,
  MAX_UNITS,
  type Sku,
  type WarehouseId,
  warehouseOf,
} from '../../core/ids.ts'
import type { Stamp } from '../../core/word.ts'
import { excerpt, isObject, type Json, OddNumber } from './json.ts'

/** Why a message cannot be used. */
export type Problem = { readonly field: string; readonly value: string; readonly reason: string }

/** Thrown by a field, caught by the dialect: one message, one reason. */
export class FieldProblem extends Error {
  readonly problem: Problem
  constructor(field: string, value: Json | undefined, reason: string) {
    super(reason)
    this.problem = { field, value: excerpt(value), reason }
  }
}

/** The largest sequence that a number can hold exactly. */
const MAX_SEQUENCE = Number.MAX_SAFE_INTEGER
const MAX_NAME = 255
/** How far the clock of a warehouse may be ahead of ours, as for signatures. Believed further ahead, every later word would be late. */
const AHEAD_AT_MOST_MS = 5 * 60_000
/** Told where a SKU was taken in another form than it was sent in: trimmed, or composed by Unicode's rules. */
export const SKU_TAKEN_AS = 'SKU_TRIMMED_OR_COMPOSED'

/** What a message's fields are read with. */
export type Reading = {
  /** When the message reached us. */
  readonly receivedAt: Instant
  /** Codes that the sender is told although the message is taken. */
  readonly notes: Set<string>
  /** SKUs that were taken in another form than they were sent in, with the form as sent; for whoever wants to know. */
  readonly sentAs?: Map<Sku, string>
}

/** One message, or one row of it, with the path that its problems are told under. */
export class Fields {
  readonly #object: { readonly [key: string]: Json }
  readonly #reading: Reading
  readonly #path: string
  constructor(value: Json, reading: Reading, path = '') {
    if (!isObject(value)) throw new FieldProblem(path || 'message', value, 'must be an object')
    this.#object = value
    this.#reading = reading
    this.#path = path
  }

  has(name: string): boolean {
    return this.#object[name] !== undefined
  }

  /** The value as it was sent. */
  raw(name: string): Json | undefined {
    return this.#object[name]
  }

  fail(name: string, reason: string): never {
    throw new FieldProblem(this.#pathOf(name), this.#object[name], reason)
  }

  sku(name = 'sku'): Sku {
    const sent = this.#text(name, Number.POSITIVE_INFINITY)
    const read = canonicalSku(sent)
    if ('problem' in read) return this.fail(name, `the SKU ${read.problem}`)
    if (read.sku !== sent) {
      this.#reading.notes.add(SKU_TAKEN_AS)
      this.#reading.sentAs?.set(read.sku, sent)
    }
    return read.sku
  }

  text(name: string): string {
    return this.#text(name, MAX_NAME)
  }

  optionalText(name: string): string | undefined {
    return this.has(name) ? this.text(name) : undefined
  }

  units(name: string): number {
    return this.#integer(name, 0, MAX_UNITS, 'whole units')
  }

  optionalUnits(name: string): number | undefined {
    return this.has(name) ? this.units(name) : undefined
  }

  /** Units with a sign. */
  change(name: string): number {
    return this.#integer(name, -MAX_UNITS, MAX_UNITS, 'whole units, with a sign')
  }

  flag(name: string, otherwise: boolean): boolean {
    const value = this.#object[name]
    if (value === undefined) return otherwise
    return typeof value === 'boolean' ? value : this.fail(name, 'must be true or false')
  }

  optionalFlag(name: string): boolean | undefined {
    return this.has(name) ? this.flag(name, false) : undefined
  }

  day(name: string): Day {
    const read = readDay(this.text(name))
    return 'day' in read ? read.day : this.fail(name, read.problem)
  }

  instant(name: string): Instant {
    const read = readInstant(this.text(name))
    return 'instant' in read ? read.instant : this.fail(name, read.problem)
  }

  /** A moment that the warehouse's own clock has seen. */
  #past(name: string): Instant {
    const at = this.instant(name)
    return at > this.#reading.receivedAt + AHEAD_AT_MOST_MS
      ? this.fail(name, 'lies in the future: the clock of the warehouse is ahead')
      : at
  }

  /** Where the word stands in its source's order. */
  stamp(names = { epoch: 'epoch', sequence: 'sequence', asOf: 'asOf' }): Stamp {
    return {
      epoch: this.has(names.epoch) ? this.#integer(names.epoch, 0, MAX_UNITS, 'a whole number') : 0,
      ...(this.has(names.sequence)
        ? { sequence: this.#integer(names.sequence, 0, MAX_SEQUENCE, 'a whole number') }
        : {}),
      ...(this.has(names.asOf) ? { asOf: this.#past(names.asOf) } : {}),
    }
  }

  warehouse(allowed: readonly string[], otherwise: string, name = 'warehouse'): WarehouseId {
    const named = this.optionalText(name) ?? otherwise
    return allowed.includes(named) ? warehouseOf(named) : this.fail(name, `"${named}" is no warehouse of this source`)
  }

  rows(name: string): readonly Fields[] {
    const value = this.#object[name]
    if (!Array.isArray(value)) return this.fail(name, 'must be a list')
    return value.map((row: Json, index: number) => new Fields(row, this.#reading, `${this.#pathOf(name)}[${index}]`))
  }

  /** The raw rows, for whoever wants each to fail by itself. */
  rawRows(name: string): readonly { readonly value: Json; readonly path: string }[] {
    const value = this.#object[name]
    if (!Array.isArray(value)) return this.fail(name, 'must be a list')
    return value.map((row: Json, index: number) => ({ value: row, path: `${this.#pathOf(name)}[${index}]` }))
  }

  /** The message without some of its fields: what a row by itself needs to mean the same. */
  without(...names: readonly string[]): { readonly [key: string]: Json } {
    return Object.fromEntries(Object.entries(this.#object).filter(([name]) => !names.includes(name)))
  }

  #text(name: string, longest: number): string {
    const value = this.#object[name]
    if (value === undefined) this.fail(name, 'is missing')
    if (typeof value !== 'string') this.fail(name, 'must be a text')
    if (value === '') this.fail(name, 'is empty')
    if (value.length > longest) this.fail(name, `is longer than ${longest} characters`)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
    if (longest !== Number.POSITIVE_INFINITY && /[\u0000-\u001f\u007f]/.test(value))
      this.fail(name, 'holds a control character')
    return value
  }

  #integer(name: string, least: number, most: number, what: string): number {
    const value = this.#object[name]
    if (value === undefined) this.fail(name, 'is missing')
    if (value instanceof OddNumber) this.fail(name, `must be ${what}, written as digits alone`)
    if (typeof value !== 'number') this.fail(name, `must be ${what}, not ${value === null ? 'null' : typeof value}`)
    if (value < least || value > most) this.fail(name, `must lie between ${least} and ${most}`)
    return value
  }

  #pathOf(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`
  }
}
