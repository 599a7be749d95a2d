import type { CatalogRelation } from '../../core/catalog.ts'
import type { Fields } from '../parse-tree.ts'
import { isFields, tagged, textsOf } from '../parse-tree.ts'
import { fieldsOf, listOf, toFields } from './tree.ts'

/*
 * SQL that a function makes when it runs is as a rule put together from constants, the names of the trigger and its
 * table, and values. What all of that can be is worked out here; in place of what is not constant stands a gap, an
 * identifier of its own.
 */

/** What a body's names stand for. */
export interface TemplatePlace {
  /** The expressions that a variable can be given, or null where it gets other values too. */
  expressionsOf(name: string): readonly string[] | null
  /** An expression's tree, or null where it has none. */
  parse(expression: string): unknown
  /** The trigger that runs the body, if it is one. */
  readonly trigger: TriggerPlace | null
}

/** The trigger that a body runs for. */
export interface TriggerPlace {
  readonly name: string
  readonly relation: CatalogRelation
  readonly arguments: readonly string[]
}

/** One gap. */
export interface Gap {
  /** Whether it certainly is one whole constant. */
  readonly isLiteral: boolean
  readonly expression: unknown
}

/** What an expression may give. */
export interface Templates {
  readonly texts: readonly string[]
  /** By the identifiers in `texts`. */
  readonly gaps: ReadonlyMap<string, Gap>
}

/** Identifiers that stand for gaps. */
export const gapPattern = /postern_gap_\d+_/g

const textsMax = 64
const depthMax = 12

/** All texts that an expression may give; null where there are too many. */
export function templatesOf(expression: string, place: TemplatePlace): Templates | null {
  const maker = new TemplateMaker(place)
  const node = place.parse(expression)
  const texts = node === null ? null : maker.textsOf(node, 0)
  return texts === null || texts.length > textsMax ? null : { texts, gaps: maker.gaps }
}

class TemplateMaker {
  readonly gaps = new Map<string, Gap>()
  readonly #place: TemplatePlace
  readonly #under = new Set<string>()

  constructor(place: TemplatePlace) {
    this.#place = place
  }

  /** The texts of a node, with gaps where they are not constant; null where there are too many. */
  textsOf(node: unknown, depth: number): readonly string[] | null {
    if (depth > depthMax) return null
    const known = this.#known(node, depth + 1)
    if (known === null) return [this.#gap(node, false)]
    return known.length > textsMax ? null : known
  }

  /** As `textsOf`, but null where there is no constant in it. */
  #known(node: unknown, depth: number): readonly string[] | null {
    const found = tagged(node)
    const fields = toFields(found?.fields)
    switch (found?.tag) {
      case 'A_Const':
        return constantOf(fields)
      case 'TypeCast':
        return this.#known(fields['arg'], depth)
      case 'A_Expr':
        return this.#joined(fields, depth)
      case 'ColumnRef':
        return this.#variable(textsOf(fields['fields']), depth)
      case 'A_Indirection':
        return this.#argument(fields)
      case 'CoalesceExpr':
        return this.#anyOf(listOf(fields['args']), depth)
      case 'CaseExpr':
        return this.#anyOf(
          [...listOf(fields['args']).map((each) => fieldsOf(each, 'CaseWhen')?.['result']), fields['defresult']],
          depth,
        )
      case 'FuncCall':
        return this.#call(fields, depth)
      default:
        return null
    }
  }

  #joined(fields: Fields, depth: number): readonly string[] | null {
    if (textsOf(fields['name']).at(-1) !== '||') return null
    const left = this.textsOf(fields['lexpr'], depth)
    const right = this.textsOf(fields['rexpr'], depth)
    return left === null || right === null ? null : product([left, right], (parts) => parts.join(''))
  }

  #anyOf(nodes: readonly unknown[], depth: number): readonly string[] | null {
    const all = nodes.filter((each) => each !== undefined).map((each) => this.textsOf(each, depth))
    return all.every((each) => each !== null) ? [...new Set(all.flat())] : null
  }

  #variable(names: readonly string[], depth: number): readonly string[] | null {
    const name = names.at(-1) ?? ''
    const trigger = names.length === 1 ? this.#ofTrigger(name) : null
    if (trigger !== null) return trigger
    const expressions = names.length === 1 ? this.#place.expressionsOf(name) : null
    if (expressions === null || expressions.length === 0 || this.#under.has(name)) return null
    this.#under.add(name)
    try {
      const nodes = expressions.map((each) => this.#place.parse(each))
      return nodes.includes(null) ? null : this.#anyOf(nodes, depth)
    } finally {
      this.#under.delete(name)
    }
  }

  #ofTrigger(name: string): readonly string[] | null {
    const { trigger } = this.#place
    if (trigger === null) return null
    switch (name) {
      case 'tg_table_name':
      case 'tg_relname':
        return [trigger.relation.name]
      case 'tg_table_schema':
        return [trigger.relation.schema]
      case 'tg_relid':
        return [`${quoteName(trigger.relation.schema)}.${quoteName(trigger.relation.name)}`]
      case 'tg_name':
        return [trigger.name]
      case 'tg_nargs':
        return [String(trigger.arguments.length)]
      case 'tg_op':
        return ['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']
      default:
        return null
    }
  }

  /** `TG_ARGV[0]`, and any of them where the number is not constant. */
  #argument(fields: Fields): readonly string[] | null {
    const names = textsOf(fieldsOf(fields['arg'], 'ColumnRef')?.['fields'])
    const { trigger } = this.#place
    if (trigger === null || names.join('.') !== 'tg_argv') return null
    const index = fieldsOf(fieldsOf(listOf(fields['indirection'])[0], 'A_Indices')?.['uidx'], 'A_Const')?.['ival']
    if (!isFields(index)) return trigger.arguments
    const number = typeof index['ival'] === 'number' ? index['ival'] : 0
    const argument = trigger.arguments[number]
    return [argument ?? '']
  }

  #call(fields: Fields, depth: number): readonly string[] | null {
    const name = textsOf(fields['funcname']).at(-1) ?? ''
    const args = listOf(fields['args'])
    const [first] = args
    switch (name) {
      case 'format':
        return this.#format(args, depth)
      case 'concat': {
        const parts = args.map((each) => this.textsOf(each, depth))
        return parts.every((each) => each !== null) ? product(parts, (each) => each.join('')) : null
      }
      case 'quote_ident':
        return this.textsOf(first, depth)?.map((text) => quoteName(text)) ?? null
      case 'quote_literal':
      case 'quote_nullable':
        return this.#literal(first, depth)
      case 'lower':
        return this.#known(first, depth)?.map((text) => text.toLowerCase()) ?? null
      case 'upper': {
        const known = this.#known(first, depth)
        return known?.some((text) => text.search(gapPattern) >= 0) === true
          ? null
          : (known?.map((text) => text.toUpperCase()) ?? null)
      }
      case 'btrim':
        return args.length === 1 ? (this.#known(first, depth)?.map((text) => text.trim()) ?? null) : null
      default:
        return null
    }
  }

  #literal(node: unknown, depth: number): readonly string[] {
    const known = this.#known(node, depth)
    if (known === null || known.some((text) => text.search(gapPattern) >= 0)) return [this.#gap(node, true)]
    return known.map((text) => `'${text.replaceAll("'", "''")}'`)
  }

  #format(args: readonly unknown[], depth: number): readonly string[] | null {
    const patterns = this.#known(args[0], depth)
    if (patterns === null) return null
    const all: string[] = []
    for (const pattern of patterns) {
      const filled = this.#fill(pattern, args, depth)
      if (filled === null) return null
      all.push(...filled)
    }
    return all
  }

  #fill(pattern: string, args: readonly unknown[], depth: number): readonly string[] | null {
    const parts: (readonly string[])[] = []
    let next = 1
    let end = 0
    for (const found of pattern.matchAll(/%(?:(\d+)\$)?-?(?:\d+|\*)?([sIL%])/g)) {
      parts.push([pattern.slice(end, found.index)])
      end = found.index + found[0].length
      if (found[2] === '%') {
        parts.push(['%'])
        continue
      }
      const position = found[1] === undefined ? next : Number(found[1])
      next = position + 1
      const given = found[2] === 'L' ? this.#literal(args[position], depth) : this.textsOf(args[position], depth)
      if (given === null) return null
      parts.push(found[2] === 'I' ? given.map((text) => quoteName(text)) : given)
    }
    parts.push([pattern.slice(end)])
    return product(parts, (each) => each.join(''))
  }

  #gap(expression: unknown, isLiteral: boolean): string {
    const name = `postern_gap_${this.gaps.size}_`
    this.gaps.set(name, { isLiteral, expression })
    return name
  }
}

function constantOf(fields: Fields): readonly string[] | null {
  if (fields['isnull'] === true) return ['']
  const text = fields['sval']
  if (isFields(text)) return [typeof text['sval'] === 'string' ? text['sval'] : '']
  const number = fields['ival']
  if (isFields(number)) return [String(typeof number['ival'] === 'number' ? number['ival'] : 0)]
  return null
}

function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

function product(
  parts: readonly (readonly string[])[],
  join: (parts: readonly string[]) => string,
): readonly string[] | null {
  let all: readonly (readonly string[])[] = [[]]
  for (const part of parts) {
    if (all.length * part.length > textsMax) return null
    all = all.flatMap((each) => part.map((text) => each.concat(text)))
  }
  return [...new Set(all.map(join))]
}
