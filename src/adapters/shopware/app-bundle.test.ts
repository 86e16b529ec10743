import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inflateSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { buildApp, writeApp } from './app-bundle.ts'
import { ICON_PIXELS, iconPng } from './icon.ts'

const settings = { publicUrl: 'https://holdfast.example/', appSecret: 'a-secret-&-<more>-of-it', version: '1.2.3' }
const text = (contents: string | Uint8Array | undefined): string => (typeof contents === 'string' ? contents : '')
const manifest = async (over = {}) => text((await buildApp({ ...settings, ...over })).get('manifest.xml'))
const all = (xml: string, pattern: RegExp): string[] => [...xml.matchAll(pattern)].map((match) => match[1] ?? '')

describe('the app that a merchant installs', () => {
  test('has every place filled and every value escaped', async () => {
    const xml = await manifest()
    expect(xml).not.toMatch(/%[A-Z_]+%/)
    expect(xml).toContain('<secret>a-secret-&#38;-&#60;more&#62;-of-it</secret>')
    expect(xml).toContain('<version>1.2.3</version>')
    expect(xml).toContain('<registrationUrl>https://holdfast.example/shopware/registration</registrationUrl>')
    expect(xml).toContain('<checkout>https://holdfast.example/shopware/checkout-gateway</checkout>')
  })

  test('sends every webhook to one door, each under its own name', async () => {
    const xml = await manifest()
    const names = all(xml, /<webhook name="([^"]+)"/g)
    expect(new Set(names).size).toBe(names.length)
    expect(new Set(all(xml, /<webhook [^>]*url="([^"]+)"/g))).toEqual(
      new Set(['https://holdfast.example/shopware/webhooks']),
    )
  })

  test('asks for the rights that are used and for no others', async () => {
    const xml = await manifest()
    expect(all(xml, /<read>([^<]+)</g)).toEqual([
      'product', // what is shown; its webhooks
      'order', // the three readers; its webhooks
      'order_line_item', // the units of an order, and what changed in them
      'order_transaction', // orders found by a changed payment
      'order_delivery', // orders found by a changed delivery
      'state_machine_state', // where an order stands
      'webhook', // whether the shop has switched one off
      'webhook_event_log', // deliveries that were lost
    ])
    expect(all(xml, /<update>([^<]+)</g)).toEqual(['product', 'webhook'])
    expect(all(xml, /<permission>([^<]+)</g)).toEqual(['system:clear:cache'])
    expect(xml).not.toMatch(/<(create|delete|crud)>/)
  })

  test('says the same in German and English', async () => {
    const bundle = await buildApp(settings)
    const keysOf = (value: unknown): unknown =>
      typeof value === 'object' && value !== null
        ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, keysOf(inner)]))
        : typeof value
    const [german, english] = ['de-DE', 'en-GB'].map((language) =>
      keysOf(JSON.parse(text(bundle.get(`Resources/snippet/storefront.${language}.json`)))),
    )
    expect(german).toEqual(english)
    expect(german).toEqual({ checkout: { holdfast: { guard: { stop: 'string', most: 'string' } } } })
  })

  test('stamps a line only once', async () => {
    const script = text((await buildApp(settings)).get('Resources/scripts/cart/holdfast.twig'))
    expect(script).toContain("item.payload.set('holdfastKey'")
    expect(script).toContain('not item.payload.holdfastKey')
  })

  test.each([
    ['publicUrl', 'holdfast.example'],
    ['publicUrl', 'ftp://holdfast.example'],
    ['publicUrl', 'https://user@holdfast.example'],
    ['publicUrl', 'https://holdfast.example/?a=1'],
    ['appSecret', 'short'],
    ['appSecret', 'has a space inside it'],
    ['version', '1'],
  ])('is not built with the %s %j', async (name, value) => {
    await expect(buildApp({ ...settings, [name]: value })).rejects.toThrow(name)
  })
})

describe('the written app', () => {
  const folders: string[] = []
  afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))))

  test('stands in a folder of its name', async () => {
    const parent = await mkdtemp(join(tmpdir(), 'holdfast-app-'))
    folders.push(parent)
    expect(await writeApp(parent, settings)).toBe(join(parent, 'Holdfast'))
    expect(await readFile(join(parent, 'Holdfast', 'manifest.xml'), 'utf8')).toBe(await manifest())
    expect(await readFile(join(parent, 'Holdfast', 'Resources/config/plugin.png'))).toEqual(Buffer.from(iconPng()))
  })
})

describe('the icon', () => {
  test('is a PNG of the size that the store wants, with all its pixels', () => {
    const png = Buffer.from(iconPng())
    expect(png.subarray(1, 4).toString()).toBe('PNG')
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([ICON_PIXELS, ICON_PIXELS])
    expect(png.length).toBeLessThan(30_000)
    const packed = png.subarray(41, 41 + png.readUInt32BE(33))
    expect(inflateSync(packed)).toHaveLength(ICON_PIXELS * (1 + ICON_PIXELS * 4))
  })
})
