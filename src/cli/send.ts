/** `holdfast send`: a warehouse's message, signed as its source is configured. */

import { createHmac, randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { asJson, type Command, EXIT, plain, read, readBytes, UsageProblem } from './command.ts'

export const send: Command = {
  name: 'send',
  summary: 'Send a warehouse message, as the warehouse would',
  usage: `holdfast send SOURCE FILE|- [--secret-env NAME] [--id ID] [--ndjson] [--json]
  holdfast send SOURCE FILE|- --bearer | --hmac HEADER [--base64] …

  Signed by Standard Webhooks, unless the source takes a bearer token or an HMAC header (in hex, or in base64).
  The secret is read from the environment: HOLDFAST_SOURCE_SECRET, or the name given.`,
  async run(args, { client, out, env }) {
    const { values, positionals } = read(() =>
      parseArgs({
        args: [...args],
        allowPositionals: true,
        options: {
          'secret-env': { type: 'string', default: 'HOLDFAST_SOURCE_SECRET' },
          id: { type: 'string' },
          ndjson: { type: 'boolean' },
          bearer: { type: 'boolean' },
          hmac: { type: 'string' },
          base64: { type: 'boolean' },
          json: { type: 'boolean' },
        },
      }),
    )
    const [source, file] = positionals
    if (source === undefined || file === undefined || positionals.length > 2)
      throw new UsageProblem('Name a source and a file')
    const secret = env[values['secret-env']]
    if (!secret) throw new UsageProblem(`Set ${values['secret-env']} to the secret of source "${source}"`)
    const raw = readBytes(file)
    const id = values.id ?? `cli-${randomUUID()}`
    const { body } = await client.request('POST', `/v1/sources/${encodeURIComponent(source)}/messages`, {
      raw,
      headers: {
        'content-type': values.ndjson ? 'application/x-ndjson' : 'application/json',
        ...proofOf(secret, id, raw, values),
      },
    })
    out(values.json ? asJson(body) : told(body))
    return EXIT.ok
  },
}

/** The headers that prove the message, by the way that its source is configured. */
function proofOf(
  secret: string,
  id: string,
  raw: Buffer,
  { bearer, hmac, base64 }: { bearer?: boolean; hmac?: string; base64?: boolean },
): Record<string, string> {
  if (bearer) return { authorization: `Bearer ${secret}`, 'webhook-id': id }
  if (hmac !== undefined) {
    const signed = createHmac('sha256', secret)
      .update(raw)
      .digest(base64 ? 'base64' : 'hex')
    return { [hmac]: signed, 'webhook-id': id }
  }
  const timestamp = String(Math.floor(Date.now() / 1000))
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  const signed = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(raw).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signed}` }
}

function told(body: unknown): string {
  const { accepted, repeated, deadLetters, notes } = body as {
    accepted: number
    repeated: number
    deadLetters: { index: number; id: number; field: string; reason: string }[]
    notes: string[]
  }
  return [
    `${accepted} accepted, ${repeated} known already, ${deadLetters.length} dead letters.`,
    ...deadLetters.map(({ index, id, field, reason }) => `  message ${index}: ${field} ${reason} (dead letter ${id})`),
    ...notes.map((note) => `  note: ${note}`),
  ]
    .map(plain)
    .join('\n')
}
