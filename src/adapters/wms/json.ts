/**
 * Reads JSON as a warehouse may send it: strictly, in one pass over the text, with every bound checked on the way.
 *
 * `JSON.parse` would let pass what loses units: the last of two equal keys wins in silence, 9007199254740993 becomes …992, and
 * 2.9999999999999999 becomes 3. So numbers are judged on their text. No small package was found that refuses all of these and
 * keeps the speed.
 */

/** A number that is no plain integer below 2^53, as it was written: `1.5`, `1e2`, `9007199254740993`. No field of units takes it. */
export class OddNumber {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

export type Json = null | boolean | number | string | OddNumber | readonly Json[] | { readonly [key: string]: Json }

export type ReadJson = { readonly value: Json } | { readonly problem: string; readonly at: number }

/** One item of a list, with its text exactly as it was sent. */
export type JsonItem = { readonly raw: string } & ReadJson

/** Nesting that no honest message needs. */
const MAX_DEPTH = 32
/** Keys and items of one message, together. */
const MAX_MEMBERS = 1_000_000
const MAX_STRING = 10_000
const MAX_NUMBER = 40
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype'])

/** Raw bytes as text; `undefined` when they are not UTF-8. A byte order mark is kept, so that the parser refuses it. */
export function textOf(raw: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw)
  } catch {
    return undefined
  }
}

/** Reads one JSON text whole. Never throws; `at` is the position of the trouble in characters. */
export function readJson(text: string): ReadJson {
  const parser = new Parser(text)
  try {
    return { value: parser.whole() }
  } catch (cause) {
    if (cause instanceof Trouble) return { problem: cause.message, at: cause.at }
    throw cause
  }
}

/**
 * The items of a text that is one JSON list, each read by itself: one that breaks a rule of ours (a key twice, too deep) or of
 * JSON hinders no other, as long as its end can be seen.
 *
 * @returns `undefined` where the text is no list, or where its items cannot be told apart
 */
export function readItems(text: string, most: number): readonly JsonItem[] | 'too-many' | undefined {
  const items: JsonItem[] = []
  let at = afterSpace(text, 0)
  if (text[at] !== '[') return undefined
  at = afterSpace(text, at + 1)
  if (text[at] === ']') return afterSpace(text, at + 1) === text.length ? items : undefined
  for (;;) {
    const end = endOfItem(text, at)
    if (end === undefined) return undefined
    if (items.length >= most) return 'too-many'
    const raw = text.slice(at, end)
    items.push({ raw: raw.trimEnd(), ...readJson(raw) })
    if (text[end] === ']') return afterSpace(text, end + 1) === text.length ? items : undefined
    at = afterSpace(text, end + 1)
  }
}

function afterSpace(text: string, from: number): number {
  let at = from
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at += 1
  return at
}

/** Where the item that begins at `from` ends: at the comma or bracket of the list around it. Strings are stepped over. */
function endOfItem(text: string, from: number): number | undefined {
  let depth = 0
  for (let at = from; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case 0x22: // "
        at = endOfString(text, at)
        break
      case 0x5b: // [
      case 0x7b: // {
        depth += 1
        break
      case 0x5d: // ]
      case 0x7d: // }
        if (depth === 0) return text[at] === ']' ? at : undefined
        depth -= 1
        break
      case 0x2c: // ,
        if (depth === 0) return at
        break
    }
  }
  return undefined
}

function endOfString(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === 0x5c) at += 1
    else if (code === 0x22) return at
  }
  return text.length
}

class Trouble extends Error {
  readonly at: number
  constructor(message: string, at: number) {
    super(message)
    this.at = at
  }
}

const LITERALS = [
  ['true', true],
  ['false', false],
  ['null', null],
] as const
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const PLAIN_INTEGER = /^(?:-?[1-9]\d{0,15}|0)$/
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}

class Parser {
  readonly #text: string
  #at = 0
  #members = 0

  constructor(text: string) {
    this.#text = text
  }

  whole(): Json {
    const value = this.#value(0)
    this.#skipSpace()
    if (this.#at < this.#text.length) this.#fail('There is more after the end of the message')
    return value
  }

  #value(depth: number): Json {
    if (depth > MAX_DEPTH) this.#fail(`It is nested deeper than ${MAX_DEPTH} levels`)
    this.#skipSpace()
    const first = this.#text[this.#at]
    if (first === '{') return this.#object(depth)
    if (first === '[') return this.#array(depth)
    if (first === '"') return this.#string()
    for (const [word, value] of LITERALS) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length
        return value
      }
    }
    return this.#number()
  }

  #object(depth: number): Json {
    const object: Record<string, Json> = Object.create(null)
    this.#at += 1
    if (this.#closes('}')) return object
    for (;;) {
      this.#skipSpace()
      if (this.#text[this.#at] !== '"') this.#fail('A key must be a text in double quotes')
      const key = this.#string()
      if (key in object) this.#fail(`The key "${key.slice(0, 40)}" appears twice`)
      if (FORBIDDEN_KEYS.has(key)) this.#fail(`The key "${key}" is refused`)
      this.#expect(':')
      this.#count()
      object[key] = this.#value(depth + 1)
      if (this.#closes('}')) return object
      this.#expect(',')
    }
  }

  #array(depth: number): Json {
    const items: Json[] = []
    this.#at += 1
    if (this.#closes(']')) return items
    for (;;) {
      this.#count()
      items.push(this.#value(depth + 1))
      if (this.#closes(']')) return items
      this.#expect(',')
    }
  }

  #string(): string {
    const start = this.#at
    let out = ''
    let from = this.#at + 1
    for (let at = from; at < this.#text.length; at += 1) {
      const code = this.#text.charCodeAt(at)
      if (code === 0x22) {
        out += this.#text.slice(from, at)
        this.#at = at + 1
        if (out.length > MAX_STRING) this.#failAt(`A text is longer than ${MAX_STRING} characters`, start)
        if (!out.isWellFormed()) this.#failAt('A text holds half a character (a lone surrogate)', start)
        return out
      }
      if (code < 0x20) this.#failAt('A text holds a control character', at)
      if (code !== 0x5c) continue
      out += this.#text.slice(from, at)
      const [character, length] = this.#escape(at)
      out += character
      at += length - 1
      from = at + 1
    }
    return this.#failAt('A text does not end', start)
  }

  #escape(at: number): readonly [string, number] {
    const letter = this.#text[at + 1] ?? ''
    if (letter === 'u') {
      const hex = this.#text.slice(at + 2, at + 6)
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) this.#failAt('A \\u escape needs four hexadecimal digits', at)
      if (hex === '0000') this.#failAt('A text holds the character NUL', at)
      return [String.fromCharCode(Number.parseInt(hex, 16)), 6]
    }
    const character = ESCAPES[letter]
    return character === undefined ? this.#failAt('An unknown escape', at) : [character, 2]
  }

  #number(): number | OddNumber {
    NUMBER.lastIndex = this.#at
    const text = NUMBER.exec(this.#text)?.[0]
    if (text === undefined)
      return this.#fail(this.#at < this.#text.length ? 'This is not JSON' : 'The message ends too early')
    if (text.length > MAX_NUMBER) this.#fail(`A number has more than ${MAX_NUMBER} characters`)
    this.#at += text.length
    if (text === '-0') return 0
    return PLAIN_INTEGER.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : new OddNumber(text)
  }

  #closes(bracket: string): boolean {
    this.#skipSpace()
    if (this.#text[this.#at] !== bracket) return false
    this.#at += 1
    return true
  }

  #expect(character: string): void {
    this.#skipSpace()
    if (this.#text[this.#at] !== character) this.#fail(`Expected "${character}"`)
    this.#at += 1
  }

  #skipSpace(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
      this.#at += 1
    }
  }

  #count(): void {
    this.#members += 1
    if (this.#members > MAX_MEMBERS) this.#fail(`It has more than ${MAX_MEMBERS} members`)
  }

  #fail(message: string): never {
    return this.#failAt(message, this.#at)
  }

  #failAt(message: string, at: number): never {
    throw new Trouble(message, at)
  }
}

export const isObject = (value: Json | undefined): value is { readonly [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof OddNumber)

/** A value as JSON text, odd numbers as they were written. */
export function jsonText(value: Json): string {
  if (value instanceof OddNumber) return value.text
  if (Array.isArray(value)) return `[${value.map((item: Json) => jsonText(item)).join(',')}]`
  if (!isObject(value)) return JSON.stringify(value)
  return `{${Object.entries(value)
    .map(([key, item]) => `${JSON.stringify(key)}:${jsonText(item)}`)
    .join(',')}}`
}

/** A value as a person may see it in a reason: JSON, at most 200 characters. */
export const excerpt = (value: Json | undefined): string => (value === undefined ? '' : cut(jsonText(value)))

const MAX_EXCERPT = 200
/** Cut between characters, never inside one. */
export const cut = (text: string): string =>
  text.length <= MAX_EXCERPT ? text : [...text.slice(0, MAX_EXCERPT)].slice(0, -1).join('')
