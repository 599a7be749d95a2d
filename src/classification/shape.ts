const charsMax = 32

/** What a value looks like without any of its letters and digits: `xxx@xxxxxxx.xxx`, `9999 9999 9999 9999`. */
export function shapeOf(value: string): string {
  const beginning = value.slice(0, charsMax * 2)
  const shape = beginning
    .replaceAll(/[\p{L}\p{M}]/gu, (letter) => (/\p{Lu}/u.test(letter) ? 'X' : 'x'))
    .replaceAll(/\p{N}/gu, '9')
    // Anything else than what separates the parts of a value could be the value.
    .replaceAll(/[^Xx9 @.,:;/()[\]{}"'$+_-]/gu, '?')
  return value.length <= charsMax ? shape : `${shape.slice(0, charsMax)}… (${String(value.length)} characters)`
}
