/** A proxy in front of a server that can do to a connection whatever a network does. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export type TcpProxy = {
  /** The URL of the same server, through the proxy. */
  readonly url: string
  /** From now on: the next `commit` reaches the server, and its answer reaches nobody: both ends are cut. Once. */
  loseNextCommitAnswer(): void
  /** Nothing passes either way, and nobody is told: a cable that was pulled. What was sent arrives when it passes again. */
  freeze(): void
  /** Everything that is sent arrives so many milliseconds later. */
  delay(ms: number): void
  /** What is asked arrives; the first answer on each connection ends it instead of arriving. */
  loseAnswers(): void
  /** Every connection is cut, and no new one is taken. */
  refuse(): void
  /** Every connection is cut, now and once; new ones pass. */
  cut(): void
  /** Every server hears that its client has nothing more to say, now and once; what it answers still arrives. */
  halfClose(): void
  /** The weather is fair again. */
  pass(): void
  close(): Promise<void>
}

type Weather = { frozen: boolean; delayMs: number; losingAnswers: boolean; refusing: boolean; losingCommit: boolean }
type Pair = { cut(): void; halfClose(): void; wake(): void }

/** Opens a proxy in front of the server of a URL. */
export async function tcpProxyFor(target: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(target)
  const weather: Weather = { frozen: false, delayMs: 0, losingAnswers: false, refusing: false, losingCommit: false }
  const pairs = new Set<Pair>()
  const everyPair = (act: (pair: Pair) => void): void => {
    for (const pair of [...pairs]) act(pair)
  }
  const server = createServer({ allowHalfOpen: true }, (client) => {
    if (weather.refusing) {
      client.on('error', () => undefined)
      client.destroy()
      return
    }
    const upstream = connect({ port: Number(port), host: hostname, allowHalfOpen: true })
    const pair = join(client, upstream, weather, () => pairs.delete(pair))
    pairs.add(pair)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: target.replace(`${hostname}:${port}`, `127.0.0.1:${(server.address() as AddressInfo).port}`),
    loseNextCommitAnswer() {
      weather.losingCommit = true
    },
    freeze() {
      weather.frozen = true
    },
    delay(ms) {
      weather.delayMs = ms
    },
    loseAnswers() {
      weather.losingAnswers = true
    },
    refuse() {
      weather.refusing = true
      everyPair((pair) => pair.cut())
    },
    cut: () => everyPair((pair) => pair.cut()),
    halfClose: () => everyPair((pair) => pair.halfClose()),
    pass() {
      Object.assign(weather, { frozen: false, delayMs: 0, losingAnswers: false, refusing: false, losingCommit: false })
      everyPair((pair) => pair.wake())
    },
    async close() {
      server.close()
      everyPair((pair) => pair.cut())
      await once(server, 'close')
    },
  }
}

/** Joins the two ends of a connection, as the weather is. */
function join(client: Socket, upstream: Socket, weather: Weather, onEnd: () => void): Pair {
  let cutAtAnswer = false
  // Statements sent ahead of the commit are answered ahead of it, in pieces of any size.
  let tail = ''
  const cut = (): void => {
    client.destroy()
    upstream.destroy()
    onEnd()
  }
  const up = pipe(client, upstream, weather, (bytes) => {
    if (weather.losingCommit && bytes.includes('commit\0')) {
      weather.losingCommit = false
      cutAtAnswer = true
    }
    return true
  })
  const down = pipe(upstream, client, weather, (bytes) => {
    if (weather.losingAnswers) {
      cut()
      return false
    }
    if (!cutAtAnswer) return true
    tail += bytes.toString('latin1')
    if (tail.includes('COMMIT\0')) cut()
    else tail = tail.slice(-'COMMIT\0'.length)
    return false
  })
  for (const socket of [client, upstream]) {
    // An end that breaks while nothing passes is news that does not pass either.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      const way = socket === client ? up : down
      way.end()
      if (client.closed && upstream.closed) onEnd()
    })
  }
  const wake = (): void => {
    up.wake()
    down.wake()
  }
  return { cut, halfClose: () => upstream.end(), wake }
}

type Piece = { readonly bytes: Buffer | 'end'; readonly dueAt: number }

/** One direction: what comes in goes out in its order, when the weather lets it. `looks` says whether a piece may pass. */
function pipe(from: Socket, to: Socket, weather: Weather, looks: (bytes: Buffer) => boolean) {
  const queue: Piece[] = []
  let timer: NodeJS.Timeout | undefined
  let ended = false
  const push = (bytes: Piece['bytes']): void => {
    queue.push({ bytes, dueAt: performance.now() + weather.delayMs })
    wake()
  }
  function wake(): void {
    clearTimeout(timer)
    for (let next = queue[0]; next !== undefined && !weather.frozen; next = queue[0]) {
      const waitMs = next.dueAt - performance.now()
      if (waitMs > 0) {
        timer = setTimeout(wake, waitMs)
        return
      }
      queue.shift()
      if (to.destroyed) continue
      if (next.bytes === 'end') to.end()
      else if (looks(next.bytes)) to.write(next.bytes)
    }
  }
  const end = (): void => {
    if (ended) return
    ended = true
    push('end')
  }
  from.on('data', push)
  from.on('end', end)
  return { wake, end }
}
