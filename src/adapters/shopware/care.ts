/** What keeps our place in a shop in order: webhooks that still come, deliveries that were lost, the page cache, settings given back. */
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { GiveBack, Hook, LostNews, ShopCare, WriteOutcome } from '../../app/ports.ts'
import type { Instant } from '../../core/ids.ts'
import type { AdminApi } from './admin-api.ts'
import { failureOf } from './answers.ts'
import { decodeUtf8, fieldOf, parseJson, textOf } from './pick.ts'
import { GUARD_FIELD, MOST_FIELD, REVISION_FIELD } from './products.ts'
import { writeRows } from './stock-write.ts'
import { storageMoment } from './storage-moment.ts'
import { isForeignStock, reduceWebhook } from './webhook.ts'

/** Every webhook of ours leads to this door; a shop's integration may see those of others too. */
const DOOR = '/shopware/webhooks'
/** Lost deliveries that are read back at once: what is more is found by comparing everything. */
const MAX_LOST = 500

const hookRows = Compile(
  Type.Object({
    data: Type.Array(
      Type.Object({
        id: Type.String(),
        name: Type.String(),
        url: Type.String(),
        active: Type.Boolean(),
        errorCount: Type.Integer(),
      }),
    ),
  }),
)
const logRows = Compile(
  Type.Object({ data: Type.Array(Type.Object({ requestContent: Type.Optional(Type.Unknown()) })) }),
)

/** The care of one shop. `inTurn` keeps writes one after another. */
export function shopCare(options: {
  readonly api: AdminApi
  readonly url: string
  readonly pause: (ms: number) => Promise<void>
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>
}): ShopCare {
  const { api, url, pause, inTurn } = options

  const act = async (request: Parameters<AdminApi['send']>[0]): Promise<void> => {
    const answer = await api.send(request)
    if (answer.status >= 300) throw failureOf(url, answer)
  }

  return {
    async webhooks(): Promise<readonly Hook[]> {
      const { data } = await api.read(
        { method: 'POST', path: '/api/search/webhook', body: { limit: 500, fields: HOOK_FIELDS } },
        hookRows,
      )
      return data
        .filter((row) => row.url.endsWith(DOOR))
        .map(({ id, name, active, errorCount }) => ({ id, name, isActive: active, failures: errorCount }))
    },
    switchOn: (id) => act({ method: 'PATCH', path: `/api/webhook/${id}`, body: { active: true }, repeatable: true }),
    async lostSince(since: Instant): Promise<LostNews> {
      const { data } = await api.read(
        {
          method: 'POST',
          path: '/api/search/webhook-event-log',
          body: {
            limit: MAX_LOST,
            filter: [
              { type: 'equalsAny', field: 'deliveryStatus', value: ['failed', 'queued'] },
              { type: 'range', field: 'createdAt', parameters: { gte: storageMoment(since) } },
            ],
            sort: [{ field: 'createdAt', order: 'DESC' }],
            fields: ['requestContent', 'createdAt'],
          },
        },
        logRows,
      )
      return newsOf(data.map(({ requestContent }) => requestContent))
    },
    async movedUrl() {
      const answer = await api.send({
        method: 'GET',
        path: '/api/app-system/app-url-change/url-difference',
        repeatable: true,
      })
      // 204: it is the same. 404: this version does not tell.
      if (answer.status === 204 || answer.status === 404) return undefined
      if (answer.status >= 300) throw failureOf(url, answer)
      const body = parseJson(decodeUtf8(answer.body) ?? '')
      const [was, is] = [textOf(fieldOf(body, 'oldUrl')), textOf(fieldOf(body, 'newUrl'))]
      return was !== undefined && is !== undefined && was !== is ? { was, is } : undefined
    },
    clearCache: () => act({ method: 'DELETE', path: '/api/_action/cache', repeatable: true }),
    giveBack: (rows: readonly GiveBack[]): Promise<readonly WriteOutcome[]> =>
      inTurn(() =>
        writeRows(
          api,
          url,
          rows,
          (row) => ({
            id: row.productId,
            isCloseout: row.closeOut,
            customFields: { [REVISION_FIELD]: null, [GUARD_FIELD]: null, [MOST_FIELD]: null },
          }),
          pause,
        ),
      ),
  }
}

const HOOK_FIELDS = ['name', 'url', 'active', 'errorCount']

/** Lost deliveries as hints. What a log row looks like differs: its body is the text that was sent, or the same as JSON. */
function newsOf(contents: readonly unknown[]): LostNews {
  let orders = 0
  const productIds = new Set<string>()
  const byOthers = new Set<string>()
  for (const content of contents) {
    const webhook = reduceWebhook(bodyOf(content))
    if ('unreadable' in webhook) continue
    if (webhook.kind === 'order') orders += 1
    for (const product of webhook.products) {
      productIds.add(product.productId)
      if (isForeignStock(product)) byOthers.add(product.productId)
    }
  }
  return { deliveries: contents.length, orders, productIds: [...productIds], byOthers: [...byOthers] }
}

function bodyOf(content: unknown): Uint8Array {
  const parsed = typeof content === 'string' ? parseJson(content) : content
  const body = fieldOf(parsed, 'body') ?? parsed
  return new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body ?? null))
}
