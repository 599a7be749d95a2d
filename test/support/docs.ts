import { dirname, join } from 'node:path'

/** Relative links of Markdown pages (by path) that lead to no file, or to no heading of a page. */
export function brokenLinks(pages: ReadonlyMap<string, string>, exists: (path: string) => boolean): readonly string[] {
  return [...pages].flatMap(([page, text]) =>
    linksOf(text).flatMap(({ target, line }) => {
      const [path = '', heading] = target.split('#')
      const file = path === '' ? page : join(dirname(page), decodeURI(path))
      const tell = (what: string) => [`${page}:${String(line)} links to ${target}, ${what}`]
      if (!exists(file)) return tell('which does not exist')
      const linked = pages.get(file)
      if (heading === undefined || linked === undefined) return []
      return headingsOf(linked).has(heading) ? [] : tell('where no heading is called so')
    }),
  )
}

/** The fenced blocks of a language, with the line on which each begins. */
export function fencedBlocks(
  pages: ReadonlyMap<string, string>,
  language: string,
): readonly { readonly file: string; readonly line: number; readonly text: string }[] {
  return [...pages].flatMap(([file, text]) =>
    [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'gmu'))].map((match) => ({
      file,
      line: lineAt(text, match.index),
      text: match[1] ?? '',
    })),
  )
}

/**
 * Messages in a source that are not worded as PostgreSQL words its own ("Error Message Style Guide"): the primary
 * message begins in lower case, unless by a name, and has no full stop; detail and hint are sentences.
 */
export function messageFaults(file: string, source: string): readonly string[] {
  const faults: string[] = []
  const judge = (pattern: RegExp, faultOf: (text: string) => string | null) => {
    for (const match of source.matchAll(pattern)) {
      const text = match[2] ?? ''
      const fault = faultOf(text)
      if (fault !== null) faults.push(`${file}:${String(lineAt(source, match.index))} ${fault}: ${text}`)
    }
  }
  judge(/new PosternError\(\s*'\w+',\s*(['"`])(.+?)(?<!\\)\1/gu, (text) => {
    if (/^[A-Z](?!ostgreSQL|ostern|lack\b|[A-Z])/u.test(text)) return 'a message begins in lower case'
    return text.endsWith('.') ? 'a message has no full stop' : null
  })
  judge(/\b(?:hint|detail): (['"`])(.+?)(?<!\\)\1/gu, (text) => {
    if (/^[a-z]/u.test(text)) return 'a detail or hint is a sentence'
    return /(?:[.?!]|\$\{[^}]+\})$/u.test(text) || text.includes(': ') ? null : 'a detail or hint ends in a full stop'
  })
  return faults
}

function linksOf(text: string): readonly { readonly target: string; readonly line: number }[] {
  const prose = text.replaceAll(/^```[^]*?^```$|`[^`\n]*`/gmu, (code) => code.replaceAll(/[^\n]/gu, ' '))
  return [...prose.matchAll(/\]\(([^)\s]+)\)/gu)]
    .map((match) => ({ target: match[1] ?? '', line: lineAt(text, match.index) }))
    .filter(({ target }) => !/^[a-z]+:/u.test(target))
}

/** The anchors of headings, as GitHub makes them. */
function headingsOf(text: string): ReadonlySet<string> {
  const prose = text.replaceAll(/^```[^]*?^```$/gmu, '')
  return new Set(
    [...prose.matchAll(/^#+ (.+)$/gmu)].map(([, title]) =>
      (title ?? '')
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}
