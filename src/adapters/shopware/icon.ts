/** The app's icon, drawn in code: a bollard with a rope round it, as a PNG without any tool. */
import { crc32, deflateSync } from 'node:zlib'

/** The side of the icon in pixels; Shopware's store wants 112 to 256. */
export const ICON_PIXELS = 128

/** The icon as a PNG of 24-bit colour with alpha. The same bytes every time. */
export function iconPng(): Uint8Array {
  const rows: Buffer[] = []
  for (let y = 0; y < ICON_PIXELS; y++) {
    const row = Buffer.alloc(1 + ICON_PIXELS * 4)
    for (let x = 0; x < ICON_PIXELS; x++) row.writeUInt32BE(colourAt(x, y), 1 + x * 4)
    rows.push(row)
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(ICON_PIXELS, 0)
  header.writeUInt32BE(ICON_PIXELS, 4)
  header.set([8, 6, 0, 0, 0], 8) // 8 bits a channel, colour with alpha
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.concat(rows), { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function chunk(type: string, content: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), content])
  const whole = Buffer.alloc(named.length + 8)
  whole.writeUInt32BE(content.length, 0)
  named.copy(whole, 4)
  whole.writeUInt32BE(crc32(named), named.length + 4)
  return whole
}

/** Red, green, blue, alpha, one byte each. */
const CLEAR = 0x00000000
const SEA = 0x14324dff
const IRON = 0xe9eef2ff
const ROPE = 0xe0a341ff

function colourAt(x: number, y: number): number {
  if (!inRoundedBox(x, y, { left: 4, top: 4, right: 123, bottom: 123, radius: 22 })) return CLEAR
  const onRope = y > 62 && y < 90 && (y - 62) % 10 < 7 && x > 38 && x < 90
  if (onRope) return ROPE
  const head = inRoundedBox(x, y, { left: 34, top: 28, right: 93, bottom: 48, radius: 10 })
  const post = x >= 46 && x <= 81 && y > 46 && y < 104
  const foot = inRoundedBox(x, y, { left: 30, top: 98, right: 97, bottom: 108, radius: 4 })
  return head || post || foot ? IRON : SEA
}

type Box = { left: number; top: number; right: number; bottom: number; radius: number }

function inRoundedBox(x: number, y: number, box: Box): boolean {
  const dx = Math.max(box.left + box.radius - x, 0, x - (box.right - box.radius))
  const dy = Math.max(box.top + box.radius - y, 0, y - (box.bottom - box.radius))
  return dx * dx + dy * dy <= box.radius * box.radius
}
