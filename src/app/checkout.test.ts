import { describe, expect, test } from 'vitest'
import { rulesWith } from '../../test/core/rules.ts'
import type { ShopRules } from '../core/configuration.ts'
import type { Answer, Command } from '../core/decide.ts'
import { instantOf, shopOf, skuOf } from '../core/ids.ts'
import { emptyState } from '../core/stock.ts'
import { answerCheckout, type CheckoutCall, type CheckoutPorts } from './checkout.ts'
import type { ShopStatus } from './shop-ports.ts'

const shop = shopOf('nord')
const lamp = skuOf('LAMP')
const call: CheckoutCall = {
  isOrderCall: true,
  isEditOrder: false,
  cartBlocked: false,
  basket: new Uint8Array(),
  lines: [{ sku: lamp, units: 2, lineKey: 'k1', label: 'Lamp' }],
}
const granted: Answer = { granted: true, reservation: 'r', lines: [] }
const refused: Answer = {
  granted: false,
  refusal: { kind: 'NOT_ENOUGH', lines: [{ sku: lamp, askedUnits: 2, sellableUnits: 1 }] },
}
const connected: ShopStatus = {
  shop,
  state: 'connected',
  baselineAt: instantOf(1),
  silentFrom: undefined,
  returnedAt: undefined,
  readSinceReturn: true,
  watermark: instantOf(1),
}

/** A lane that answers when it is told to, and everything else that a call touches. */
function counter(options: {
  readonly whenUndecided?: ShopRules['whenUndecided']
  readonly shownUnits?: number
  readonly status?: ShopStatus
}) {
  const asked: Command[] = []
  const insisted: Command[] = []
  let answer: (answer: Answer) => void = () => undefined
  let fail: (cause: unknown) => void = () => undefined
  let calls = 0
  const configuration = rulesWith({ shop: { whenUndecided: options.whenUndecided ?? 'block' } })
  const ports: CheckoutPorts = {
    lane: {
      submit: (command) => {
        asked.push(command)
        return new Promise((resolve, reject) => {
          answer = resolve as (answer: Answer) => void
          fail = reject
        })
      },
    },
    rules: () => configuration,
    status: () => options.status ?? connected,
    lastShown: () => options.shownUnits,
    now: async () => instantOf(0),
    states: async () => [emptyState(lamp)],
    onCall: () => {
      calls += 1
    },
    afterAnswer: (command) => void insisted.push(command),
    answerWithinMs: 20,
  }
  return {
    ports,
    asked,
    insisted,
    answer: (given: Answer) => answer(given),
    fail: () => fail(new Error('away')),
    calls: () => calls,
  }
}

/** Lets promises that are settled run their course. */
const settled = () => new Promise((resume) => setImmediate(resume))

describe('an order call', () => {
  test('is one hold for the whole basket, and granted without a word', async () => {
    const desk = counter({})
    const answering = answerCheckout(desk.ports, shop, call)
    desk.answer(granted)
    expect(await answering).toEqual({ outcome: 'granted', objections: [] })
    expect(desk.asked).toMatchObject([{ kind: 'hold', via: 'gateway', mode: 'all', lines: call.lines }])
    expect(desk.insisted).toEqual([])
  })

  test('is refused with the number that is left', async () => {
    const desk = counter({})
    const answering = answerCheckout(desk.ports, shop, call)
    desk.answer(refused)
    expect(await answering).toEqual({
      outcome: 'refused',
      objections: [{ key: 'NOT_ENOUGH', leftUnits: 1, label: 'Lamp' }],
    })
  })

  test.each([
    ['an empty cart', { ...call, lines: [] }],
    ['the edit-order page', { ...call, isEditOrder: true }],
    ['a cart that can never be ordered (H36)', { ...call, cartBlocked: true }],
  ])('makes no attempt of %s', async (_, harmless) => {
    const desk = counter({})
    expect(await answerCheckout(desk.ports, shop, harmless)).toEqual({ outcome: 'nothing-to-hold', objections: [] })
    expect([desk.asked, desk.calls()]).toEqual([[], 1])
  })

  test.each([
    ['few units were shown', 'block', 5, 'undecided-blocked'],
    ['many units were shown', 'block', 20, 'undecided-allowed'],
    ['the SKU is none of ours', 'block', undefined, 'undecided-allowed'],
    ['the shop lets everything go on', 'allow', 5, 'undecided-allowed'],
  ] as const)('that is not decided in time follows the policy: %s', async (_, whenUndecided, shownUnits, outcome) => {
    const desk = counter({ whenUndecided, ...(shownUnits === undefined ? {} : { shownUnits }) })
    expect((await answerCheckout(desk.ports, shop, call)).outcome).toBe(outcome)
  })
})

describe('what the lane says after the answer is made to fit it', () => {
  test('a late yes after a no is given back', async () => {
    const desk = counter({ shownUnits: 5 })
    await answerCheckout(desk.ports, shop, call)
    desk.answer(granted)
    await settled()
    const [asked] = desk.asked
    expect(desk.insisted).toEqual([
      { kind: 'release', shop, reservation: asked && 'reservation' in asked ? asked.reservation : '' },
    ])
  })

  test('a late yes after a yes stays the attempt', async () => {
    const desk = counter({ whenUndecided: 'allow' })
    await answerCheckout(desk.ports, shop, call)
    desk.answer(granted)
    await settled()
    expect(desk.insisted).toEqual([])
  })

  test.each(['a late no', 'no answer at all'])('%s after a yes becomes an attempt all the same', async (what) => {
    const desk = counter({ whenUndecided: 'allow' })
    await answerCheckout(desk.ports, shop, call)
    if (what === 'a late no') desk.answer(refused)
    else desk.fail()
    await settled()
    expect(desk.insisted).toMatchObject([{ kind: 'hold', saidYes: true, lines: call.lines }])
  })

  test('a shop that is back and not read is answered by its policy, and its yes is counted', async () => {
    const unread: ShopStatus = {
      ...connected,
      silentFrom: instantOf(5),
      returnedAt: instantOf(9),
      readSinceReturn: false,
    }
    const desk = counter({ whenUndecided: 'allow', status: unread })
    expect((await answerCheckout(desk.ports, shop, call)).outcome).toBe('undecided-allowed')
    expect(desk.asked).toEqual([])
    expect(desk.insisted).toMatchObject([{ kind: 'hold', saidYes: true }])
  })
})

describe('policies of a shop', () => {
  const page = `page-${Buffer.from(call.basket).toString('hex')}`
  const counterWith = (shopRules: Partial<ShopRules>) => {
    const desk = counter({})
    const configuration = rulesWith({ shop: shopRules })
    return { ...desk, ports: { ...desk.ports, rules: () => configuration } }
  }

  test('from the confirm page on, one hold of the basket, which the order call takes over', async () => {
    const desk = counterWith({ confirmHoldMs: 600_000 })
    const looked = answerCheckout(desk.ports, shop, { ...call, isOrderCall: false, isConfirmPage: true })
    desk.answer(refused)
    expect(await looked).toEqual({
      outcome: 'looked',
      objections: [{ key: 'NOT_ENOUGH', leftUnits: 1, label: 'Lamp' }],
    })
    const ordered = answerCheckout(desk.ports, shop, call)
    desk.answer(granted)
    expect(await ordered).toMatchObject({ outcome: 'granted' })
    expect(desk.asked).toMatchObject([
      { kind: 'hold', reservation: page, pageForMs: 600_000 },
      { kind: 'hold', takesOver: page },
    ])
    expect(desk.asked[1]).not.toMatchObject({ reservation: page })
  })

  test('a page holds nothing without that policy, for nobody, for an order that is edited, and while nothing can be decided', async () => {
    const confirm = { ...call, isOrderCall: false, isConfirmPage: true }
    const unread: ShopStatus = {
      ...connected,
      silentFrom: instantOf(1),
      returnedAt: instantOf(2),
      readSinceReturn: false,
    }
    const asked = async (desk: ReturnType<typeof counter>, page: CheckoutCall): Promise<number> => {
      await answerCheckout(desk.ports, shop, page)
      return desk.asked.length
    }
    expect(await asked(counterWith({}), confirm)).toBe(0)
    expect(await asked(counterWith({ confirmHoldMs: 1 }), { ...confirm, isConfirmPage: false })).toBe(0)
    expect(await asked(counterWith({ confirmHoldMs: 1 }), { ...confirm, isEditOrder: true })).toBe(0)
    const silent = counterWith({ confirmHoldMs: 1 })
    expect(await asked({ ...silent, ports: { ...silent.ports, status: () => unread } }, confirm)).toBe(0)
  })

  test('an administrator’s order is decided as any other, or let through as a fact', async () => {
    const strict = counterWith({})
    const refusedOne = answerCheckout(strict.ports, shop, { ...call, isAdminOrder: true })
    strict.answer(refused)
    expect(await refusedOne).toMatchObject({ outcome: 'refused' })
    const kind = counterWith({ adminOrders: 'allow' })
    expect(await answerCheckout(kind.ports, shop, { ...call, isAdminOrder: true })).toEqual({
      outcome: 'granted',
      objections: [],
    })
    expect(kind.asked).toEqual([])
    expect(kind.insisted).toMatchObject([{ kind: 'hold', saidYes: true }])
    const buyer = counterWith({ adminOrders: 'allow' })
    const answered = answerCheckout(buyer.ports, shop, call)
    buyer.answer(refused)
    expect(await answered).toMatchObject({ outcome: 'refused' })
  })

  test('a buyer is named to the lane only where something is capped', async () => {
    const buyer = { customer: 'aa', address: 'bb' }
    for (const [shopRules, named] of [
      [{}, undefined],
      [{ caps: { perCustomerUnits: 3, bySku: new Map() } }, buyer],
    ] as const) {
      const desk = counterWith(shopRules)
      const answered = answerCheckout(desk.ports, shop, { ...call, buyer })
      desk.answer(granted)
      await answered
      expect(desk.asked[0]).toHaveProperty(named ? 'buyer' : 'kind', named ?? 'hold')
      if (!named) expect(desk.asked[0]).not.toHaveProperty('buyer')
    }
  })
})
