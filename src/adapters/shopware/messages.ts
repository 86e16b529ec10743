/** What a buyer reads at the checkout: one catalogue, German and English. Short, friendly, without our inner words. */
import type { Units } from '../../core/ids.ts'

/** The languages of the catalogue; every other one reads English. */
export type Language = 'de' | 'en'

/** One thing to tell the buyer, with the numbers it needs. `label` is the name of the product as the cart shows it. */
export type CheckoutMessage =
  | { readonly key: 'NOT_ENOUGH'; readonly leftUnits: Units; readonly label?: string }
  | { readonly key: 'ORDER_BEING_PLACED' }
  | { readonly key: 'PREVIOUS_ATTEMPT_OPEN'; readonly seconds: number }
  | { readonly key: 'UNDECIDED' }

/** The text for one message, at most {@link MAX_MESSAGE_CHARACTERS} characters. */
export function checkoutText(language: Language, message: CheckoutMessage): string {
  return texts[language](message)
}

/** The catalogue's language for a header such as `de-DE`; English where the header is missing or names another. */
export function languageOf(userLanguage: string | readonly string[] | undefined): Language {
  return typeof userLanguage === 'string' && /^de(-|_|$)/i.test(userLanguage) ? 'de' : 'en'
}

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
      case 'ORDER_BEING_PLACED':
        return 'Ihre Bestellung wird gerade schon aufgegeben. Bitte warten Sie einen Augenblick.'
      case 'PREVIOUS_ATTEMPT_OPEN': {
        const seconds = wholeSeconds(message.seconds)
        const inTime = seconds === 1 ? 'einer Sekunde' : `${seconds} Sekunden`
        return `Ihr voriger Bestellversuch wird noch abgeschlossen. Bitte versuchen Sie es in ${inTime} noch einmal.`
      }
      case 'UNDECIDED':
        return 'Wir konnten die Verfügbarkeit gerade nicht prüfen. Bitte versuchen Sie es gleich noch einmal.'
    }
  },
  en: (message) => {
    switch (message.key) {
      case 'NOT_ENOUGH': {
        const product = named(message.label, '“', '”') || 'This item'
        if (message.leftUnits <= 0) return `${product} has just sold out, sorry.`
        return `Only ${message.leftUnits} of ${named(message.label, '“', '”') || 'this item'} left. Please adjust the quantity.`
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
    }
  },
}
