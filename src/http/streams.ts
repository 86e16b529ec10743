/** Answers that come in pieces: they end when nobody reads them any more, and when the server closes. */
import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'

/** Makes streams that do not keep the server from closing, however long they are: their readers see them break off. */
export function streamsOf(app: FastifyInstance): (pieces: AsyncIterable<string>) => Readable {
  const open = new Set<Readable>()
  app.addHook('preClose', async () => {
    for (const stream of open) stream.destroy()
  })
  return (pieces) => {
    const stream = Readable.from(pieces)
    open.add(stream)
    stream.once('close', () => open.delete(stream))
    return stream
  }
}
