/** `holdfast incidents`, `dead-letters`, `shops`: what waits for somebody. */
import { parseArgs } from 'node:util'
import type { Static } from 'typebox'
import type { DeadLetterPage, DeliveryReceipt, IncidentPage } from '../http/contract.ts'
import { asJson, type Command, EXIT, plain, read, table, UsageProblem, wholeNumber } from './command.ts'
import { releaseShop } from './release.ts'
import { resyncShop } from './resync.ts'

const PAGE = { after: { type: 'string' }, limit: { type: 'string' }, json: { type: 'boolean' } } as const

function query(values: Record<string, string | boolean | undefined>): string {
  for (const name of ['after', 'limit']) {
    if (typeof values[name] === 'string') wholeNumber(values[name], `--${name}`)
  }
  return new URLSearchParams(
    Object.entries(values).flatMap(([name, value]) =>
      value === undefined || name === 'json' ? [] : [[name, String(value)] as [string, string]],
    ),
  ).toString()
}

export const incidents: Command = {
  name: 'incidents',
  summary: 'What a person should know',
  usage:
    'holdfast incidents [--closed] [--after N] [--limit N] [--json]\n  holdfast incidents close ID [--json]\n\n' +
    '  close: you have dealt with it; the ledger keeps your name. Where the trouble lasts, it is told again.',
  async run(args, { client, out }) {
    const { values, positionals } = read(() =>
      parseArgs({ args: [...args], options: { ...PAGE, closed: { type: 'boolean' } }, allowPositionals: true }),
    )
    if (positionals.length > 0) {
      const [verb, id, ...rest] = positionals
      if (verb !== 'close' || id === undefined || rest.length > 0) throw new UsageProblem('Name one incident to close')
      const { body } = await client.request('POST', `/v1/incidents/${wholeNumber(id, 'ID')}/close`)
      out(values.json ? asJson(body) : `Incident ${id} is closed.`)
      return EXIT.ok
    }
    const { body } = await client.request('GET', `/v1/incidents?${query(values)}`)
    const { incidents: found, next } = body as Static<typeof IncidentPage>
    const rows = found.map((each) => [
      each.id,
      each.openedAt,
      each.closedAt === undefined ? 'open' : 'closed',
      each.code,
      each.shop ?? '',
      each.orderNumber ?? '',
      each.sku ?? '',
      each.units ?? '',
      each.cause,
    ])
    out(
      values.json
        ? asJson(body)
        : rows.length === 0
          ? 'No open incident.'
          : table(['ID', 'SINCE', '', 'CODE', 'SHOP', 'ORDER', 'SKU', 'UNITS', 'CAUSE'], rows) + more(next),
    )
    return EXIT.ok
  },
}

export const deadLetters: Command = {
  name: 'dead-letters',
  summary: 'Messages that could not be used, and their replay',
  usage: 'holdfast dead-letters [--after N] [--limit N] [--json]\n  holdfast dead-letters --replay ID [--json]',
  async run(args, { client, out }) {
    const { values } = read(() => parseArgs({ args: [...args], options: { ...PAGE, replay: { type: 'string' } } }))
    if (values.replay !== undefined) {
      const id = wholeNumber(values.replay, '--replay')
      const { body } = await client.request('POST', `/v1/dead-letters/${id}/replay`)
      const { deadLetters: still } = body as Static<typeof DeliveryReceipt>
      out(
        values.json
          ? asJson(body)
          : still[0]
            ? plain(`Still wrong: ${still[0].field} ${still[0].reason}.`)
            : `Dead letter ${id} was taken.`,
      )
      return still.length === 0 ? EXIT.ok : EXIT.failed
    }
    const { body } = await client.request('GET', `/v1/dead-letters?${query(values)}`)
    const { deadLetters: found, next } = body as Static<typeof DeadLetterPage>
    const rows = found.map((each) => [
      each.id,
      each.receivedAt,
      each.source,
      `${each.field ?? ''} ${each.reason}`.trim(),
      each.raw.slice(0, 80),
    ])
    out(
      values.json
        ? asJson(body)
        : rows.length === 0
          ? 'No dead letter waits.'
          : table(['ID', 'AT', 'SOURCE', 'REASON', 'MESSAGE'], rows) + more(next),
    )
    return EXIT.ok
  },
}

export const shops: Command = {
  name: 'shops',
  summary:
    'Every shop and how it is connected; invite one to register, compare one whole, release one that you leave, retire one that is gone',
  usage:
    'holdfast shops [--json]\n  holdfast shops invite NAME [--json]\n  holdfast shops resync NAME [--stop] [--json]\n  holdfast shops release NAME [--json]\n  holdfast shops --retire NAME',
  async run(args, { client, out }) {
    const { values, positionals } = read(() =>
      parseArgs({
        args: [...args],
        options: { json: { type: 'boolean' }, retire: { type: 'string' }, stop: { type: 'boolean' } },
        allowPositionals: true,
      }),
    )
    if (positionals.length > 0) {
      const [verb, shop, ...rest] = positionals
      const stop = values.stop ?? false
      const isKnown = verb === 'resync' || ((verb === 'release' || verb === 'invite') && !stop)
      if (!isKnown || shop === undefined || rest.length > 0 || values.retire !== undefined)
        throw new UsageProblem('Name one shop to invite, to release or to resync')
      if (verb === 'invite') {
        const { body } = await client.request('POST', `/v1/shops/${encodeURIComponent(shop)}/invite`)
        const { until } = body as { until: string }
        out(
          values.json
            ? asJson(body)
            : `${plain(shop)} may register once without proof until ${plain(until)}. Install the app there now.`,
        )
        return EXIT.ok
      }
      if (verb === 'resync') return await resyncShop({ client, out }, { shop, stop, json: values.json ?? false })
      return await releaseShop({ client, out }, shop, values.json ?? false)
    }
    if (values.retire !== undefined) {
      await client.request('POST', `/v1/shops/${encodeURIComponent(values.retire)}/retire`)
      out(`${plain(values.retire)} is retired: its open holds end, its orders stay as they are.`)
      return EXIT.ok
    }
    const { body } = await client.request('GET', '/v1/shops')
    const rows = (
      body as { shop: string; kind: string; state: string; ordersKnownUntil?: string; silentFrom?: string }[]
    ).map((each) => [each.shop, each.kind, each.state, each.ordersKnownUntil ?? '', each.silentFrom ?? ''])
    out(values.json ? asJson(body) : table(['SHOP', 'KIND', 'STATE', 'ORDERS KNOWN UNTIL', 'SILENT FROM'], rows))
    return EXIT.ok
  },
}

const more = (next: number | string | undefined): string => (next === undefined ? '' : `\n\nMore: --after ${next}`)
