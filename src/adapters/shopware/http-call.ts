/**
 * One HTTP call to a shop: bounded in time and size, never redirected, and only to an address that may be called. The address
 * is checked where the connection is made, so that a name which leads elsewhere later leads nowhere.
 */
import { lookup } from 'node:dns'
import { Agent as HttpConnections, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsConnections, request as httpsRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { isPrivateAddress } from './private-address.ts'

/** One request. */
export type HttpRequest = {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** From the first byte of ours to the last of theirs. */
  readonly timeoutMs: number
  /** Whether the request may be made twice: one that met a kept connection which the shop was just closing is sent again. */
  readonly repeatable?: boolean
  /** The largest answer taken. */
  readonly maxBytes: number
}

/** One answer, whole. A redirect is an answer like any other. */
export type HttpAnswer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Buffer
}

/** Makes calls; throws {@link HttpFault} and nothing else. */
export type HttpCall = (request: HttpRequest) => Promise<HttpAnswer>

/** Why a call has no answer. */
export class HttpFault extends Error {
  readonly kind: 'unreachable' | 'broken' | 'timeout' | 'too-large' | 'forbidden-address'
  /** Whether the other side may have acted on the request. */
  readonly maybeActed: boolean
  /** Whether a kept connection ended before the first byte of an answer: most likely the shop had closed it already. */
  readonly staleConnection: boolean
  constructor(
    kind: HttpFault['kind'],
    message: string,
    options: { maybeActed: boolean; staleConnection?: boolean; cause?: unknown },
  ) {
    super(message, { cause: options.cause })
    this.name = 'HttpFault'
    this.kind = kind
    this.maybeActed = options.maybeActed
    this.staleConnection = options.staleConnection ?? false
  }
}

/** Connections kept open to one shop; more calls wait. */
const MAX_SOCKETS = 8
/** How long an idle connection is kept: shorter than the 5 s of common servers, so that they do not close it under a request. */
const IDLE_MS = 4_000

/**
 * A caller with its own connections.
 *
 * @param options.allowPrivate whether loopback and private addresses may be called
 */
export function httpCaller(options: { readonly allowPrivate: boolean }): HttpCall {
  const connectionOptions = {
    keepAlive: true,
    maxSockets: MAX_SOCKETS,
    timeout: IDLE_MS,
    lookup: guardedLookup(options.allowPrivate),
  }
  const connections = { http: new HttpConnections(connectionOptions), https: new HttpsConnections(connectionOptions) }
  return (request) => {
    const url = new URL(request.url)
    // A literal address is never looked up, so it is checked here.
    const host = url.hostname.replace(/^\[|\]$/g, '')
    if (!options.allowPrivate && isIP(host) !== 0 && isPrivateAddress(host)) {
      return Promise.reject(forbidden(host))
    }
    return callOnce(request, url, connections).catch((fault: unknown) => {
      if (!request.repeatable || !(fault instanceof HttpFault) || !fault.staleConnection) throw fault
      return callOnce(request, url, connections)
    })
  }
}

const forbidden = (host: string): HttpFault =>
  new HttpFault('forbidden-address', `${host} is a private address`, { maybeActed: false })

function callOnce(
  request: HttpRequest,
  url: URL,
  connections: { readonly http: HttpConnections; readonly https: HttpsConnections },
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    let connected = false
    const headers = {
      ...request.headers,
      // A compressed answer would have to be bounded twice; shops are near, so we ask for the plain one.
      'accept-encoding': 'identity',
      ...(request.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(request.body)) }),
    }
    const common = { method: request.method, headers }
    const outgoing =
      url.protocol === 'https:'
        ? httpsRequest(url, { ...common, agent: connections.https })
        : httpRequest(url, { ...common, agent: connections.http })
    const timer = setTimeout(() => {
      fail(new HttpFault('timeout', `no whole answer within ${request.timeoutMs} ms`, { maybeActed: connected }))
    }, request.timeoutMs)
    const fail = (fault: HttpFault): void => {
      clearTimeout(timer)
      reject(fault)
      outgoing.destroy()
    }
    outgoing.on('socket', (socket) => {
      if (!socket.connecting) connected = true
      else socket.once('connect', () => (connected = true))
    })
    outgoing.on('error', (cause: Error) => {
      if (cause instanceof HttpFault) return fail(cause)
      const kind = connected ? 'broken' : 'unreachable'
      const staleConnection = outgoing.reusedSocket
      fail(new HttpFault(kind, cause.message, { maybeActed: connected, staleConnection, cause }))
    })
    outgoing.on('response', (incoming: IncomingMessage) => {
      const chunks: Buffer[] = []
      let bytes = 0
      incoming.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > request.maxBytes) {
          fail(new HttpFault('too-large', `the answer has more than ${request.maxBytes} bytes`, { maybeActed: true }))
        } else chunks.push(chunk)
      })
      incoming.on('error', (cause) => fail(new HttpFault('broken', cause.message, { maybeActed: true, cause })))
      incoming.on('end', () => {
        clearTimeout(timer)
        resolve({ status: incoming.statusCode ?? 0, headers: singleHeaders(incoming), body: Buffer.concat(chunks) })
      })
    })
    outgoing.end(request.body)
  })
}

function singleHeaders(incoming: IncomingMessage): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(incoming.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  )
}

function guardedLookup(allowPrivate: boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '', 0)
      const allowed = allowPrivate ? addresses : addresses.filter(({ address }) => !isPrivateAddress(address))
      const first = allowed[0]
      if (first === undefined) return callback(forbidden(hostname), '', 0)
      if (options.all) return callback(null, allowed)
      return callback(null, first.address, first.family)
    })
  }
}
