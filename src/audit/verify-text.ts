import type { VerifyReport } from './verify.ts'
import { terminalSafe } from './record-text.ts'

/** What `postern audit verify` says to a person: the verdict, what it rests on, and what to do. */
export function formatReport(report: VerifyReport): string {
  const lines = report.problem === null ? intact(report) : broken(report)
  return `${lines.map(terminalSafe).join('\n')}\n`
}

function intact(report: VerifyReport): string[] {
  const { head } = report
  if (head === null) return ['The journal is empty: nothing to verify.']
  const lines = [
    `The journal is intact: ${count(report.entries, 'entry', 'entries')} in ${count(report.segments, 'segment')}, up to entry ${head.seq}.`,
    ...signatureLines(report),
    ...tailLines(report, head.seq),
  ]
  if (report.openIntentCount > 0) {
    const first = report.openIntents.slice(0, 5).join(', ')
    lines.push(
      `${count(report.openIntentCount, 'intent has', 'intents have')} no outcome (${first}${report.openIntentCount > 5 ? ', ...' : ''}): ` +
        (report.tail === 'live' ? 'running now.' : 'the next start records the outcome as unknown.'),
    )
  }
  lines.push(
    `Keep this outside the journal to prove later that nothing was cut or rewritten: --anchor ${head.seq}:${head.hash}`,
  )
  return lines
}

function signatureLines(report: VerifyReport): string[] {
  const { valid, unchecked } = report.signatures
  if (unchecked > 0) {
    return [
      `${count(unchecked, 'signature was', 'signatures were')} NOT checked: no public key was given. Without it, whoever can write the files`,
      'could have rewritten the whole chain. Give the .pub file of the signing key with --public-key.',
    ]
  }
  return [`${count(valid, 'signature is', 'signatures are')} valid.`]
}

function tailLines(report: VerifyReport, headSeq: number): string[] {
  const lines: string[] = []
  if (report.tail === 'live') lines.push('A gateway is writing to it now.')
  if (report.tail === 'open') {
    lines.push('The last segment was not sealed: the gateway was killed, or the end of the file was cut at a line.')
  }
  if (report.unfinishedBytes > 0) lines.push(`The last line is being written (${report.unfinishedBytes} bytes so far).`)
  if (report.signatures.unchecked === 0 && report.signedUpTo < headSeq) {
    lines.push(
      `Signed up to entry ${report.signedUpTo}; the ${headSeq - report.signedUpTo} after it are chained but not signed yet.`,
    )
  }
  return lines
}

function broken(report: VerifyReport): string[] {
  const { problem, head } = report
  if (problem === null) return []
  // An altered entry still fits the one before it: that it was altered shows in the next.
  const fitting = head === null ? 0 : Math.min(head.seq, problem.seq - 1)
  const lastGood = fitting < 1 ? null : fitting
  return [
    `The journal is NOT intact (${problem.kind}): ${problem.file}, line ${problem.line}, entry ${problem.seq}: ${problem.message}.`,
    lastGood === null ? 'Nothing before it could be verified.' : `Everything up to entry ${lastGood} fits the chain.`,
    'Keep the directory as it is, make a copy, and find out who could write to it. Compare with a backup or the archive.',
  ]
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`
}
