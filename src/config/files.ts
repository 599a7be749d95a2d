import { createPrivateKey, X509Certificate } from 'node:crypto'
import { lstatSync, readFileSync, statSync } from 'node:fs'
import type { Fault } from './yaml-file.ts'

type Path = readonly (string | number)[]

/** Reads the files that the configuration names; what is wrong with them is collected as faults. */
export interface FileReader {
  readonly faults: readonly Fault[]
  /** A PEM file with at least one certificate; the empty string where it cannot be used. */
  certificates(file: string, path: Path): string
  /** A PEM file with a private key without passphrase that is not open to every account, fitting `certificates`. */
  privateKey(file: string, path: Path, certificates: string): string
  /** Checks that a file is there and not open to every account. */
  secret(file: string, path: Path): void
}

/** Makes a reader with no faults so far. */
export function createFileReader(): FileReader {
  const faults: Fault[] = []
  const read = (file: string, path: Path): string => {
    try {
      return readFileSync(file, 'utf8')
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
      const why = reasons.get(code) ?? code
      faults.push({
        path,
        what: `names ${file}, ${why}`,
        remedy: 'Correct the path; it is relative to the file that names it.',
      })
      return ''
    }
  }
  const secret = (file: string, path: Path): boolean => {
    const state = statSync(file, { throwIfNoEntry: false })
    // Secrets mounted into a container are links or below /run/secrets, open to everybody inside and to nobody outside,
    // and their modes often cannot be changed. Group access is how a secret of root is given to a service account.
    const isMount =
      lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() === true || file.startsWith('/run/secrets/')
    if (isMount || process.platform === 'win32') return true
    if (state === undefined || (state.mode & 0o007) === 0) return true
    faults.push({
      path,
      what: `names ${file}, which every account of this machine may read or change`,
      remedy: `Run \`chmod 600 ${file}\`.`,
    })
    return false
  }
  return {
    faults,
    certificates: (file, path) => {
      const text = read(file, path)
      if (text === '' && faults.at(-1)?.path === path) return ''
      const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/gu) ?? []
      if (blocks.length > 0 && blocks.every(isCertificate)) return text
      faults.push({
        path,
        what: `names ${file}, which holds ${blocks.length === 0 ? 'no certificate in PEM form' : 'a broken certificate'}`,
        remedy: 'A PEM certificate starts with -----BEGIN CERTIFICATE-----.',
      })
      return ''
    },
    privateKey: (file, path, certificates) => {
      const text = read(file, path)
      if ((text === '' && faults.at(-1)?.path === path) || !secret(file, path)) return ''
      const what = keyProblem(text, certificates)
      if (what === null) return text
      const remedy = 'Name the private key that the certificate was made for, in PEM form and without a passphrase.'
      faults.push({ path, what: `names ${file}, ${what}`, remedy })
      return ''
    },
    secret: (file, path) => {
      const before = faults.length
      read(file, path)
      if (faults.length === before) secret(file, path)
    },
  }
}

const reasons: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'which does not exist'],
  ['EACCES', 'which this account may not read'],
  ['EISDIR', 'which is a folder'],
])

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0
  } catch (error) {
    if (error instanceof Error) return false
    throw error
  }
}

function keyProblem(text: string, certificates: string): string | null {
  try {
    const key = createPrivateKey(text)
    if (certificates !== '' && !new X509Certificate(certificates).checkPrivateKey(key)) {
      return 'whose key does not belong to `certificate`'
    }
    return null
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return /ENCRYPTED/u.test(text) ? 'whose key has a passphrase' : 'which holds no private key in PEM form'
  }
}
