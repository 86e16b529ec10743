import { expect, test } from 'vitest'
import { changeProblems } from '../../src/app/configuration-change.ts'
import type { ConfigurationDocument } from '../../src/app/configuration-file.ts'
import { openHouse } from '../core/house.ts'
import { at, netFigure, rulesWith } from '../core/rules.ts'

const documentWith = (source: string, warehouse = 'main'): ConfigurationDocument => ({
  sources: {},
  warehouses: { [warehouse]: { source, zone: 'Europe/Berlin' } },
  shops: {},
})

test('a new WMS that counts from one again would be late for years: the warehouse is not given to it', () => {
  const house = openHouse(rulesWith())
  house.say(netFigure(100, at(5_000)))
  expect(house.say(netFigure(4, at(1)))).toBe('late')
  expect(changeProblems(documentWith('old'), documentWith('new'))).toMatchObject([{ path: 'warehouses.main.source' }])
})

test('a warehouse of another name is, and so is one that nobody had', () => {
  expect(changeProblems(documentWith('old'), documentWith('new', 'main-2'))).toEqual([])
  expect(changeProblems(documentWith('old'), documentWith('old'))).toEqual([])
  expect(changeProblems(documentWith('old', 'constructor'), documentWith('new', 'toString'))).toEqual([])
})
