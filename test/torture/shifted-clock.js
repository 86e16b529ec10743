/** Preloaded into a process: its machine's clock is wrong by as many milliseconds as a file says, which is read again and again. */
import { readFileSync } from 'node:fs'

const RealDate = Date
let shiftMs = 0
const look = () => {
  try {
    shiftMs = Number(readFileSync(process.env.SHIFTED_CLOCK, 'utf8')) || 0
  } catch {
    shiftMs = 0
  }
}
look()
setInterval(look, 100).unref()

globalThis.Date = class extends RealDate {
  constructor(...parts) {
    if (parts.length === 0) super(RealDate.now() + shiftMs)
    else super(...parts)
  }
  static now() {
    return RealDate.now() + shiftMs
  }
}
