/** A second sales channel of a real shop, made for one test after the example of the first. */
import { randomBytes } from 'node:crypto'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { ShopAdmin } from './shop-admin.ts'
import { newId } from './shop-products.ts'

const IDS = [
  'typeId',
  'languageId',
  'currencyId',
  'paymentMethodId',
  'shippingMethodId',
  'countryId',
  'customerGroupId',
  'navigationCategoryId',
] as const
const rows = Type.Array(Type.Object({ id: Type.String() }))
const channelRows = Compile(
  Type.Object({
    data: Type.Array(
      Type.Object({
        ...Object.fromEntries(IDS.map((name) => [name, Type.String()])),
        languages: rows,
        currencies: rows,
        paymentMethods: rows,
        shippingMethods: rows,
        countries: rows,
        domains: Type.Array(Type.Object({ snippetSetId: Type.String() })),
      }),
    ),
  }),
)
const LISTS = ['languages', 'currencies', 'paymentMethods', 'shippingMethods', 'countries'] as const

/** Makes the channel; `remove` takes it away again, once its orders are gone. */
export async function openChannel(admin: ShopAdmin, exampleId: string) {
  const associations = Object.fromEntries([...LISTS, 'domains'].map((name) => [name, {}]))
  const { data } = await admin.search('sales-channel', { ids: [exampleId], associations }, channelRows)
  const [example] = data
  if (example === undefined) throw new Error(`SHOP_UNFIT: the shop has no sales channel ${exampleId}.`)
  const id = newId()
  const storeApiKey = `SWSC${randomBytes(16).toString('hex').slice(0, 22).toUpperCase()}`
  const url = `http://second-${id.slice(0, 8)}.example`
  const ids: Readonly<Record<string, unknown>> = example
  await admin.write(
    {
      method: 'POST',
      path: '/api/sales-channel',
      body: {
        id,
        name: 'Second',
        accessKey: storeApiKey,
        active: true,
        ...Object.fromEntries(IDS.map((name) => [name, ids[name]])),
        ...Object.fromEntries(LISTS.map((name) => [name, example[name].map((row) => ({ id: row.id }))])),
        domains: [
          {
            url,
            languageId: ids.languageId,
            currencyId: ids.currencyId,
            snippetSetId: example.domains[0]?.snippetSetId,
          },
        ],
      },
    },
    'the second sales channel',
  )
  return {
    url,
    storeApiKey,
    /** Lets the channel sell a product too. */
    show: (productId: string) =>
      admin.write(
        {
          method: 'POST',
          path: '/api/product-visibility',
          body: { productId, salesChannelId: id, visibility: 30 },
        },
        'a product in the second channel',
      ),
    remove: () => admin.write({ method: 'DELETE', path: `/api/sales-channel/${id}` }, 'the second channel, removed'),
  }
}
