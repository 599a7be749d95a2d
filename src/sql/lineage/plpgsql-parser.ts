import { TokenReader } from './plpgsql-reader.ts'
import { Unreadable } from './plpgsql-tokens.ts'
import type { PlBody, PlQuery, PlSource, PlStatement, PlTarget, PlVariable } from './plpgsql-tree.ts'

/**
 * Reads the body of a PL/pgSQL function (src/pl/plpgsql/src/pl_gram.y). libpg_query has PL/pgSQL's grammar too, but
 * without a catalog it refuses every body that sets a field of a variable of a table's row type. Bodies come from the
 * catalog, so PostgreSQL has accepted them; all that matters is to miss no statement of theirs. Throws `Unreadable`.
 */
export function parsePlpgsql(text: string): PlBody {
  const reader = new BodyReader(text)
  return reader.read()
}

const loopEnd: readonly string[] = ['loop']
const statementEnd: readonly string[] = [';']

class BodyReader {
  readonly #reader: TokenReader
  readonly #variables: PlVariable[] = []
  readonly #labels: string[] = []

  constructor(text: string) {
    this.#reader = new TokenReader(text)
  }

  read(): PlBody {
    while (this.#reader.isSign('#')) this.#option()
    const statements = this.#statement()
    if (this.#reader.isSign(';')) this.#reader.at += 1
    if (!this.#reader.isAtEnd) throw new Unreadable('there is more behind the body')
    return { variables: this.#variables, labels: this.#labels, statements }
  }

  #option(): void {
    this.#reader.at += 1
    const name = this.#reader.next().text
    const value = this.#reader.next().text
    // A name would then mean the variable where it means a column everywhere else.
    if (name === 'variable_conflict' && value === 'use_variable') throw new Unreadable('names mean variables first')
  }

  #statements(...ends: readonly string[]): readonly PlStatement[] {
    const statements: PlStatement[] = []
    while (!this.#reader.isWord(...ends)) statements.push(...this.#statement())
    return statements
  }

  #statement(): readonly PlStatement[] {
    while (this.#reader.isSign('<<')) {
      this.#reader.at += 1
      this.#labels.push(this.#reader.next().text)
      this.#reader.sign('>>')
    }
    const target = this.#reader.assigned()
    if (target !== null) return [{ kind: 'assign', target, expression: this.#reader.until(statementEnd, 'past') }]
    const token = this.#reader.peek()
    const rule = token?.kind === 'word' ? this.#rules.get(token.text) : undefined
    if (rule === undefined) return [this.#sql()]
    this.#reader.at += 1
    return rule()
  }

  readonly #rules: ReadonlyMap<string, () => readonly PlStatement[]> = new Map<string, () => readonly PlStatement[]>([
    ['declare', () => this.#declare()],
    ['begin', () => this.#block()],
    ['if', () => this.#if()],
    ['case', () => this.#case()],
    ['loop', () => this.#loop([], null, [])],
    ['while', () => this.#loop([this.#reader.until(loopEnd, 'past')], null, [])],
    ['for', () => this.#for()],
    ['foreach', () => this.#foreach()],
    ['exit', () => this.#leave()],
    ['continue', () => this.#leave()],
    ['return', () => this.#return()],
    ['raise', () => this.#raise()],
    ['assert', () => [{ kind: 'evaluate', expressions: this.#reader.list(statementEnd) }]],
    ['perform', () => [this.#static(`SELECT ${this.#reader.until(statementEnd, 'past')}`)]],
    ['get', () => this.#diagnostics()],
    ['open', () => this.#open()],
    ['fetch', () => this.#fetch()],
    ['move', () => this.#skip()],
    ['close', () => this.#skip()],
    ['commit', () => this.#skip()],
    ['rollback', () => this.#skip()],
    ['null', () => this.#skip()],
    ['execute', () => this.#execute()],
  ])

  #static(sql: string): PlStatement {
    return { kind: 'query', query: { kind: 'static', sql }, into: [] }
  }

  #skip(): readonly PlStatement[] {
    this.#reader.until(statementEnd, 'past')
    return []
  }

  #declare(): readonly PlStatement[] {
    while (!this.#reader.isWord('begin')) {
      if (this.#reader.isWord('declare')) {
        this.#reader.at += 1
        continue
      }
      if (this.#reader.isSign('<<')) throw new Unreadable('a label stands among declarations')
      this.#variables.push(this.#declaration())
    }
    this.#reader.at += 1
    return this.#block()
  }

  #declaration(): PlVariable {
    const { text: name } = this.#reader.next()
    const plain = { name, initial: null, alias: null, cursor: null }
    if (this.#reader.isWord('alias')) {
      this.#reader.at += 2
      const alias = this.#reader.next().text
      this.#reader.sign(';')
      return { ...plain, type: null, alias }
    }
    if (this.#reader.isWord('cursor', 'no', 'scroll')) return { ...plain, type: 'refcursor', cursor: this.#cursor() }
    if (this.#reader.isWord('constant')) this.#reader.at += 1
    const type = this.#reader.until([';', ':=', '=', 'default', 'not', 'collate'], 'before')
    if (!this.#reader.isSign(';', ':=', '=')) this.#reader.until([';', ':=', '=', 'default'], 'before')
    if (this.#reader.next().text === ';') return { ...plain, type }
    return { ...plain, type, initial: this.#reader.until(statementEnd, 'past') }
  }

  #cursor(): NonNullable<PlVariable['cursor']> {
    while (!this.#reader.isWord('cursor')) this.#reader.at += 1
    this.#reader.at += 1
    const parameters: string[] = []
    if (this.#reader.isSign('(')) {
      do {
        this.#reader.at += 1
        const { text: name } = this.#reader.next()
        parameters.push(name)
        this.#variables.push({
          name,
          type: this.#reader.until([',', ')'], 'before'),
          initial: null,
          alias: null,
          cursor: null,
        })
      } while (this.#reader.isSign(','))
      this.#reader.sign(')')
    }
    this.#reader.at += 1
    return { parameters, sql: this.#reader.until(statementEnd, 'past') }
  }

  /** Behind BEGIN. */
  #block(): readonly PlStatement[] {
    const statements = [...this.#statements('end', 'exception')]
    if (this.#reader.isWord('exception')) {
      this.#reader.at += 1
      while (this.#reader.isWord('when')) {
        this.#reader.until(['then'], 'past')
        statements.push({ kind: 'handler', body: this.#statements('end', 'when') })
      }
    }
    this.#reader.at += 1
    // The outermost END needs no semicolon.
    while (!this.#reader.isAtEnd && !this.#reader.isSign(';')) this.#reader.at += 1
    if (this.#reader.isSign(';')) this.#reader.at += 1
    return statements
  }

  #if(): readonly PlStatement[] {
    const conditions = [this.#reader.until(['then'], 'past')]
    const body: PlStatement[] = []
    for (;;) {
      body.push(...this.#statements('elsif', 'elseif', 'else', 'end'))
      const { text } = this.#reader.next()
      if (text === 'end') break
      if (text !== 'else') conditions.push(this.#reader.until(['then'], 'past'))
    }
    this.#reader.word('if')
    this.#reader.sign(';')
    return [{ kind: 'branch', conditions, body }]
  }

  #case(): readonly PlStatement[] {
    const conditions: string[] = []
    const body: PlStatement[] = []
    if (!this.#reader.isWord('when')) conditions.push(this.#reader.until(['when'], 'before'))
    for (;;) {
      const { text } = this.#reader.next()
      if (text === 'end') break
      if (text === 'when') conditions.push(`ARRAY[${this.#reader.until(['then'], 'past')}]`)
      else if (text !== 'else') throw new Unreadable('a CASE has something else')
      body.push(...this.#statements('when', 'else', 'end'))
    }
    this.#reader.word('case')
    this.#reader.sign(';')
    return [{ kind: 'branch', conditions, body }]
  }

  /** Behind LOOP. */
  #loop(conditions: readonly string[], source: PlSource | null, targets: readonly PlTarget[]): readonly PlStatement[] {
    const body = this.#statements('end')
    this.#reader.at += 1
    this.#reader.word('loop')
    this.#reader.until(statementEnd, 'past')
    return [{ kind: 'loop', conditions, targets, source, body }]
  }

  #for(): readonly PlStatement[] {
    const targets = this.#reader.targets()
    this.#reader.word('in')
    return this.#loop([], this.#source(targets), targets)
  }

  #source(targets: readonly PlTarget[]): PlSource {
    if (this.#reader.isWord('execute')) {
      this.#reader.at += 1
      return this.#dynamic(loopEnd)
    }
    const start = this.#reader.at
    if (this.#reader.isWord('reverse')) this.#reader.at += 1
    const first = this.#reader.until(['loop', '..'], 'before')
    if (this.#reader.isSign('..')) {
      this.#reader.at += 1
      const expressions = [first, this.#reader.until(['loop', 'by'], 'before')]
      if (this.#reader.next().text === 'by') expressions.push(this.#reader.until(loopEnd, 'past'))
      for (const { name } of targets)
        this.#variables.push({ name, type: 'int', initial: null, alias: null, cursor: null })
      return { kind: 'values', expressions }
    }
    const name = this.#reader.textAt(start) ?? ''
    const isCursor = this.#variables.some((each) => each.cursor !== null && each.name === name)
    const behind = this.#reader.textAt(start + 1)
    if (isCursor && (behind === 'loop' || behind === '(')) {
      const args = behind === '(' ? this.#reader.slice(start + 2, this.#reader.at - 1) : null
      this.#reader.at += 1
      // The loop's record is declared by the loop.
      for (const each of targets) this.#record(each.name)
      return { kind: 'cursor', name, args }
    }
    const sql = this.#reader.slice(start, this.#reader.at)
    this.#reader.at += 1
    return { kind: 'static', sql }
  }

  #record(name: string): void {
    this.#variables.push({ name, type: 'record', initial: null, alias: null, cursor: null })
  }

  #foreach(): readonly PlStatement[] {
    const targets = this.#reader.targets()
    this.#reader.until(['array'], 'past')
    const source: PlSource = { kind: 'values', expressions: [this.#reader.until(loopEnd, 'past')] }
    return this.#loop([], source, targets)
  }

  /** EXIT and CONTINUE: that they may happen is a condition of the loop. */
  #leave(): readonly PlStatement[] {
    this.#reader.until([';', 'when'], 'before')
    if (this.#reader.next().text === ';') return []
    return [{ kind: 'branch', conditions: [this.#reader.until(statementEnd, 'past')], body: [] }]
  }

  #return(): readonly PlStatement[] {
    const isNext = this.#reader.isWord('next')
    if (isNext) this.#reader.at += 1
    if (!isNext && this.#reader.isWord('query')) {
      this.#reader.at += 1
      if (!this.#reader.isWord('execute'))
        return [{ kind: 'returnQuery', query: { kind: 'static', sql: this.#reader.until(statementEnd, 'past') } }]
      this.#reader.at += 1
      return [{ kind: 'returnQuery', query: this.#dynamic(statementEnd) }]
    }
    const expression = this.#reader.until(statementEnd, 'past')
    return [{ kind: 'return', expression: expression.trim() === '' ? null : expression, isNext }]
  }

  #raise(): readonly PlStatement[] {
    const expressions: string[] = []
    while (!this.#reader.isSign(';', ',') && !this.#reader.isWord('using')) this.#reader.at += 1
    while (this.#reader.isSign(',')) {
      this.#reader.at += 1
      expressions.push(this.#reader.until([',', ';', 'using'], 'before'))
    }
    if (this.#reader.next().text === ';') return [{ kind: 'evaluate', expressions }]
    for (;;) {
      this.#reader.at += 2
      expressions.push(this.#reader.until([',', ';'], 'before'))
      if (this.#reader.next().text === ';') return [{ kind: 'evaluate', expressions }]
    }
  }

  #diagnostics(): readonly PlStatement[] {
    const isStacked = this.#reader.isWord('stacked')
    while (!this.#reader.isWord('diagnostics')) this.#reader.at += 1
    const targets: PlTarget[] = []
    const counts: PlTarget[] = []
    do {
      this.#reader.at += 1
      targets.push(this.#reader.target())
      const item = this.#reader.until([',', ';'], 'before')
      if (!isStacked && /row_count/i.test(item)) counts.push(...targets.splice(-1))
      // Where in the code it was.
      else if (!isStacked && /pg_routine_oid|pg_context/i.test(item)) targets.pop()
    } while (this.#reader.isSign(','))
    this.#reader.sign(';')
    return [{ kind: 'diagnose', targets, counts }]
  }

  #open(): readonly PlStatement[] {
    const cursor = this.#reader.next().text
    if (this.#reader.isSign('(')) {
      const start = this.#reader.at + 1
      this.#reader.until(statementEnd, 'past')
      return [{ kind: 'open', cursor, query: null, args: this.#reader.slice(start, this.#reader.at - 2) }]
    }
    this.#reader.until([';', 'for'], 'before')
    if (this.#reader.next().text === ';') return [{ kind: 'open', cursor, query: null, args: null }]
    if (!this.#reader.isWord('execute')) {
      const sql = this.#reader.until(statementEnd, 'past')
      return [{ kind: 'open', cursor, query: { kind: 'static', sql }, args: null }]
    }
    this.#reader.at += 1
    return [{ kind: 'open', cursor, query: this.#dynamic(statementEnd), args: null }]
  }

  #fetch(): readonly PlStatement[] {
    this.#reader.until(['into'], 'before')
    const cursor = this.#reader.textAt(this.#reader.at - 1) ?? ''
    this.#reader.at += 1
    const into = this.#reader.targets()
    this.#reader.sign(';')
    return [{ kind: 'fetch', cursor, into }]
  }

  #execute(): readonly PlStatement[] {
    const into: PlTarget[] = []
    const query = this.#dynamic(statementEnd, into)
    return [{ kind: 'query', query, into }]
  }

  /** `text [INTO targets] [USING values]` in either order. */
  #dynamic(ends: readonly string[], into: PlTarget[] = []): PlQuery {
    const stops = [...ends, 'into', 'using', ',']
    const text = this.#reader.until([...ends, 'into', 'using'], 'before')
    const using: string[] = []
    for (;;) {
      const { text: word } = this.#reader.next()
      if (ends.includes(word)) return { kind: 'dynamic', text, using }
      if (word === 'into') {
        if (this.#reader.isWord('strict')) this.#reader.at += 1
        into.push(...this.#reader.targets())
      } else using.push(this.#reader.until(stops, 'before'))
    }
  }

  /** Any other statement is SQL, from which PL/pgSQL takes its INTO out. */
  #sql(): PlStatement {
    const into: PlTarget[] = []
    const start = this.#reader.at
    let intoAt: readonly [from: number, to: number] | null = null
    for (; !this.#reader.isSign(';'); this.#reader.at += 1) {
      if (!this.#reader.isWord('into') || intoAt !== null) {
        if (this.#reader.peek() === null) throw new Unreadable('a statement does not end')
        continue
      }
      if (this.#reader.at > start && this.#reader.isWordAt(this.#reader.at - 1, 'insert', 'merge')) continue
      const from = this.#reader.at
      this.#reader.at += 1
      if (this.#reader.isWord('strict')) this.#reader.at += 1
      into.push(...this.#reader.targets())
      intoAt = [from, this.#reader.at]
      this.#reader.at -= 1
    }
    const end = this.#reader.at
    this.#reader.at += 1
    const sql =
      intoAt === null
        ? this.#reader.slice(start, end)
        : `${this.#reader.slice(start, intoAt[0])} ${this.#reader.slice(intoAt[1], end)}`
    if (/\bbegin\s+atomic\b/i.test(sql)) throw new Unreadable('it makes a function')
    return { kind: 'query', query: { kind: 'static', sql }, into }
  }
}
