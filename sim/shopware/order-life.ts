/** What happens to an order after it was placed, with exactly the stock moves, webhooks and moments of the real shop. */
import { orderPayload, writtenEntry } from './bodies.ts'
import { type Order, orderById, productOf, type World } from './world.ts'

/** Cancels. Cancelling a cancelled order is accepted and takes the stock again, every time. */
export function cancelOrder(world: World, id: string): void {
  const order = orderById(world, id)
  moveStock(world, order, order.state === 'cancelled' ? -1 : 1)
  enterState(world, order, 'cancelled')
}

/** Opens again; from cancelled it takes the stock without asking whether there is any. An open order stays as it is. */
export function reopenOrder(world: World, id: string): void {
  const order = orderById(world, id)
  if (order.state === 'open') return
  if (order.state === 'cancelled') moveStock(world, order, -1)
  enterState(world, order, 'open')
}

/** Starts or completes the work on an order; no stock moves. */
export function advanceOrder(world: World, id: string, to: 'in_progress' | 'completed'): void {
  enterState(world, orderById(world, id), to)
}

/** Puts the payment into a state; the order's own `updatedAt` and its stock stay. */
export function setPayment(world: World, id: string, to: 'open' | 'paid' | 'failed' | 'cancelled' | 'refunded'): void {
  const order = orderById(world, id)
  order.transaction.state = to
  order.transaction.updatedAt = world.now()
  world.emit(`state_enter.order_transaction.state.${to}`, orderPayload(order))
}

/** Puts the delivery into a state; nothing else changes. */
export function setDelivery(world: World, id: string, to: 'shipped' | 'returned' | 'cancelled' | 'open'): void {
  const order = orderById(world, id)
  order.delivery.state = to
  order.delivery.updatedAt = world.now()
  world.emit(`state_enter.order_delivery.state.${to}`, orderPayload(order))
}

/** Changes a line's units as an ERP does: stock moves (not on a cancelled order), and nobody is told. */
export function editLine(world: World, id: string, lineId: string, units: number): void {
  const order = orderById(world, id)
  const line = lineOf(order, lineId)
  if (order.state !== 'cancelled') productOf(world, line.productId).stock -= units - line.units
  line.units = units
  line.updatedAt = world.now()
}

/** Deletes a line: stock moves, nobody is told, and no trace is left. */
export function deleteLine(world: World, id: string, lineId: string): void {
  const order = orderById(world, id)
  const line = lineOf(order, lineId)
  if (order.state !== 'cancelled') productOf(world, line.productId).stock += line.units
  order.lines = order.lines.filter((each) => each !== line)
}

/** Deletes an order; a cancelled one gives nothing back a second time. */
export function deleteOrder(world: World, id: string): void {
  const order = orderById(world, id)
  if (order.state !== 'cancelled') moveStock(world, order, 1)
  world.orders.delete(id)
  world.emit('order.deleted', [writtenEntry('order', 'delete', id)])
}

function moveStock(world: World, order: Order, sign: 1 | -1): void {
  for (const line of order.lines) productOf(world, line.productId).stock += sign * line.units
}

function enterState(world: World, order: Order, to: Order['state']): void {
  order.state = to
  order.updatedAt = world.now()
  world.emit('order.written', [writtenEntry('order', 'update', order.id, ['id', 'versionId', 'stateId', 'updatedAt'])])
  world.emit(`state_enter.order.state.${to}`, orderPayload(order))
}

function lineOf(order: Order, lineId: string): Order['lines'][number] {
  const line = order.lines.find((each) => each.id === lineId)
  if (line === undefined) throw new Error(`order ${order.orderNumber} has no line ${lineId}`)
  return line
}
