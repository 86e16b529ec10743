/** A picture of a comparison: bars by answers per second, as SVG that needs nothing else. */
import type { Measured } from './measure.ts'

const WIDTH = 860
const BAR = 22
const GAP = 12
const LEFT = 330
const TOP = 44

/** Draws rows of one scenario. */
export function pictureOf(title: string, rows: readonly Measured[]): string {
  const most = Math.max(1, ...rows.map(({ perSecond }) => perSecond))
  const bars = rows.map(({ name, perSecond }, index) => {
    const y = TOP + index * (BAR + GAP)
    const width = Math.max(1, ((WIDTH - LEFT - 90) * perSecond) / most)
    const color = name.startsWith('naive') || name.startsWith('one statement') ? '#9aa5b1' : '#0f766e'
    return [
      `<text x="${LEFT - 10}" y="${y + 16}" text-anchor="end">${escaped(name)}</text>`,
      `<rect x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="3" fill="${color}"/>`,
      `<text x="${(LEFT + width + 8).toFixed(1)}" y="${y + 16}">${Math.round(perSecond).toLocaleString('en')}/s</text>`,
    ].join('\n')
  })
  const height = TOP + rows.length * (BAR + GAP) + 8
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="13">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="16" y="26" font-size="16" font-weight="600">${escaped(title)}</text>`,
    ...bars,
    '</svg>',
    '',
  ].join('\n')
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
