/*
 * Whether what stands in a slot of one of PostgreSQL's texts is known not to come from a row.
 */

/** The kinds of slots, as `message-templates.ts` explains them. */
export type SlotKind = 'name' | 'types' | 'call' | 'operation' | 'text' | 'number' | 'words'

/** What a slot may be proven by. */
export interface SlotEvidence {
  readonly isName: (name: string) => boolean
  /** The client's own text from where the report points to; null where it points nowhere in it. */
  readonly atPosition: string | null
}

const typeNames: ReadonlySet<string> = new Set(
  `
  bigint|bit|bit varying|boolean|box|bytea|"char"|character|character varying|cidr|circle|date|double precision|inet|
  integer|interval|json|jsonb|jsonpath|line|lseg|macaddr|macaddr8|money|name|numeric|oid|path|pg_lsn|point|polygon|
  real|record|regclass|regconfig|regnamespace|regproc|regprocedure|regrole|regtype|smallint|text|
  time without time zone|time with time zone|timestamp without time zone|timestamp with time zone|tsquery|tsvector|
  unknown|uuid|void|xid|xid8|xml|anyelement|anyarray|int4range|int8range|numrange|tsrange|tstzrange|daterange|
  timestamp|time|int4|int8|int2|float4|float8|bool|varchar|bpchar|timestamptz|timetz|bit|varbit
`
    .split('|')
    .map((name) => name.trim()),
)
// Fixed words that PostgreSQL puts into its texts: names of clauses, commands and functions of the grammar.
const fixedWords =
  /^(?:[A-Z]+(?:[ /_][A-Z]+)*(?: conditions| expressions| [a-z]+ (?:expressions|definitions))?|JOIN conditions|JOIN\/ON|functions in FROM|policy expressions|check constraints|UTF8)$/
const identifier = String.raw`(?:"(?:[^"]|"")*"|[\p{L}_][\p{L}\p{N}_$]*)`
const chain = new RegExp(String.raw`^${identifier}(?:\s*\.\s*${identifier})*`, 'u')
const part = new RegExp(identifier, 'gu')
const operators = /^[-+*/<>=~!@#%^&|`?]{1,63}$/

/** Whether this text may stand in a slot of this kind. */
export function provesSlot(kind: SlotKind, text: string, evidence: SlotEvidence): boolean {
  switch (kind) {
    case 'name':
      return isKnownName(text, evidence)
    case 'types':
      return text.split(', ').every((type) => isType(type, evidence))
    case 'call':
      return isCall(text, evidence)
    case 'operation':
      return isOperation(text, evidence)
    case 'text':
      return isAtPosition(text, evidence)
    case 'number':
      // Counts, positions and declared lengths, none of which a row decides.
      return /^\d{1,10}$/.test(text)
    case 'words':
      return fixedWords.test(text)
    default:
      return false
  }
}

/** A name, perhaps qualified: known as a whole, or part by part, or written where the report points to. */
function isKnownName(text: string, { isName, atPosition }: SlotEvidence): boolean {
  if (text.length > 300) return false
  if (isName(text)) return true
  const parts = text.split('.').map((each) => each.replace(/^"(.*)"$/, '$1'))
  if (parts.every((each) => each !== '' && isName(each))) return true
  if (atPosition === null) return false
  const written = new Set((chain.exec(atPosition.slice(0, 1000))?.[0].match(part) ?? []).map(folded))
  return [parts, [text]].some((names) => names.every((name) => written.has(name)))
}

function folded(written: string): string {
  return written.startsWith('"') ? written.slice(1, -1).replaceAll('""', '"') : written.toLowerCase()
}

function isType(text: string, { isName }: SlotEvidence): boolean {
  const base = text.replace(/(?:\[\])+$/, '').replace(/\(\d+(?:,-?\d+)?\)/, '')
  if (typeNames.has(base)) return true
  const parts = base.split('.').map((each) => each.replace(/^"(.*)"$/, '$1'))
  return parts.every((each) => each !== '' && isName(each))
}

function isCall(text: string, evidence: SlotEvidence): boolean {
  const [, name = '', types = ''] = /^([^()]+)\(([^()]*(?:\(\d+\)[^()]*)*)\)$/.exec(text) ?? []
  if (!isKnownName(name, evidence)) return false
  return types === '' || types.split(', ').every((type) => isType(type, evidence))
}

function isOperation(text: string, evidence: SlotEvidence): boolean {
  const words = text.split(' ')
  const at = words.findIndex((word) => operators.test(word))
  if (at === -1) return false
  const [left, right] = [words.slice(0, at).join(' '), words.slice(at + 1).join(' ')]
  return (left === '' || isType(left, evidence)) && isType(right, evidence)
}

/** What the client wrote where the report points to: a token as it is, or a constant between quotes. */
function isAtPosition(text: string, { atPosition }: SlotEvidence): boolean {
  if (atPosition === null || text === '') return false
  if (atPosition.startsWith(text)) return true
  const [open] = /^(?:[EeNnBbXx]|[Uu]&)?'|^\$\w*\$/.exec(atPosition) ?? []
  if (open === undefined) return false
  const body = atPosition.slice(open.length)
  return body.startsWith(text) || body.startsWith(text.replaceAll("'", "''"))
}
