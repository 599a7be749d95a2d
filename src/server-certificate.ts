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

/** PEM texts that belong together. */
export interface CertificateTexts {
  readonly cert: string
  readonly key: string
}

/**
 * A certificate that is read anew when its files change, so that a renewed one needs no restart. The same object for as
 * long as they are the same. Files that cannot be used leave the texts before them in force and are told to `onFailed`,
 * once each.
 */
export function createCertificateTexts(
  source: CertificateSource,
  { onFailed }: { readonly onFailed: (error: unknown) => void },
): () => CertificateTexts {
  let texts: CertificateTexts = { cert: source.certificate, key: source.key }
  let seen = versionOf(source)
  let lookedAtMs = performance.now()
  return () => {
    if (performance.now() - lookedAtMs < lookEveryMs) return texts
    lookedAtMs = performance.now()
    const version = versionOf(source)
    if (version === seen) return texts
    seen = version
    try {
      const renewed = { cert: readFileSync(source.certificateFile, 'utf8'), key: readFileSync(source.keyFile, 'utf8') }
      // Both halves are tried together: one of them may have been written before the other.
      createSecureContext(renewed)
      texts = renewed
    } catch (error) {
      onFailed(error)
    }
    return texts
  }
}

/** The TLS context of the listener, made anew when the certificate's files change. */
export function createServerCertificate(
  source: CertificateSource,
  options: { readonly onFailed: (error: unknown) => void },
): () => SecureContext {
  const read = createCertificateTexts(source, options)
  let texts = read()
  let context = createSecureContext(texts)
  return () => {
    const current = read()
    if (current !== texts) {
      context = createSecureContext(current)
      texts = current
    }
    return context
  }
}

function versionOf(source: CertificateSource): string {
  const times = [source.certificateFile, source.keyFile].map((file) => statSync(file, { throwIfNoEntry: false }))
  return times.map((stats) => (stats === undefined ? '' : `${String(stats.mtimeMs)}.${String(stats.ino)}`)).join(' ')
}
