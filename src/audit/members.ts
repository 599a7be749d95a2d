/**
 * Encodes the members of `object` as JSON without the braces, ready for `Journal.append`; members that are undefined
 * are left out. The result holds no raw line feed, which is what keeps one entry on one line.
 */
export function encodeMembers(object: object): string {
  return JSON.stringify(object).slice(1, -1)
}

/** The same as bytes: for members that many entries share, encoded once per session or per statement text. */
export function encodeSharedMembers(object: object): Buffer {
  return Buffer.from(encodeMembers(object), 'utf8')
}
