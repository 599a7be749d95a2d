import type {
  BuiltinFunction,
  Catalog,
  CatalogData,
  CatalogFunction,
  CatalogOperator,
  CatalogRelation,
  CatalogType,
  Oid,
} from '../../core/catalog.ts'

/** Indexes a snapshot. Lookups are by exact names; what is not there gives nothing. */
export function createCatalog(data: CatalogData, version: number): Catalog {
  const relations = byOid(data.relations)
  const types = byOid(data.types)
  const functions = byOid(data.functions)
  const relationsByName = byName(data.relations)
  const typesByName = byName(data.types)
  const functionsByName = byName(data.functions)
  const operatorsByName = byName<CatalogOperator>(data.operators)
  const children = childrenByParent(data.relations)
  const builtins = new Map<string, BuiltinFunction>(data.builtins.map((each) => [each.name, each]))
  return {
    data,
    version,
    relation: (oid) => relations.get(oid),
    relationsNamed: (name) => relationsByName.get(name) ?? none,
    childrenOf: (oid) => children.get(oid) ?? none,
    type: (oid) => types.get(oid),
    typesNamed: (name) => typesByName.get(name) ?? none,
    function: (oid) => functions.get(oid),
    functionsNamed: (name) => functionsByName.get(name) ?? none,
    operatorsNamed: (name) => operatorsByName.get(name) ?? none,
    builtin: (name) => builtins.get(name),
  }
}

const none: readonly never[] = []

function byOid<T extends CatalogRelation | CatalogType | CatalogFunction>(objects: readonly T[]): Map<Oid, T> {
  return new Map(objects.map((each) => [each.oid, each]))
}

function byName<T extends { readonly name: string }>(objects: readonly T[]): Map<string, T[]> {
  const index = new Map<string, T[]>()
  for (const each of objects) addTo(index, each.name, each)
  return index
}

function childrenByParent(relations: readonly CatalogRelation[]): Map<Oid, CatalogRelation[]> {
  const index = new Map<Oid, CatalogRelation[]>()
  for (const relation of relations) {
    for (const parent of relation.parents) addTo(index, parent, relation)
  }
  return index
}

function addTo<K, T>(index: Map<K, T[]>, key: K, value: T): void {
  const found = index.get(key)
  if (found === undefined) index.set(key, [value])
  else found.push(value)
}
