import { readFileSync, statSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { buildConfig } from './config/build.ts'
import type { Config } from './config/build.ts'
import { createFileReader } from './config/files.ts'
import type { ConfigFile } from './config/schema.ts'
import { validateConfig, validateSections } from './config/validate.ts'
import { readYaml } from './config/yaml-file.ts'
import type { Fault, YamlFile } from './config/yaml-file.ts'
import { PosternError } from './core/errors.ts'

export { isLoopback } from './config/validate.ts'
export type { Config, DatabaseConfig, ListenConfig } from './config/build.ts'
export type { AccessSettings } from './config/build-access.ts'

const fileBytesMax = 1024 * 1024

/**
 * Reads postern.yaml, the environment variables it refers to and the files it names, once. Throws `config_invalid` with
 * file, line, key, cause and remedy; every further fault is in the detail. The result is frozen.
 */
export function loadConfig(
  file: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Config {
  const path = resolve(file)
  const yaml = readYaml(read(path, file), { environment })
  fail(file, yaml, yaml.faults)
  const { file: values, faults } = validateConfig(yaml.value)
  if (values === null || faults.length > 0) return fail(file, yaml, faults) ?? unreachable()
  const reader = createFileReader()
  const config = buildConfig(values, { file: path, directory: dirname(path), reader })
  fail(file, yaml, reader.faults)
  return config
}

/**
 * Reads some sections of postern.yaml for commands that need no more and may run where the rest cannot be read: on a
 * client's machine, under another account. No file is opened but this one; paths in it are relative to its folder.
 */
export function loadSections<Section extends keyof ConfigFile>(
  file: string,
  sections: readonly Section[],
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Pick<ConfigFile, Section> {
  const yaml = readYaml(read(resolve(file), file), { environment, sections })
  fail(file, yaml, yaml.faults)
  const { values, faults } = validateSections(yaml.value, sections)
  return values ?? fail(file, yaml, faults) ?? unreachable()
}

function read(path: string, shown: string): string {
  try {
    if (statSync(path).size > fileBytesMax) throw new Error(`it is larger than ${String(fileBytesMax)} bytes`)
    return readFileSync(path, 'utf8')
  } catch (error) {
    const isAbsent = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    const why = isAbsent ? 'it does not exist' : error instanceof Error ? error.message : String(error)
    throw new PosternError('config_invalid', `${shown} cannot be read: ${why}`, {
      cause: error,
      hint: isAbsent
        ? '`postern init` writes one; `--config FILE` names one that is elsewhere.'
        : 'Check the file and who may read it.',
    })
  }
}

function fail(file: string, yaml: YamlFile, faults: readonly Fault[]): null {
  const [first, ...rest] = faults
  if (first === undefined) return null
  const tell = ({ path, what, line }: Fault) => {
    const key = path.reduce<string>(
      (text, part) => (typeof part === 'number' ? `${text}[${String(part)}]` : text === '' ? part : `${text}.${part}`),
      '',
    )
    return `line ${String(line ?? yaml.lineOf(path))}: ${key === '' ? '' : `\`${key}\` `}${what}`
  }
  throw new PosternError('config_invalid', `${basename(file)} cannot be used: ${tell(first)}`, {
    detail: rest.length === 0 ? undefined : ['Also:', ...rest.slice(0, 20).map(tell)].join('\n'),
    hint: first.remedy ?? 'docs/reference/config.md describes every key.',
  })
}

function unreachable(): never {
  throw new Error('a configuration without faults has values')
}
