import { expect, test } from 'vitest'
import { environmentOf, hasRealShop } from './shop-environment.ts'

const complete = {
  SHOPWARE_URL: 'http://127.0.0.1:1',
  SHOPWARE_ADMIN_USER: 'admin',
  SHOPWARE_ADMIN_PASSWORD: 'secret',
  SHOPWARE_STORE_API_KEY: 'KEY',
  SHOPWARE_SALES_CHANNEL_ID: 'a'.repeat(32),
}

test('no URL is no shop, and every other missing variable is named', () => {
  expect([hasRealShop({}), hasRealShop({ SHOPWARE_URL: '' }), hasRealShop(complete)]).toEqual([false, false, true])
  for (const name of Object.keys(complete))
    expect(() => environmentOf({ ...complete, [name]: '' })).toThrow(`SHOPWARE_VARIABLE_MISSING: ${name} `)
})

test('a command is run with our words as they are, and is absent when its variable is', async () => {
  const { commands } = environmentOf({ ...complete, SHOPWARE_SQL: "printf '<%s>'", SHOPWARE_CONSOLE: 'printf "(%s)"' })
  expect(await commands.sql?.("select 'a  b'; $HOME `x`")).toBe("<select 'a  b'; $HOME `x`>")
  expect(await commands.console?.('cache:clear', '-q')).toBe('(cache:clear)(-q)')
  expect([commands.installApp, commands.uninstallApp]).toEqual([undefined, undefined])
})

test('a command that fails is thrown', async () => {
  const { commands } = environmentOf({ ...complete, SHOPWARE_INSTALL_APP: 'false' })
  await expect(commands.installApp?.('folder')).rejects.toThrow()
})
