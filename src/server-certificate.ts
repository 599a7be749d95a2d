import { readFileSync, statSync } from 'node:fs'
import { createSecureContext, type SecureContext } from 'node:tls'

/** A certificate as the configuration has it: the texts, and the files they came from. */
export interface CertificateSource {
  readonly certificate: string
  readonly key: string
  readonly certificateFile: string
  readonly keyFile: string
}

/** How often the files are looked at, at the most. */
const lookEveryMs = 10_000

/**
 * The TLS context of the listener, made anew when the certificate's files change, so that a renewed certificate needs
 * no restart. Files that cannot be used leave the context before them in force and are told to `onFailed`, once each.
 */
export function createServerCertificate(
  source: CertificateSource,
  { onFailed }: { readonly onFailed: (error: unknown) => void },
): () => SecureContext {
  let context = createSecureContext({ cert: source.certificate, key: source.key })
  let seen = versionOf(source)
  let lookedAtMs = performance.now()
  return () => {
    if (performance.now() - lookedAtMs < lookEveryMs) return context
    lookedAtMs = performance.now()
    const version = versionOf(source)
    if (version === seen) return context
    seen = version
    try {
      const cert = readFileSync(source.certificateFile, 'utf8')
      context = createSecureContext({ cert, key: readFileSync(source.keyFile, 'utf8') })
    } catch (error) {
      onFailed(error)
    }
    return context
  }
}

/** Tells apart what the files have held so far; the empty text where one of them is not there. */
function versionOf(source: CertificateSource): string {
  const times = [source.certificateFile, source.keyFile].map((file) => statSync(file, { throwIfNoEntry: false }))
  return times.map((stats) => (stats === undefined ? '' : `${String(stats.mtimeMs)}.${String(stats.ino)}`)).join(' ')
}
