/** A proxy in front of PostgreSQL that can lose what a network loses. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export type TcpProxy = {
  /** The URL of the same database, through the proxy. */
  readonly url: string
  /** From now on: the next `commit` reaches the server, and its answer reaches nobody: both ends are cut. Once. */
  loseNextCommitAnswer(): void
  /** From now on nothing passes either way, and nobody is told: a cable that was pulled. */
  freeze(): void
  close(): Promise<void>
}

/** Opens a proxy in front of the server of a URL. */
export async function tcpProxyFor(target: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  let losing = false
  let frozen = false
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    let cutAtAnswer = false
    // Statements sent ahead of the commit are answered ahead of it, in pieces of any size.
    let tail = ''
    const cut = (): void => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', cut)
      socket.on('close', () => {
        sockets.delete(socket)
        cut()
      })
    }
    client.on('data', (bytes) => {
      if (frozen) return
      if (losing && bytes.includes('commit\0')) {
        losing = false
        cutAtAnswer = true
      }
      upstream.write(bytes)
    })
    upstream.on('data', (bytes) => {
      if (frozen) return
      if (!cutAtAnswer) {
        client.write(bytes)
        return
      }
      tail += bytes.toString('latin1')
      if (tail.includes('COMMIT\0')) cut()
      else tail = tail.slice(-'COMMIT\0'.length)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(target)
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: url.toString(),
    loseNextCommitAnswer: () => {
      losing = true
    },
    freeze: () => {
      frozen = true
    },
    async close() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}
