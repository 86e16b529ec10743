import { describe, expect, test } from 'vitest'
import { openHouse } from '../../test/core/house.ts'
import { netFigure, orderCommand, rulesWith } from '../../test/core/rules.ts'
import { type OurUnits, orderStateOf, STEPS, type StateMachine, type Step } from './order-states.ts'

/** A house with ten units and one order of three, read in that state of the order. */
function withOrder(technicalName: string) {
  const house = openHouse(rulesWith())
  house.say(netFigure(10, { epoch: 0, sequence: 1 }))
  house.decide(orderCommand('o', [{ units: 3 }]))
  house.decide(orderCommand('o', [{ units: 3 }], { state: orderStateOf(technicalName) }))
  return house
}

const EFFECT: Readonly<Record<OurUnits, number>> = { stay: 0, 'are given back': 3, 'are wanted again': -3 }
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

  test('a payment or a delivery is no part of what an order is to the rules, so none of their steps moves a unit', () => {
    const others = STEPS.filter(({ machine }) => machine !== 'order')
    expect(others.length).toBeGreaterThan(0)
    expect(new Set(others.map(({ ourUnits, shopStock }) => `${ourUnits}, ${shopStock}`))).toEqual(
      new Set(['stay, stays']),
    )
    expect(Object.keys(orderCommand('o', []).order).sort()).toEqual(['lines', 'orderId', 'orderNumber', 'state'])
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

## What can be chosen

| question | today | to come |
|---|---|---|
| A payment failed or was cancelled | The order keeps its units until somebody cancels it: its buyer may still pay, and a second payment never asks us. | To cancel the order after a grace, or to give its units back and take a late payment as a new demand. |
| An order is \`completed\`, refunded or returned | Nothing: goods that come back are the warehouse's word. | – |
| Somebody else writes the stock | \`foreignWrites\` of the shop, see [configuration](configuration.md#shopsname). | – |
`

test('the page shows the table', async () => {
  await expect(page).toMatchFileSnapshot('../../docs/states-of-orders.md')
})
