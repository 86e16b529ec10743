/** Reads bodies within bounds: of one body, and of all that are arriving. What is unproved must not be able to fill the memory. */
import type { IncomingMessage } from 'node:http'
import { Problem } from './problem.ts'

/** Bodies of all requests that are arriving at this moment, in bytes. */
const ALL_BODIES_BYTES = 192 * 1024 * 1024
/** A body up to this always finds room in the last third: large ones must not keep ordinary checkouts out. */
const ORDINARY_BYTES = 256 * 1024
const LARGE_BODIES_BYTES = 128 * 1024 * 1024

export type Bodies = {
  /**
   * Reads a body whole.
   *
   * @throws Problem BODY_TOO_LARGE, or BUSY when too much is arriving at once
   */
  read(stream: IncomingMessage, limitBytes: number): Promise<Buffer>
  /** Gives the room back once the request is answered. */
  done(stream: IncomingMessage): void
}

const CLOSE = { headers: { connection: 'close' } }
const TOO_LARGE = () => new Problem('BODY_TOO_LARGE', undefined, CLOSE)
const BUSY = () => new Problem('BUSY', undefined, { headers: { 'retry-after': '1', connection: 'close' } })

export function createBodies(): Bodies {
  const taken = new WeakMap<IncomingMessage, number>()
  let allBytes = 0

  function take(stream: IncomingMessage, bytes: number): void {
    const own = (taken.get(stream) ?? 0) + bytes
    const room = own > ORDINARY_BYTES ? LARGE_BODIES_BYTES : ALL_BODIES_BYTES
    if (allBytes + bytes > room) throw BUSY()
    allBytes += bytes
    taken.set(stream, own)
  }

  return {
    async read(stream, limitBytes) {
      if (Number(stream.headers['content-length'] ?? 0) > limitBytes) throw TOO_LARGE()
      const chunks: Buffer[] = []
      let length = 0
      for await (const chunk of stream) {
        length += chunk.length
        if (length > limitBytes) throw TOO_LARGE()
        take(stream, chunk.length)
        chunks.push(chunk)
      }
      return Buffer.concat(chunks, length)
    },
    done(stream) {
      allBytes -= taken.get(stream) ?? 0
      taken.delete(stream)
    },
  }
}
