/** The two parts of a relation's or function's name. */
export interface QualifiedName {
  readonly schema: string
  readonly name: string
}

/** What is wrong with a text that should be a name, as a clause that follows it, and what to write instead. */
export interface NameFault {
  readonly what: string
  readonly remedy: string
}

/**
 * Reads `schema.name` as SQL does: a part in double quotes is taken as it is, with `""` for a quote. Upper case outside
 * quotes is a fault rather than folded, since whoever writes it may mean either.
 */
export function parseQualifiedName(text: string): QualifiedName | NameFault {
  const [schema, name, ...rest] = [...text.matchAll(part)].map(([, dot, quoted, bare]) => ({ dot, quoted, bare }))
  const length = [...text.matchAll(part)].reduce((sum, [whole]) => sum + whole.length, 0)
  if (schema === undefined || length !== text.length || schema.dot !== '') {
    return { what: 'is not a name as SQL writes it', remedy: quotingRemedy }
  }
  if (name === undefined) {
    return { what: 'names no schema', remedy: `Write \`schema.name\`, such as \`public.${text}\`.` }
  }
  if (rest.length > 0) {
    return {
      what: 'has more than two parts',
      remedy: 'Write `schema.name`; put double quotes around a part that holds a dot.',
    }
  }
  for (const { bare } of [schema, name]) {
    if (bare === undefined || !/\p{Lu}/u.test(bare)) continue
    const remedy = `Write it in lower case, or as \`"${bare}"\` in double quotes if it really has capitals.`
    return { what: `has capitals in \`${bare}\`, which SQL would take for lower case`, remedy }
  }
  return { schema: partText(schema), name: partText(name) }
}

/** Writes a name as `parseQualifiedName` reads it, quoting only what has to be. */
export function formatQualifiedName({ schema, name }: QualifiedName): string {
  return `${quoteWhereNeeded(schema)}.${quoteWhereNeeded(name)}`
}

/** Whether reading a name failed. */
export function isNameFault(value: QualifiedName | NameFault): value is NameFault {
  return 'what' in value
}

const part = /(\.|)(?:"((?:[^"]|"")+)"|([\p{L}_][\p{L}\p{N}_$]*))/gsuy
const quotingRemedy =
  'Write `schema.name`, and `schema."Odd Name"` where a part has other characters than letters, digits and _.'

function partText({ quoted, bare }: { quoted: string | undefined; bare: string | undefined }): string {
  return quoted === undefined ? (bare ?? '') : quoted.replaceAll('""', '"')
}

function quoteWhereNeeded(text: string): string {
  // Nearly every name, and far faster than what knows all letters.
  if (/^[a-z_][a-z0-9_$]*$/.test(text)) return text
  const isPlain = /^[\p{L}_][\p{L}\p{N}_$]*$/u.test(text) && !/\p{Lu}/u.test(text)
  return isPlain ? text : `"${text.replaceAll('"', '""')}"`
}
