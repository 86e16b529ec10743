import { describe, expect, test } from 'vitest'
import { openHouse } from '../../test/core/house.ts'
import { netFigure, orderCommand, rulesWith } from '../../test/core/rules.ts'
import type { Instant } from './ids.ts'
import { type OurUnits, orderStateOf, STEPS, type StateMachine, type Step } from './order-states.ts'
import { PAYMENT_FAILED_AFTER_MS } from './unpaid.ts'

/** A house with ten units and one order of three, read in that state of the order. */
function withOrder(technicalName: string) {
  const house = openHouse(rulesWith())
  house.say(netFigure(10, { epoch: 0, sequence: 1 }))
  house.decide(orderCommand('o', [{ units: 3 }]))
  house.decide(orderCommand('o', [{ units: 3 }], { state: orderStateOf(technicalName) }))
  return house
}

const EFFECT: Partial<Record<OurUnits, number>> = { stay: 0, 'are given back': 3, 'are wanted again': -3 }
const steps = STEPS.flatMap((step) => step.from.map((from) => ({ ...step, from })))

describe('the rules do what the table says', () => {
  test.each(steps.filter(({ machine }) => machine === 'order'))(
    'order $action, $from → $to: units $ourUnits',
    ({ from, to, ourUnits }) => {
      const house = withOrder(from)
      const before = house.sellable()
      for (let told = 0; told < 3; told += 1) {
        house.decide(orderCommand('o', [{ units: 3 }], { state: orderStateOf(to) }))
        expect(house.sellable() - before).toBe(EFFECT[ourUnits])
      }
    },
  )

  test.each(steps.filter(({ machine }) => machine === 'order_transaction'))(
    'payment $action, $from → $to: units $ourUnits',
    ({ from, to, ourUnits }) => {
      const house = openHouse(rulesWith({ shop: { paymentFailed: 'soft' } }))
      house.say(netFigure(10, { epoch: 0, sequence: 1 }))
      const isFailed = (state: string): boolean => state === 'failed' || state === 'cancelled'
      let since: Instant | undefined
      /** Reads the order with its payment in a state, twice, and twice again after the grace. */
      const read = (state: string): readonly number[] => {
        since = isFailed(state) ? (since ?? house.now()) : undefined
        const more = { payments: [state], ...(since === undefined ? {} : { unpaidSince: since }) }
        return [0, 0, PAYMENT_FAILED_AFTER_MS, 0].map((ms) => {
          house.pass(ms)
          house.decide(orderCommand('o', [{ units: 3 }], more))
          return house.sellable()
        })
      }
      const [kept, givenUp] = [
        [7, 7, 7, 7],
        [7, 7, 10, 10],
      ]
      expect(read(from)).toEqual(isFailed(from) ? givenUp : kept)
      // One payment that fails after another has no second grace.
      expect(read(to)).toEqual(isFailed(to) ? (isFailed(from) ? [10, 10, 10, 10] : givenUp) : kept)
      expect(ourUnits === 'stay for a grace, then go by `paymentFailed`').toBe(isFailed(to))
      if (isFailed(from) && !isFailed(to)) expect(ourUnits).toBe('stay, or are wanted again if they were given up')
    },
  )

  test('a delivery moves no unit: that goods have left is the warehouse’s word', () => {
    const deliveries = STEPS.filter(({ machine }) => machine === 'order_delivery')
    expect(deliveries.length).toBeGreaterThan(0)
    expect(new Set(deliveries.map(({ ourUnits, shopStock }) => `${ourUnits}, ${shopStock}`))).toEqual(
      new Set(['stay, stays']),
    )
  })

  test('a state that a merchant invented is of an order under way', () => {
    expect(orderStateOf('waiting_for_engraving')).toBe('in-progress')
  })
})

const TITLES: Readonly<Record<StateMachine, string>> = {
  order: 'The order',
  order_transaction: 'Its payment',
  order_delivery: 'Its delivery',
}

const rowOf = ({ action, from, to, shopStock, ourUnits, isUnlisted }: Step): string =>
  `| \`${action}\`${isUnlisted ? ' ¹' : ''} | ${from.join(', ')} → ${to} | ${shopStock} | ${ourUnits} |`

const page = `# What each state of an order does to units

This page is written from \`src/core/order-states.ts\`; a test plays its steps through the rules, and on a real shop another holds
the list equal to the shop's own. Names are Shopware's.

**Why nothing is counted twice.** Holdfast counts no steps. It reads the state that an order is in, with its lines, and brings its
units to what that state wants; told again, late or in another order, the same state changes nothing. Shopware moves its own stock by
its own steps meanwhile. That never meets our count: what is published is an absolute number, compared with what the shop shows
before it is written, and a difference that the shop's own steps made is no foreign write.

**Units are taken** when the checkout says yes, before the order is written; the order that is read takes over that hold. One that
passed the checkout by (an import, the administration) is recorded with the units that are free, the rest as a shortage.

${(['order', 'order_transaction', 'order_delivery'] as const)
  .map(
    (machine) => `## ${TITLES[machine]}

| step | from → to | Shopware's own stock | our units |
|---|---|---|---|
${STEPS.filter((step) => step.machine === machine)
  .map(rowOf)
  .join('\n')}`,
  )
  .join('\n\n')}

¹ Not in Shopware's list of transitions, and accepted all the same: an order can be cancelled again, and the shop takes its stock
again each time. We see the same state, and put the number right.

## What is no step

| what happens | Shopware's own stock | our units |
|---|---|---|
| an order is placed, imported or made in the administration | its units are taken, after the row is written | taken over from their hold, or recorded |
| a line is added, changed or deleted while the order is not cancelled | moves by the difference | brought to the line's units |
| the same while it is cancelled | stays | stay; a reopened order wants what its lines then say |
| the order is deleted | all units come back, unless it was cancelled | are given back |
| a merchant's own state of an order | stays | stay: only \`cancelled\` frees units |

Once the warehouse has allocated a unit, a cancelled or deleted order asks for it back, and it stays counted until the warehouse
says that it has it. Once it was shipped it is gone, whatever the shop says. An order that is \`completed\` ends units that a figure
contains, where the warehouse sends no words about orders: what is sellable does not move by it.

## A payment that fails, and one that comes late

A payment that is only late has not failed: a bank transfer or an invoice keeps its units as long as it takes. It has failed when
**every** payment that the order ever had is \`failed\` or \`cancelled\`; a buyer who changed the method has a cancelled one beside the
new one. Its buyer may pay again for a while, and Shopware asks no checkout then, so the units wait. Once the grace is over the order
is read again, and if it is still unpaid, not completed, and none of its goods have left, it is given up.

A payment after that is a new demand: by \`soft\` the order takes what is free, and the rest is a shortage that is told; by \`cancel\`
the order stays cancelled however it is paid (Shopware takes the money all the same), until somebody reopens it.

Told twice, nothing happens twice: an order that is cancelled already is not cancelled again, for Shopware would take its stock.

## What can be chosen

By each shop, see [configuration](configuration.md#shopsname):

| question | answers |
|---|---|
| Every payment of an order failed or was cancelled | \`paymentFailed\`, after \`paymentFailedAfter\` (half an hour): \`cancel\` cancels the order in the shop, and that gives its units back; \`soft\` gives them back and leaves the order; \`keep\` waits for somebody to cancel it. |
| An order is \`completed\`, refunded or returned | Nothing: goods that come back are the warehouse's word. |
| Somebody else writes the stock | \`foreignWrites\` |
`

test('the page shows the table', async () => {
  await expect(page).toMatchFileSnapshot('../../docs/states-of-orders.md')
})
