/** A full comparison of one shop: begun, looked at, stopped and gone on with. */
import type { FastifyInstance } from 'fastify'
import type { Static } from 'typebox'
import { shopOf } from '../../core/ids.ts'
import { need } from '../auth.ts'
import { Resync, ShopParams } from '../contract.ts'
import { problems } from '../openapi.ts'
import type { HttpWorld } from '../world.ts'

const ROUTES = [
  {
    method: 'POST',
    wish: 'begin',
    scope: 'operate',
    summary: 'Compares every number of a shop with ours and puts it right; goes on with one that was stopped',
  },
  { method: 'DELETE', wish: 'stop', scope: 'operate', summary: 'Stops the comparison of a shop where it is' },
  { method: 'GET', wish: 'look', scope: 'read', summary: 'How far the comparison of a shop has come' },
] as const

export function resyncRoutes(app: FastifyInstance, world: HttpWorld): void {
  for (const { method, wish, scope, summary } of ROUTES)
    app.route<{ Params: Static<typeof ShopParams> }>({
      method,
      url: '/v1/shops/:shop/resync',
      onRequest: need(world, scope),
      schema: { summary, params: ShopParams, response: { 200: Resync }, ...problems('SHOP_UNKNOWN') },
      handler: async ({ params }) => ({ shop: params.shop, ...(await world.resync(shopOf(params.shop), wish)) }),
    })
}
