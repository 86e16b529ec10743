import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { ShopEnvironment } from './shop-environment.ts'
import { type Answer, inParallel, openHttp, type Question, readBody } from './shop-http.ts'
import { newId } from './shop-products.ts'

/** Carts that are prepared at a time; more only queue before the shop's workers. */
const PREPARE_CONCURRENCY = 8

/**
 * One buyer with a cart. The token changes when the guest registers, so it is replaced in place. With a language, every call of his
 * asks for it; the shop's own otherwise.
 */
export type Cart = { token: string; readonly languageId?: string }

/** A line of an order: `cartLineId` is the id that the cart line had, `key` what a cart script stamped, if any. */
export type OrderLine = {
  readonly lineId: string
  readonly cartLineId: string
  readonly productId: string | null
  readonly units: number
  readonly payload: Record<string, unknown>
}
export type Placed = {
  readonly refused: false
  readonly orderId: string
  readonly orderNumber: string
  readonly lines: readonly OrderLine[]
}
export type Refused = { readonly refused: true; readonly http: number; readonly messages: readonly string[] }
export type Outcome = Placed | Refused

/** What a guest needs to register in this sales channel. */
export type GuestGround = { readonly countryId: string; readonly salutationId: string; readonly storefrontUrl: string }

const contextAnswer = Compile(Type.Object({ token: Type.String() }))
// PHP writes an empty map as a list, and this for a payload and for errors alike.
const map = Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Array(Type.Unknown(), { maxItems: 0 })])
const orderAnswer = Compile(
  Type.Object({
    id: Type.String(),
    orderNumber: Type.String(),
    lineItems: Type.Array(
      Type.Object({
        id: Type.String(),
        identifier: Type.String(),
        productId: Type.Union([Type.String(), Type.Null()]),
        quantity: Type.Integer(),
        payload: map,
      }),
    ),
  }),
)
const errorsAnswer = Compile(
  Type.Object({
    errors: Type.Array(
      Type.Object({
        code: Type.Optional(Type.String()),
        detail: Type.Optional(Type.Union([Type.String(), Type.Null()])),
      }),
    ),
  }),
)
const cartAnswer = Compile(
  Type.Object({
    token: Type.String(),
    lineItems: Type.Array(
      Type.Object({
        id: Type.String(),
        referencedId: Type.Union([Type.String(), Type.Null()]),
        quantity: Type.Integer(),
      }),
    ),
    errors: Type.Unknown(),
  }),
)

export type CartTools = {
  readonly environment: ShopEnvironment
  readonly guests: GuestGround
  readonly productIdOf: (sku: string) => Promise<string>
  /** A fresh e-mail address that names the run, so that clearing finds the guest. */
  readonly newEmail: () => string
}

/** Buyers of the sales channel, through the Store API. */
export function cartsOf({ environment, guests, productIdOf, newEmail }: CartTools) {
  const http = openHttp(environment.url)
  const call = (question: Question, cart?: Cart): Promise<Answer> =>
    http.call({
      ...question,
      headers: {
        ...question.headers,
        'sw-access-key': environment.storeApiKey,
        ...(cart === undefined ? {} : { 'sw-context-token': cart.token }),
        ...(cart?.languageId === undefined ? {} : { 'sw-language-id': cart.languageId }),
      },
    })

  const newCart = async (languageId?: string): Promise<Cart> => {
    const answer = await call({ method: 'GET', path: '/store-api/context' })
    const { token } = readBody(contextAnswer, answer, 'a new cart')
    return languageId === undefined ? { token } : { token, languageId }
  }

  /** Makes the cart's buyer a guest; Shopware gives a new token, and the cart moves along. */
  const registerGuest = async (cart: Cart, email = newEmail()): Promise<void> => {
    const answer = await call(
      {
        method: 'POST',
        path: '/store-api/account/register',
        body: {
          guest: true,
          email,
          salutationId: guests.salutationId,
          firstName: 'Test',
          lastName: 'Buyer',
          acceptedDataProtection: true,
          storefrontUrl: guests.storefrontUrl,
          billingAddress: { street: 'Test Road 1', zipcode: '12345', city: 'Testham', countryId: guests.countryId },
        },
      },
      cart,
    )
    const token = answer.headers['sw-context-token']
    if (answer.http >= 300 || token === undefined)
      throw new Error(
        `GUEST_REFUSED: ${answer.http}. Read what the shop says: ${JSON.stringify(answer.body).slice(0, 600)}`,
      )
    // The header may carry the token twice, once as asked and once as given.
    cart.token = token.split(',').at(-1)?.trim() ?? token
  }

  /** Adds a line with an id of its own (two lines of one SKU stay two), and gives that id. */
  const addToCart = async (cart: Cart, sku: string, units: number): Promise<string> => {
    const productId = await productIdOf(sku)
    const id = newId()
    const answer = await call(
      {
        method: 'POST',
        path: '/store-api/checkout/cart/line-item',
        body: { items: [{ id, type: 'product', referencedId: productId, quantity: units }] },
      },
      cart,
    )
    readBody(cartAnswer, answer, `the cart line of ${sku}`)
    return id
  }

  /** Changes the units of a cart line, as a buyer does who was told that fewer are left. */
  const changeLine = async (cart: Cart, cartLineId: string, units: number): Promise<void> => {
    const answer = await call(
      {
        method: 'PATCH',
        path: '/store-api/checkout/cart/line-item',
        body: { items: [{ id: cartLineId, quantity: units }] },
      },
      cart,
    )
    readBody(cartAnswer, answer, `the changed cart line ${cartLineId}`)
  }

  const order = async (cart: Cart): Promise<Outcome> => {
    const answer = await call({ method: 'POST', path: '/store-api/checkout/order', body: {} }, cart)
    return outcomeOf(answer)
  }

  const prepareCart = async (wanted: {
    readonly sku: string
    readonly units: number
    readonly languageId?: string
    /** A fresh one if absent. */
    readonly email?: string
  }): Promise<Cart> => {
    const cart = await newCart(wanted.languageId)
    await registerGuest(cart, wanted.email)
    await addToCart(cart, wanted.sku, wanted.units)
    return cart
  }

  return {
    newCart,
    registerGuest,
    addToCart,
    changeLine,
    order,
    /** A registered guest with one line, ready for `order`: three calls. */
    prepareCart,

    /** `count` such carts, eight at a time. */
    prepareCarts: (wanted: { readonly sku: string; readonly units: number; readonly count: number }): Promise<Cart[]> =>
      inParallel(Array.from({ length: wanted.count }), PREPARE_CONCURRENCY, () => prepareCart(wanted)),

    /** The cart as the shop calculates it now: its lines, and its errors as they come. */
    async readCart(cart: Cart) {
      const body = readBody(
        cartAnswer,
        await call({ method: 'GET', path: '/store-api/checkout/cart' }, cart),
        'the cart',
      )
      return {
        lines: body.lineItems.map((line) => ({
          cartLineId: line.id,
          productId: line.referencedId,
          units: line.quantity,
        })),
        errors: body.errors,
      }
    },

    /** The buyer's own cancel of his order. */
    cancelAsBuyer: (cart: Cart, orderId: string): Promise<Answer> =>
      call({ method: 'POST', path: '/store-api/order/state/cancel', body: { orderId } }, cart),

    /** The route that asks the checkout gateway without ordering, as a page does. */
    askGateway: (cart: Cart): Promise<Answer> =>
      call({ method: 'POST', path: '/store-api/checkout/gateway', body: {} }, cart),

    close: http.close,
  }
}

function outcomeOf(answer: Answer): Outcome {
  const body: unknown = answer.body
  if (answer.http < 300) {
    const placed = readBody(orderAnswer, answer, 'an order')
    return {
      refused: false,
      orderId: placed.id,
      orderNumber: placed.orderNumber,
      lines: placed.lineItems.map((line) => ({
        lineId: line.id,
        cartLineId: line.identifier,
        productId: line.productId,
        units: line.quantity,
        payload: Array.isArray(line.payload) ? {} : line.payload,
      })),
    }
  }
  const messages = errorsAnswer.Check(body)
    ? body.errors.map((error) => `${error.code ?? ''}: ${error.detail ?? ''}`)
    : [JSON.stringify(body)?.slice(0, 300) ?? '']
  return { refused: true, http: answer.http, messages }
}
