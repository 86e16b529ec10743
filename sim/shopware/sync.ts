/** `POST /api/_action/sync`: one transaction, so that one bad row refuses the whole request. */
import { writtenEntry } from './bodies.ts'
import { type JsonObject, listOf, objectOf, textOf } from './json.ts'
import type { Product, World } from './world.ts'

type Answer = { readonly status: number; readonly body: unknown }
type Write = { readonly product: Product; readonly row: JsonObject }

/** Writes products of every operation, or nothing. */
export function syncProducts(world: World, operations: JsonObject): Answer {
  const errors: JsonObject[] = []
  const writes: Write[] = []
  const complain = (pointer: string, code: string, detail: string, status = '400') =>
    errors.push({ status, code, detail, template: detail, source: { pointer } })
  if (Object.keys(operations).length === 0) complain('/', 'FRAMEWORK__INVALID_SYNC_OPERATION', 'no operation')
  for (const [key, given] of Object.entries(operations)) {
    const { entity, action, payload } = objectOf(given)
    const rows = listOf(payload)
    if (entity !== 'product' || action !== 'upsert' || rows.length === 0) {
      complain(`/${key}`, 'FRAMEWORK__INVALID_SYNC_OPERATION', 'only upserts of products, and at least one')
      continue
    }
    rows.forEach((each, index) => {
      const row = objectOf(each)
      const at = `/${key}/${index}`
      const id = textOf(row.id)
      if (id === undefined || !/^[0-9a-f]{32}$/.test(id)) {
        // Seen so: a malformed id is told without the name of the operation.
        complain(`/${index}/productId`, 'FRAMEWORK__WRITE_MALFORMED_INPUT', 'the id is no UUID')
        return
      }
      const product = world.products.get(id)
      if (product === undefined) {
        for (const field of ['taxId', 'price', 'productNumber', 'name'])
          complain(`${at}/${field}`, 'c1051bb4-d103-4974-8988-acbcafc7fdc3', 'This value should not be blank.')
        return
      }
      if ('availableStock' in row) complain(`${at}/availableStock`, 'FRAMEWORK__WRITE_PROTECTED', 'write protected')
      if ('stock' in row && !Number.isInteger(row.stock))
        complain(`${at}/stock`, 'ba785a8c-82cb-4283-967c-3cf342181b40', 'This value should be of type int.')
      if ('isCloseout' in row && typeof row.isCloseout !== 'boolean' && row.isCloseout !== null)
        complain(`${at}/isCloseout`, 'ba785a8c-82cb-4283-967c-3cf342181b40', 'This value should be of type bool.')
      writes.push({ product, row })
    })
  }
  if (errors.length > 0) return { status: 400, body: { errors } }
  if ((world.faults.deadlocks ?? 0) > 0) {
    world.faults.deadlocks = (world.faults.deadlocks ?? 0) - 1
    const detail = 'SQLSTATE[40001]: Serialization failure: 1213 Deadlock found when trying to get lock'
    return { status: 400, body: { errors: [{ status: '500', code: '1213', title: 'Internal Server Error', detail }] } }
  }
  const written = writes.map((write) => apply(world, write))
  world.emit('product.written', written)
  return {
    status: 200,
    body: { data: { product: writes.map(({ product }) => product.id) }, notFound: [], deleted: [] },
  }
}

/** The later row of the same product wins. Custom fields merge by key. */
function apply(world: World, { product, row }: Write): JsonObject {
  if (typeof row.stock === 'number') product.stock = row.stock
  if (typeof row.isCloseout === 'boolean') product.closeOut = row.isCloseout
  if (row.customFields !== undefined) product.customFields = { ...product.customFields, ...objectOf(row.customFields) }
  product.updatedAt = world.now()
  const fields = Object.keys(row).filter((name) => name !== 'id')
  const updated = ['versionId', ...fields, 'updatedAt', ...(fields.includes('stock') ? ['availableStock'] : []), 'id']
  return writtenEntry('product', 'update', product.id, updated)
}
