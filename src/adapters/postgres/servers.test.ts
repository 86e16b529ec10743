import { describe, expect, test } from 'vitest'
import { serversOf } from './servers.ts'

describe('the servers of a URL', () => {
  test('are one where one is named, and stay it', () => {
    const url = 'postgresql://me:p%40ss@db.example:5432/holdfast?sslmode=require'
    const servers = serversOf(url)
    expect([servers.count, servers.present()]).toEqual([1, url])
    servers.turnFrom(url)
    expect(servers.present()).toBe(url)
  })

  test('are asked in turn, each with the same user, database and options', () => {
    const servers = serversOf('postgres://me:secret@a:5432,b:5433,[::1]:5434/db?sslmode=require')
    const seen = [0, 1, 2, 3].map(() => {
      const present = servers.present()
      servers.turnFrom(present)
      return present
    })
    expect(seen).toEqual(
      ['a:5432', 'b:5433', '[::1]:5434', 'a:5432'].map((host) => `postgres://me:secret@${host}/db?sslmode=require`),
    )
  })

  test('many who lose the same one at once turn away from it once', () => {
    const servers = serversOf('postgres://a,b/db')
    const lost = servers.present()
    for (let n = 0; n < 5; n += 1) servers.turnFrom(lost)
    expect(servers.present()).toBe('postgres://b/db')
  })
})
