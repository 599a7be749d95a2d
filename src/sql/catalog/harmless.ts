import type { Catalog, CatalogFunction } from '../../core/catalog.ts'

/**
 * Functions and operators outside PostgreSQL's own that only compute from their arguments, named as `safeFunctions` of
 * the analysis are: `similarity`, `public.similarity`, `operator <->`, `operator public.<->`. Only those count that an
 * extension brings, are written in C and declared immutable: nobody but a superuser can make such a function.
 *
 * `vouched` are more of them, `schema.name` without quotes, that an operator knows to be so.
 *
 * A bare name is in the set only if everything of that name is harmless, and never where PostgreSQL has a function of
 * that name itself: whoever reads the set would take that one for safe as well.
 */
export function harmlessFunctions(catalog: Catalog, vouched: ReadonlySet<string> = new Set()): ReadonlySet<string> {
  const names = new Set<string>()
  addNames(names, catalog.data.functions, {
    isHarmless: (each) => isHarmlessFunction(each) || vouched.has(`${each.schema}.${each.name}`),
    isBuiltin: (name) => catalog.builtin(name) !== undefined,
    show: (schema, name) => (schema === null ? quote(name) : `${quote(schema)}.${quote(name)}`),
  })
  addNames(names, catalog.data.operators, {
    isHarmless: (operator) => {
      const found = catalog.function(operator.function)
      return found !== undefined && isHarmlessFunction(found)
    },
    // Which symbols PostgreSQL has itself is asked before the set is.
    isBuiltin: () => false,
    show: (schema, name) => `operator ${schema === null ? '' : `${quote(schema)}.`}${name}`,
  })
  return names
}

/**
 * Names that may be selected of a value, as in `(x).name`, since they are columns and no function that may do anything
 * has them; quoted where need be. Apart from `harmlessFunctions`, as a column's name says nothing about a function that
 * does not exist yet.
 */
export function harmlessFields(catalog: Catalog): ReadonlySet<string> {
  const names = new Set<string>()
  for (const { columns } of catalog.data.relations) {
    for (const { name } of columns) {
      const shown = quote(name)
      if (names.has(shown) || catalog.builtin(name) !== undefined) continue
      if (catalog.functionsNamed(name).every(isHarmlessFunction)) names.add(shown)
    }
  }
  return names
}

function addNames<T extends { readonly schema: string; readonly name: string }>(
  names: Set<string>,
  objects: readonly T[],
  rules: {
    isHarmless(object: T): boolean
    isBuiltin(name: string): boolean
    show(schema: string | null, name: string): string
  },
): void {
  const verdicts = new Map<string, boolean>()
  const judgeAs = (shown: string, isHarmless: boolean): void => {
    verdicts.set(shown, isHarmless && verdicts.get(shown) !== false)
  }
  for (const object of objects) {
    const isHarmless = rules.isHarmless(object)
    judgeAs(rules.show(null, object.name), isHarmless && !rules.isBuiltin(object.name))
    // In pg_catalog a name may be an overload of one that is PostgreSQL's own; information_schema is known anyway.
    judgeAs(rules.show(object.schema, object.name), isHarmless && object.schema !== 'pg_catalog')
  }
  for (const [shown, isHarmless] of verdicts) if (isHarmless) names.add(shown)
}

/** An aggregate's own language is internal whatever its support functions are, and those are not in the snapshot. */
function isHarmlessFunction({ kind, language, volatility, isFromExtension }: CatalogFunction): boolean {
  if (kind !== 'function' && kind !== 'window') return false
  return (language === 'c' || language === 'internal') && volatility === 'immutable' && isFromExtension
}

/** An identifier as PostgreSQL would have to be told it. */
function quote(identifier: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(identifier) ? identifier : `"${identifier.replaceAll('"', '""')}"`
}
