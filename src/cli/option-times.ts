import { PosternError } from '../core/errors.ts'

const unitMs: ReadonlyMap<string, number> = new Map([
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
])

/** Reads a moment, or how long ago it was, from an option. Throws `input_invalid`. */
export function timeOf(option: string, value: string, nowMs: number): number {
  const ago = /^(\d{1,9})([smhd])$/u.exec(value)
  if (ago !== null) return nowMs - Number(ago[1]) * (unitMs.get(ago[2] ?? '') ?? 0)
  const atMs = Date.parse(value)
  if (!Number.isNaN(atMs)) return atMs
  throw new PosternError('input_invalid', `${option} cannot be read as a time: ${value}`, {
    hint: 'Give a time such as 2026-11-23T16:00:00Z, or how long ago: 30s, 15m, 2h, 7d.',
  })
}
