import type { IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { createBodies } from './bodies.ts'

const MIB = 1024 * 1024

/** A body that is arriving; only what the reader looks at. */
const arriving = (contentLength?: number): IncomingMessage & PassThrough =>
  Object.assign(new PassThrough({ highWaterMark: 32 * MIB }), {
    headers: contentLength === undefined ? {} : { 'content-length': String(contentLength) },
  }) as unknown as IncomingMessage & PassThrough

function whole(bytes: number) {
  const stream = arriving(bytes)
  stream.end(Buffer.alloc(bytes))
  return stream
}

describe('bodies', () => {
  test('are read whole, to the byte', async () => {
    const stream = arriving()
    stream.write('ab')
    stream.end('c')
    expect(String(await createBodies().read(stream, 3))).toBe('abc')
  })

  test('row 1: one byte too many is refused, by its announcement or when it comes', async () => {
    const bodies = createBodies()
    expect(await bodies.read(whole(10), 10)).toHaveLength(10)
    await expect(bodies.read(whole(11), 10)).rejects.toMatchObject({ code: 'BODY_TOO_LARGE', httpCode: 413 })
    const unannounced = arriving()
    unannounced.end(Buffer.alloc(11))
    await expect(bodies.read(unannounced, 10)).rejects.toMatchObject({ code: 'BODY_TOO_LARGE' })
  })

  test('that arrive at once have a common bound; ordinary ones find room above it; and room comes back', async () => {
    const bodies = createBodies()
    const large = Array.from({ length: 8 }, () => whole(16 * MIB))
    for (const stream of large) expect(await bodies.read(stream, 16 * MIB)).toHaveLength(16 * MIB)
    await expect(bodies.read(whole(MIB), 16 * MIB)).rejects.toMatchObject({ code: 'BUSY', httpCode: 503 })
    expect(await bodies.read(whole(200 * 1024), 16 * MIB)).toHaveLength(200 * 1024)
    const [first] = large
    if (first) bodies.done(first)
    expect(await bodies.read(whole(MIB), 16 * MIB)).toHaveLength(MIB)
  })

  test('that were given up give their room back once, however often it is said', async () => {
    const bodies = createBodies()
    for (let nth = 0; nth < 100; nth += 1) {
      const broken = arriving()
      broken.write(Buffer.alloc(4 * MIB))
      const reading = bodies.read(broken, 16 * MIB)
      broken.destroy(new Error('gone'))
      await expect(reading).rejects.toThrow()
      bodies.done(broken)
      bodies.done(broken)
    }
    expect(await bodies.read(whole(16 * MIB), 16 * MIB)).toHaveLength(16 * MIB)
  })
})
