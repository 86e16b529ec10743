/** A picture of one contender over the number of its callers: answers per second, and how long 99 of 100 wait at most. */
import type { Measured } from './measure.ts'

const WIDTH = 860
const HEIGHT = 300
const PANEL = 340
const LEFT = 64
const TOP = 60
const FOOT = 44

/** Draws rows that differ in their callers, fewest first; two panels side by side, callers on a logarithmic scale. */
export function curveOf(title: string, rows: readonly Measured[]): string {
  const most = Math.log(Math.max(2, ...rows.map(({ callers }) => callers)))
  const panel = (x: number, label: string, of: (row: Measured) => number): string => {
    const top = Math.max(1, ...rows.map(of))
    const bottomY = HEIGHT - FOOT
    const points = rows.map((row) => ({
      x: x + (Math.log(row.callers) / most) * (PANEL - 40),
      y: bottomY - (of(row) / top) * (bottomY - TOP - 16),
      row,
    }))
    return [
      `<text x="${x}" y="${TOP - 12}" fill="#52606d">${label}</text>`,
      `<line x1="${x}" y1="${bottomY}" x2="${x + PANEL - 20}" y2="${bottomY}" stroke="#cbd2d9"/>`,
      `<polyline fill="none" stroke="#0f766e" stroke-width="2" points="${points.map(({ x: px, y }) => `${px.toFixed(1)},${y.toFixed(1)}`).join(' ')}"/>`,
      ...points.map(({ x: px, y, row }) =>
        [
          `<circle cx="${px.toFixed(1)}" cy="${y.toFixed(1)}" r="3.5" fill="#0f766e"/>`,
          `<text x="${px.toFixed(1)}" y="${(y - 8).toFixed(1)}" text-anchor="middle" font-size="11">${Math.round(of(row)).toLocaleString('en')}</text>`,
          `<text x="${px.toFixed(1)}" y="${bottomY + 18}" text-anchor="middle" font-size="11" fill="#52606d">${row.callers}</text>`,
        ].join('\n'),
      ),
      `<text x="${x + (PANEL - 40) / 2}" y="${bottomY + 36}" text-anchor="middle" font-size="11" fill="#52606d">callers</text>`,
    ].join('\n')
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="13">`,
    `<title>${title}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="16" y="26" font-size="16" font-weight="600">${title}</text>`,
    panel(LEFT, 'answers per second', ({ perSecond }) => perSecond),
    panel(LEFT + PANEL + 40, 'p99 in ms', ({ p99Ms }) => p99Ms),
    '</svg>',
    '',
  ].join('\n')
}
