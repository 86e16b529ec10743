/** What a person has dealt with: an incident that does not end by itself is closed by hand, with his name. */
import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import { actorOf, need } from '../auth.ts'
import { problems } from '../openapi.ts'
import { Problem } from '../problem.ts'
import type { HttpWorld } from '../world.ts'

const IncidentParams = Type.Object({
  id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'a whole number from 1' }),
})
const ClosedIncident = Type.Object({ id: Type.Integer(), code: Type.String() })

export function incidentRoutes(app: FastifyInstance, world: HttpWorld): void {
  app.post<{ Params: Static<typeof IncidentParams> }>(
    '/v1/incidents/:id/close',
    {
      onRequest: need(world, 'operate'),
      schema: {
        summary: 'Say that an incident is dealt with',
        description: 'The ledger keeps who said so. Where the trouble lasts, it is told again as a new incident.',
        params: IncidentParams,
        response: { 200: ClosedIncident },
        ...problems('INCIDENT_UNKNOWN', 'INCIDENT_CLOSED', 'REQUEST_WRONG'),
      },
    },
    async (request) => {
      const closed = await world.closeIncident(request.params.id, actorOf(request))
      if (closed === 'unknown') throw new Problem('INCIDENT_UNKNOWN')
      if (closed === 'closed') throw new Problem('INCIDENT_CLOSED')
      return { id: request.params.id, code: closed.code }
    },
  )
}
