/** Reads named fields of a message, each with its own reason when it cannot be used. The first trouble ends the message. */
import {
  canonicalSku,
  type Day,
  dayOf,
  type Instant,
  instantOf,
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
const EARLIEST = Date.parse('2000-01-01T00:00:00Z')
const LATEST = Date.parse('2100-01-01T00:00:00Z')
const MAX_NAME = 255

/** One message, or one row of it, with the path that its problems are told under. */
export class Fields {
  readonly #object: { readonly [key: string]: Json }
  readonly #path: string
  constructor(value: Json, path = '') {
    if (!isObject(value)) throw new FieldProblem(path || 'message', value, 'must be an object')
    this.#object = value
    this.#path = path
  }

  has(name: string): boolean {
    return this.#object[name] !== undefined
  }

  fail(name: string, reason: string): never {
    throw new FieldProblem(this.#pathOf(name), this.#object[name], reason)
  }

  sku(name = 'sku'): Sku {
    const read = canonicalSku(this.#text(name, Number.POSITIVE_INFINITY))
    return 'sku' in read ? read.sku : this.fail(name, `the SKU ${read.problem}`)
  }

  text(name: string): string {
    return this.#text(name, MAX_NAME)
  }

  optionalText(name: string): string | undefined {
    return this.has(name) ? this.text(name) : undefined
  }

  oneOf<T extends string>(name: string, choices: readonly T[]): T {
    const value = this.#object[name]
    return choices.find((choice) => choice === value) ?? this.fail(name, `must be one of ${choices.join(', ')}`)
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
    const text = this.text(name)
    const at = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN
    // JavaScript turns 2026-02-30 into 2 March: only a day that survives the round trip exists.
    if (Number.isNaN(at) || new Date(at).toISOString().slice(0, 10) !== text)
      this.fail(name, 'must be a day that exists, as 2026-03-14')
    if (at < EARLIEST || at >= LATEST) this.fail(name, 'must lie between 2000 and 2099')
    return dayOf(text)
  }

  instant(name: string): Instant {
    const text = this.text(name)
    const parts = /^(\d{4}-\d{2}-\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/.exec(text)
    if (!parts) this.fail(name, 'must be an RFC 3339 time with an offset, as 2026-03-14T15:09:26Z')
    const [, day = '', hour, minute, second, , offset = ''] = parts
    const dayAt = Date.parse(`${day}T00:00:00Z`)
    const exists = !Number.isNaN(dayAt) && new Date(dayAt).toISOString().slice(0, 10) === day
    const inRange = Number(hour) < 24 && Number(minute) < 60 && Number(second) < 60
    const zone =
      /^[zZ]$/.test(offset) || (Number(offset.slice(1, 3)) <= 14 && Number(offset.slice(4)) < 60 && offset !== '-00:00')
    const at = Date.parse(text)
    if (!exists || !inRange || !zone || Number.isNaN(at)) this.fail(name, 'must be a time that exists')
    if (at < EARLIEST || at >= LATEST) this.fail(name, 'must lie between 2000 and 2099')
    return instantOf(at)
  }

  /** Where the word stands in its source's order. */
  stamp(names = { epoch: 'epoch', sequence: 'sequence', asOf: 'asOf' }): Stamp {
    return {
      epoch: this.has(names.epoch) ? this.#integer(names.epoch, 0, MAX_UNITS, 'a whole number') : 0,
      ...(this.has(names.sequence)
        ? { sequence: this.#integer(names.sequence, 0, MAX_SEQUENCE, 'a whole number') }
        : {}),
      ...(this.has(names.asOf) ? { asOf: this.instant(names.asOf) } : {}),
    }
  }

  warehouse(allowed: readonly string[], otherwise: string, name = 'warehouse'): WarehouseId {
    const named = this.optionalText(name) ?? otherwise
    return allowed.includes(named) ? warehouseOf(named) : this.fail(name, `"${named}" is no warehouse of this source`)
  }

  rows(name: string): readonly Fields[] {
    const value = this.#object[name]
    if (!Array.isArray(value)) return this.fail(name, 'must be a list')
    return value.map((row: Json, index: number) => new Fields(row, `${this.#pathOf(name)}[${index}]`))
  }

  /** The raw rows, for whoever wants each to fail by itself. */
  rawRows(name: string): readonly { readonly value: Json; readonly path: string }[] {
    const value = this.#object[name]
    if (!Array.isArray(value)) return this.fail(name, 'must be a list')
    return value.map((row: Json, index: number) => ({ value: row, path: `${this.#pathOf(name)}[${index}]` }))
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
