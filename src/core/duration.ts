const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Reads `90s`, `15m`, `2h`, `1d` or a sum such as `1h30m` as milliseconds; null where it is none of these, or is zero. */
export function parseDuration(text: string): number | null {
  if (!/^(?:\d{1,6}[smhd])+$/u.test(text)) return null
  let sumMs = 0
  for (const [, amount = '', unit = ''] of text.matchAll(/(\d+)([smhd])/gu))
    sumMs += Number(amount) * (unitMs[unit] ?? 0)
  return sumMs > 0 ? sumMs : null
}

/** Writes milliseconds as `parseDuration` reads them, in whole seconds rounded up: `1h30m`. */
export function formatDuration(durationMs: number): string {
  let leftS = Math.max(1, Math.ceil(durationMs / 1_000))
  let text = ''
  for (const [unit, seconds] of [
    ['d', 86_400],
    ['h', 3_600],
    ['m', 60],
    ['s', 1],
  ] as const) {
    const amount = Math.floor(leftS / seconds)
    leftS -= amount * seconds
    if (amount > 0) text += `${String(amount)}${unit}`
  }
  return text
}
