import type { Catalog } from './core/catalog.ts'

/** Every name that a catalog shows anyway: those of relations, columns, types, functions and schemas. */
export function catalogNames({ data }: Catalog): ReadonlySet<string> {
  const names = new Set<string>([...data.schemas, ...data.constraintNames])
  for (const relation of data.relations) {
    names.add(relation.name)
    for (const column of relation.columns) names.add(column.name)
    for (const trigger of relation.triggers) names.add(trigger.name)
  }
  for (const { name } of data.types) names.add(name)
  for (const { name } of data.functions) names.add(name)
  for (const { name } of data.builtins) names.add(name)
  return names
}
