/** What is counted, for Prometheus. Names begin with `holdfast_`; labels never hold a SKU, an order or a person. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export type Metrics = ReturnType<typeof createMetrics>

export function createMetrics() {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'holdfast_' })
  const registers = [registry]
  return {
    registry,
    checkouts: new Counter({
      name: 'holdfast_checkout_answers_total',
      help: 'Answers to checkout gateway calls by shop and outcome.',
      labelNames: ['shop', 'outcome'],
      registers,
    }),
    checkoutSeconds: new Histogram({
      name: 'holdfast_checkout_answer_seconds',
      help: 'Time from a gateway call’s arrival to its answer.',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 1, 2.5],
      registers,
    }),
    messages: new Counter({
      name: 'holdfast_messages_total',
      help: 'Messages of warehouses by source and what became of them.',
      labelNames: ['source', 'outcome'],
      registers,
    }),
    refused: new Counter({
      name: 'holdfast_unauthentic_total',
      help: 'Requests whose signature or token did not prove their sender, by door.',
      labelNames: ['door'],
      registers,
    }),
    troubles: new Counter({
      name: 'holdfast_troubles_total',
      help: 'Rounds of a loop that failed and will be tried again.',
      labelNames: ['loop'],
      registers,
    }),
    bugs: new Counter({ name: 'holdfast_bugs_total', help: 'Broken invariants. Should be zero for ever.', registers }),
    waiting: new Gauge({ name: 'holdfast_lane_waiting', help: 'Commands that wait for the lane.', registers }),
    byMargin: new Counter({
      name: 'holdfast_included_by_margin_total',
      help: 'Units taken as included by a declared margin, the weakest proof.',
      registers,
    }),
  }
}
