/**
 * What each step of an order, its payment and its delivery does to units: in Shopware by itself, and here. Data, so that one table
 * can be shown, checked against a real shop, and played through the rules.
 *
 * Nothing is counted twice because nothing is counted by steps: an order's state is read, and its units are brought to what that
 * state wants. Numbers in the shop are absolute and compared. A step that is told twice, late or never changes nothing.
 */
import type { OrderState } from './shop-order.ts'
import { paymentFailed } from './unpaid.ts'

/** The three machines of Shopware that an order goes through. */
export type StateMachine = 'order' | 'order_transaction' | 'order_delivery'

/** What a step does to Shopware's own `product.stock`. */
export type ShopStock = 'stays' | 'all units come back' | 'all units are taken again, without a check'
/** What it does to the units that we count for the order. */
export type OurUnits =
  | 'stay'
  | 'are given back'
  | 'are wanted again'
  | 'stay for a grace, then go by `paymentFailed`'
  | 'stay, or are wanted again if they were given up'

export type Step = {
  readonly machine: StateMachine
  /** Shopware's name of the transition. */
  readonly action: string
  readonly from: readonly string[]
  readonly to: string
  readonly shopStock: ShopStock
  readonly ourUnits: OurUnits
  /** Not in Shopware's own list of transitions, and accepted all the same. */
  readonly isUnlisted?: true
}

/** Where Shopware's name of an order's state leads. One that a merchant invented is of an order under way: only `cancelled` frees units. */
export function orderStateOf(technicalName: string): OrderState {
  switch (technicalName) {
    case 'open':
      return 'open'
    case 'completed':
      return 'completed'
    case 'cancelled':
      return 'cancelled'
    default:
      return 'in-progress'
  }
}

/** A step that leaves Shopware's stock alone. A payment that fails, and one that comes after all, are told apart by where they lead. */
function quiet(machine: StateMachine, action: string, to: string, from: string): Step {
  const states = from.split(' ')
  const isPayment = machine === 'order_transaction'
  const ourUnits =
    isPayment && paymentFailed([to])
      ? 'stay for a grace, then go by `paymentFailed`'
      : isPayment && states.some((state) => paymentFailed([state]))
        ? 'stay, or are wanted again if they were given up'
        : 'stay'
  return { machine, action, from: states, to, shopStock: 'stays', ourUnits }
}

/** Every step of Shopware 6.6, by machine and name. A test on a real shop holds the list equal to the shop's own. */
export const STEPS: readonly Step[] = [
  quiet('order', 'process', 'in_progress', 'open'),
  quiet('order', 'complete', 'completed', 'in_progress'),
  {
    machine: 'order',
    action: 'cancel',
    from: ['open', 'in_progress'],
    to: 'cancelled',
    shopStock: 'all units come back',
    ourUnits: 'are given back',
  },
  {
    machine: 'order',
    action: 'cancel',
    from: ['completed'],
    to: 'cancelled',
    shopStock: 'all units come back',
    ourUnits: 'are given back',
    isUnlisted: true,
  },
  {
    machine: 'order',
    action: 'cancel',
    from: ['cancelled'],
    to: 'cancelled',
    shopStock: 'all units are taken again, without a check',
    ourUnits: 'stay',
    isUnlisted: true,
  },
  {
    machine: 'order',
    action: 'reopen',
    from: ['cancelled'],
    to: 'open',
    shopStock: 'all units are taken again, without a check',
    ourUnits: 'are wanted again',
  },
  quiet('order', 'reopen', 'open', 'completed'),

  quiet('order_transaction', 'authorize', 'authorized', 'in_progress open reminded unconfirmed'),
  quiet(
    'order_transaction',
    'cancel',
    'cancelled',
    'authorized chargeback in_progress open paid paid_partially refunded_partially reminded unconfirmed',
  ),
  quiet('order_transaction', 'chargeback', 'chargeback', 'paid paid_partially'),
  quiet('order_transaction', 'do_pay', 'in_progress', 'failed open paid_partially reminded'),
  quiet('order_transaction', 'fail', 'failed', 'authorized failed in_progress open unconfirmed'),
  quiet('order_transaction', 'paid', 'paid', 'authorized cancelled chargeback failed in_progress open unconfirmed'),
  quiet(
    'order_transaction',
    'paid_partially',
    'paid_partially',
    'authorized chargeback failed in_progress open unconfirmed',
  ),
  quiet('order_transaction', 'pay', 'paid', 'failed open paid_partially reminded'),
  quiet('order_transaction', 'pay_partially', 'paid_partially', 'failed in_progress open reminded'),
  quiet('order_transaction', 'process_unconfirmed', 'unconfirmed', 'cancelled failed open paid_partially reminded'),
  quiet('order_transaction', 'refund', 'refunded', 'cancelled paid paid_partially refunded_partially'),
  quiet('order_transaction', 'refund_partially', 'refunded_partially', 'cancelled paid paid_partially'),
  quiet('order_transaction', 'remind', 'reminded', 'open paid_partially'),
  quiet(
    'order_transaction',
    'reopen',
    'open',
    'cancelled failed in_progress paid paid_partially refunded_partially reminded unconfirmed',
  ),

  quiet('order_delivery', 'ship', 'shipped', 'open shipped_partially'),
  quiet('order_delivery', 'ship_partially', 'shipped_partially', 'open'),
  quiet('order_delivery', 'retour', 'returned', 'returned_partially shipped shipped_partially'),
  quiet('order_delivery', 'retour_partially', 'returned_partially', 'shipped shipped_partially'),
  quiet('order_delivery', 'cancel', 'cancelled', 'open shipped shipped_partially'),
  quiet('order_delivery', 'reopen', 'open', 'cancelled returned returned_partially shipped shipped_partially'),
]
