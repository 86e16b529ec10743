import { describe, expect, test } from 'vitest'
import { checkShopUrl } from './shop-url.ts'

const outside = { allowPrivate: false }
const inside = { allowPrivate: true }

describe('row 37: a shop-url that must not be called', () => {
  test.each([
    'http://127.0.0.1',
    'http://[::1]',
    'http://2130706433',
    'http://0x7f.1',
    'http://0177.0.0.1',
    'http://127.1',
    'http://169.254.169.254',
    'http://10.1.2.3',
    'http://172.31.0.1',
    'http://192.168.0.1',
    'http://100.64.0.1',
    'http://0.0.0.0',
    'http://[::ffff:10.0.0.1]',
    'http://[fd00::1]',
    'http://[fe80::1]',
    'http://[64:ff9b::7f00:1]',
    'http://localhost',
    'http://shop.internal',
    'http://intranet',
  ])('%s is private: refused, and taken only where the operator allows it', (url) => {
    expect(checkShopUrl(url, outside)).toHaveProperty('problem')
    expect(checkShopUrl(url, inside)).toHaveProperty('url')
  })

  test.each([
    'https://user:pw@shop.example',
    'https://user@shop.example',
    'https://@shop.example',
    'file:///etc/passwd',
    'gopher://shop.example',
    'javascript:alert(1)',
    '//shop.example',
    'shop.example',
    '',
    'https://',
    'https:///shop.example',
    `https://shop.example/${'a'.repeat(5_000)}`,
    'https://shop.example.',
    'https://shop.example:22',
    'https://shop.example:99999',
    'https://shop.example/?a=1',
    'https://shop.example/#a',
    'https://shop.example\\@evil.example',
    'https://shop.exa\tmple',
    'https://shop.example/\n',
    'https://shop.example\0',
  ])('%j is no shop, whatever the operator allows', (url) => {
    expect(checkShopUrl(url, outside)).toHaveProperty('problem')
    expect(checkShopUrl(url, inside)).toHaveProperty('problem')
  })
})

describe('row 39: a shop-url in its normal form', () => {
  test.each([
    ['https://shop.example', 'https://shop.example'],
    ['https://shop.example/', 'https://shop.example'],
    ['https://shop.example//', 'https://shop.example'],
    ['https://shop.example//de//', 'https://shop.example/de'],
    ['HTTPS://Shop.Example:443/De', 'https://shop.example/De'],
    ['http://shop.example:8080', 'http://shop.example:8080'],
    ['https://müller.example', 'https://xn--mller-kva.example'],
  ])('%s becomes %s', (received, normal) => {
    expect(checkShopUrl(received, outside)).toEqual({ url: normal })
  })

  test('is its own normal form', () => {
    expect(checkShopUrl('https://shop.example/de', outside)).toEqual({ url: 'https://shop.example/de' })
  })
})
