/**
 * What people read, in one catalogue, German and English: a buyer at the checkout of a shop, a clerk at a till, whoever is refused
 * by the API. Short, friendly, without our inner words. The storefront snippets of the app hold the same texts; a test says so.
 */
import type { Units } from './core/ids.ts'

/** The languages of the catalogue; every other one reads English. */
export type Language = 'de' | 'en'

/** One thing to tell the buyer, with the numbers it needs. `label` is the name of the product as the cart shows it. */
export type CheckoutMessage =
  | { readonly key: 'NOT_ENOUGH'; readonly leftUnits: Units; readonly label?: string }
  | { readonly key: 'CAP_REACHED'; readonly capUnits: Units; readonly leftUnits: Units; readonly label?: string }
  | { readonly key: 'ORDER_BEING_PLACED' }
  | { readonly key: 'PREVIOUS_ATTEMPT_OPEN'; readonly seconds: number }
  | { readonly key: 'UNDECIDED' }
  | { readonly key: 'GUARD_STOP'; readonly label?: string }
  | { readonly key: 'GUARD_MOST'; readonly most: number | string; readonly label?: string }
  | { readonly key: 'ALREADY_PLACED'; readonly order: string }
  | { readonly key: 'DEAD_LETTER_DECIDED' }

/** The text for one message, at most {@link MAX_MESSAGE_CHARACTERS} characters. */
export function checkoutText(language: Language, message: CheckoutMessage): string {
  return texts[language](message)
}

/** The catalogue's language for a header such as `de-DE`; English where the header is missing or names another. */
export function languageOf(userLanguage: string | readonly string[] | undefined): Language {
  return typeof userLanguage === 'string' && /^de(-|_|$)/i.test(userLanguage) ? 'de' : 'en'
}

/** The language that a browser or program likes best of those we have, from its `Accept-Language`; English where it likes none. */
export function preferredLanguage(acceptLanguage: string | undefined): Language {
  const wishes = (acceptLanguage ?? '')
    .slice(0, MAX_HEADER_CHARACTERS)
    .split(',')
    .map((part) => {
      const [tag = '', weight] = part.trim().split(/\s*;\s*q=/i)
      return {
        language: /^(de|en)(-|$)/i.exec(tag)?.[1]?.toLowerCase(),
        weight: weight === undefined ? 1 : Number(weight),
      }
    })
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight)
  return wishes.find(({ language }) => language !== undefined)?.language === 'de' ? 'de' : 'en'
}

const MAX_HEADER_CHARACTERS = 500

/** A product's name is cut to this, so that a text stays one line of a notice. */
const MAX_LABEL_CHARACTERS = 80
/** The longest text of the catalogue, in characters. */
export const MAX_MESSAGE_CHARACTERS = 250

const named = (label: string | undefined, open: string, close: string): string => {
  const plain = label?.replace(/\p{C}+/gu, ' ').trim() ?? ''
  if (plain === '') return ''
  const characters = [...plain]
  const cut =
    characters.length > MAX_LABEL_CHARACTERS ? `${characters.slice(0, MAX_LABEL_CHARACTERS - 1).join('')}…` : plain
  return `${open}${cut}${close}`
}

const wholeSeconds = (seconds: number): number => Math.max(1, Math.ceil(seconds))

const texts: Record<Language, (message: CheckoutMessage) => string> = {
  de: (message) => {
    switch (message.key) {
      case 'NOT_ENOUGH': {
        const product = named(message.label, '„', '“') || 'Dieser Artikel'
        if (message.leftUnits <= 0) return `${product} ist leider gerade ausverkauft.`
        return `${product} ist nur noch ${message.leftUnits} Mal verfügbar. Bitte passen Sie die Menge an.`
      }
      case 'CAP_REACHED': {
        const product = named(message.label, '„', '“') || 'Dieser Artikel'
        const most = `${product} wird höchstens ${message.capUnits} Mal je Kunde abgegeben.`
        if (message.leftUnits <= 0) return `${most} So viele haben Sie schon bestellt.`
        return `${most} Sie können noch ${message.leftUnits} bestellen. Bitte passen Sie die Menge an.`
      }
      case 'ORDER_BEING_PLACED':
        return 'Ihre Bestellung wird gerade schon aufgegeben. Bitte warten Sie einen Augenblick.'
      case 'PREVIOUS_ATTEMPT_OPEN': {
        const seconds = wholeSeconds(message.seconds)
        const inTime = seconds === 1 ? 'einer Sekunde' : `${seconds} Sekunden`
        return `Ihr voriger Bestellversuch wird noch abgeschlossen. Bitte versuchen Sie es in ${inTime} noch einmal.`
      }
      case 'UNDECIDED':
        return 'Wir konnten die Verfügbarkeit gerade nicht prüfen. Bitte versuchen Sie es gleich noch einmal.'
      case 'GUARD_STOP':
        return `${named(message.label, '„', '“') || 'Dieser Artikel'} kann zurzeit nicht bestellt werden. Bitte nehmen Sie es aus dem Warenkorb.`
      case 'GUARD_MOST':
        return `${named(message.label, '„', '“') || 'Dieser Artikel'} wird höchstens ${message.most} Mal je Kunde abgegeben. Bitte passen Sie die Menge an.`
      case 'ALREADY_PLACED':
        return `Dieser Warenkorb wurde schon als Bestellung ${named(message.order, '', '')} aufgegeben.`
      case 'DEAD_LETTER_DECIDED':
        return 'Darum hat sich schon jemand gekümmert.'
    }
  },
  en: (message) => {
    switch (message.key) {
      case 'NOT_ENOUGH': {
        const product = named(message.label, '“', '”') || 'This item'
        if (message.leftUnits <= 0) return `${product} has just sold out, sorry.`
        return `Only ${message.leftUnits} of ${named(message.label, '“', '”') || 'this item'} left. Please adjust the quantity.`
      }
      case 'CAP_REACHED': {
        const most = `We sell at most ${message.capUnits} of ${named(message.label, '“', '”') || 'this item'} to one customer.`
        if (message.leftUnits <= 0) return `${most} You have ordered that many already.`
        return `${most} You can still order ${message.leftUnits}. Please adjust the quantity.`
      }
      case 'ORDER_BEING_PLACED':
        return 'Your order is already being placed. Please wait a moment.'
      case 'PREVIOUS_ATTEMPT_OPEN': {
        const seconds = wholeSeconds(message.seconds)
        const inTime = seconds === 1 ? 'a second' : `${seconds} seconds`
        return `Your previous attempt is still being completed. Please try again in ${inTime}.`
      }
      case 'UNDECIDED':
        return 'We could not check availability just now. Please try again in a moment.'
      case 'GUARD_STOP':
        return `${named(message.label, '“', '”') || 'This item'} cannot be ordered at the moment. Please take it out of your cart.`
      case 'GUARD_MOST':
        return `We sell at most ${message.most} of ${named(message.label, '“', '”') || 'this item'} to one customer. Please adjust the quantity.`
      case 'ALREADY_PLACED':
        return `This cart has already been placed as order ${named(message.order, '', '')}.`
      case 'DEAD_LETTER_DECIDED':
        return 'Somebody has dealt with this already.'
    }
  },
}
