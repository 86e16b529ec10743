/** What a warehouse says, sent as it would: signed by Standard Webhooks, counted by one sequence over figures and words. */
import { createHmac, randomUUID } from 'node:crypto'

export type Message = Readonly<Record<string, unknown>>

/** One source and its warehouse, which have the same name. */
export type StoryWarehouse = {
  /** Adds the next sequence number without sending; for messages that will swap places on the road. */
  stamped(message: Message): Message
  /** Sends a stamped message; returns once it is durable (202). */
  send(message: Message): Promise<void>
  /** Stamps and sends. */
  say(message: Message): Promise<void>
  /** Stamps and sends many in one array. */
  sayAll(messages: readonly Message[]): Promise<void>
}

export function storyWarehouse(
  name: string,
  { url, secret }: { readonly url: string; readonly secret: string },
): StoryWarehouse {
  let sequence = 0
  const stamped = (message: Message): Message => ({ ...message, sequence: ++sequence })
  const send = async (message: Message | readonly Message[]): Promise<void> => {
    const body = JSON.stringify(message)
    const id = `msg_${randomUUID()}`
    const seconds = String(Math.floor(Date.now() / 1_000))
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
    const signature = createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64')
    const answer = await fetch(`${url}/v1/sources/${name}/messages`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': seconds,
        'webhook-signature': `v1,${signature}`,
      },
      body,
    })
    const text = await answer.text()
    if (answer.status !== 202 || !text.includes('"deadLetters":[]'))
      throw new Error(`WORD_REFUSED: ${answer.status} to ${body}. Read what Holdfast says: ${text.slice(0, 600)}`)
  }
  return {
    stamped,
    send,
    say: (message) => send(stamped(message)),
    sayAll: (messages) => send(messages.map(stamped)),
  }
}
