/**
 * Tryton's encodings, read at the edge: a row of `search_read`, its dotted children (which come back nested, under a key with a dot
 * at its end), days, moments and quantities. Whatever is not as promised makes the whole answer unreadable: half of it is nothing.
 */
import { type Day, dayOf, type Units } from '../../../core/ids.ts'
import { Failure } from '../../../errors.ts'
import { fieldOf } from '../../shopware/pick.ts'

/** A day as Tryton writes it. */
export const trytonDay = (day: Day) => {
  const [year = 0, month = 0, date = 0] = day.split('-').map(Number)
  return { __class__: 'date', year, month, day: date }
}

/** A moment of Tryton's own clock, which knows no zone; in milliseconds as if it were UTC, for comparing with its like alone. */
export const trytonMoment = (ms: number) => {
  const at = new Date(ms)
  return {
    __class__: 'datetime',
    year: at.getUTCFullYear(),
    month: at.getUTCMonth() + 1,
    day: at.getUTCDate(),
    hour: at.getUTCHours(),
    minute: at.getUTCMinutes(),
    second: at.getUTCSeconds(),
    microsecond: at.getUTCMilliseconds() * 1000,
  }
}

/** `undefined` for what is no day. */
export function dayIn(value: unknown): Day | undefined {
  const [year, month, day] = ['year', 'month', 'day'].map((part) => Number(fieldOf(value, part)))
  if (fieldOf(value, '__class__') !== 'date' || !year || !month || !day) return undefined
  return dayOf(`${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}`)
}

const pad = (number: number, digits: number): string => String(number).padStart(digits, '0')

/** One row of an answer. */
export class Row {
  readonly #value: unknown
  readonly #about: string
  constructor(value: unknown, about: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unreadable(about, 'is no row')
    this.#value = value
    this.#about = about
  }

  get id(): number {
    return this.number('id')
  }

  number(name: string): number {
    const value = this.#field(name)
    return typeof value === 'number' && Number.isFinite(value) ? value : this.#fail(name, 'is no number')
  }

  optionalNumber(name: string): number | undefined {
    return this.#field(name) === null ? undefined : this.number(name)
  }

  text(name: string): string {
    const value = this.#field(name)
    return typeof value === 'string' ? value : this.#fail(name, 'is no text')
  }

  optionalText(name: string): string | undefined {
    return this.#field(name) === null ? undefined : this.text(name)
  }

  day(name: string): Day | undefined {
    const value = this.#field(name)
    return value === null ? undefined : (dayIn(value) ?? this.#fail(name, 'is no day'))
  }

  /** Of Tryton's own clock, rounded down to the millisecond. */
  moment(name: string): number | undefined {
    const value = this.#field(name)
    if (value === null) return undefined
    const part = (each: string): number => Number(fieldOf(value, each))
    const ms = Date.UTC(
      ...([part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second')] as const),
      Math.floor(part('microsecond') / 1000),
    )
    return Number.isFinite(ms) ? ms : this.#fail(name, 'is no moment')
  }

  ids(name: string): readonly number[] {
    const value = this.#field(name)
    if (!Array.isArray(value)) return this.#fail(name, 'is no list')
    return value.map((id: unknown) => (typeof id === 'number' ? id : this.#fail(name, 'holds no ids')))
  }

  /** What a field points to, read along; `undefined` where it points nowhere. */
  optionalChild(name: string): Row | undefined {
    const value = this.#field(`${name}.`)
    return value === null ? undefined : new Row(value, `${this.#about}.${name}`)
  }

  child(name: string): Row {
    return this.optionalChild(name) ?? this.#fail(name, 'is empty')
  }

  children(name: string): readonly Row[] {
    const value = this.#field(`${name}.`)
    if (!Array.isArray(value)) return this.#fail(name, 'is no list')
    return value.map((each: unknown) => new Row(each, `${this.#about}.${name}`))
  }

  /** Its own text: two readings of a row are the same when their texts are. */
  get asText(): string {
    return JSON.stringify(this.#value)
  }

  #field(name: string): unknown {
    if (!Object.hasOwn(Object(this.#value), name)) this.#fail(name, 'is missing')
    return fieldOf(this.#value, name)
  }

  #fail(name: string, problem: string): never {
    throw unreadable(`${this.#about}.${name}`, problem)
  }
}

/** The rows of a `search_read`. */
export function rowsOf(answer: unknown, model: string): readonly Row[] {
  if (!Array.isArray(answer)) throw unreadable(model, 'is no list')
  return answer.map((row: unknown) => new Row(row, model))
}

const unreadable = (what: string, problem: string): Failure =>
  new Failure(
    'WMS_ANSWER_UNREADABLE',
    `Tryton's answer cannot be used: ${what} ${problem}. Nothing of it was taken. Check the version of Tryton and its modules.`,
    { retry: 'later' },
  )

/** Floats that differ from a whole number by less are one: sums of them are not exact. */
const FLOAT_DUST = 1e-6

/** Whole units, with their sign; `undefined` for a fraction, which no shop can sell. */
export function wholeUnits(quantity: number): Units | undefined {
  const whole = Math.round(quantity)
  // No −0: it would be another text than 0.
  return Math.abs(quantity - whole) < FLOAT_DUST ? whole + 0 : undefined
}
