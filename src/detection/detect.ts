import { limits } from '../core/limits.ts'
import { findEmails, findIps, findMacs } from './addresses.ts'
import type { Certainty, Detection, DetectionKind, Finder } from './detection.ts'
import { findNationalIds } from './national-ids.ts'
import { findCards, findIbans, findPhones } from './numbers.ts'
import { findSecrets } from './secrets.ts'

export type { Certainty, Detection, DetectionKind } from './detection.ts'

/** Which kinds to look for, and how sure to be at least; all of them and `possible` unless told. */
export interface DetectorOptions {
  readonly kinds?: readonly DetectionKind[]
  readonly least?: Certainty
}

/** Looks for personal data and secrets in texts. */
export interface Detector {
  /** What is in `text`, in order; what overlaps is joined, as the surer. */
  detect(text: string): readonly Detection[]
  /** `text` with every detected part replaced. */
  redact(text: string, replace: (found: string, detection: Detection) => string): string
}

const finders: Readonly<Record<DetectionKind, Finder>> = {
  email: findEmails,
  phone: findPhones,
  card: findCards,
  iban: findIbans,
  national_id: findNationalIds,
  ip: findIps,
  mac: findMacs,
  secret: findSecrets,
}

/** Every kind, those first that win where two are equally sure. */
export const detectionKinds: readonly DetectionKind[] = [
  'secret',
  'iban',
  'card',
  'email',
  'national_id',
  'mac',
  'ip',
  'phone',
]

const sureness: Readonly<Record<Certainty, number>> = { certain: 2, likely: 1, possible: 0 }

/** A detector. Takes time linear in the length of the text, whatever is in it. */
export function createDetector(options: DetectorOptions = {}): Detector {
  const { kinds = detectionKinds, least = 'possible' } = options
  const wanted = detectionKinds.filter((kind) => kinds.includes(kind)).map((kind) => finders[kind])
  const find = (text: string): Detection[] =>
    wanted
      .flatMap((finder) => Array.from(finder(text)))
      .filter(({ certainty }) => sureness[certainty] >= sureness[least])
  const detect = (text: string): readonly Detection[] =>
    withoutOverlaps(windowsOf(text).flatMap((window) => shifted(find(window.text), window.start)))
  return {
    detect,
    redact: (text, replace) => {
      let [result, from] = ['', 0]
      for (const detection of detect(text)) {
        result += text.slice(from, detection.start) + replace(text.slice(detection.start, detection.end), detection)
        from = detection.end
      }
      return result + text.slice(from)
    },
  }
}

const everything = createDetector()
const sure = createDetector({ least: 'likely' })

/** What is in the beginning of `value`, of every kind and certainty. */
export function detect(value: string): readonly Detection[] {
  return everything.detect(value.slice(0, limits.detectedCharsMax))
}

/** All of `text` with whatever is at least likely to be personal or secret replaced. */
export function redactDetected(text: string, replace: (found: string, detection: Detection) => string): string {
  return plain.test(text) ? text : sure.redact(text, replace)
}

/** What most parameters are: short texts, short numbers, words, moments. No detector is as sure as `likely` of any. */
const plain =
  /^(?:[^]{0,5}|-?\d{0,8}(?:\.\d{0,6})?|[A-Za-z]{0,15}|\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?)$/

const overlapChars = 20_480

/** Long texts are looked at in parts that overlap by more than anything that is detected is long. */
function windowsOf(text: string): readonly { readonly text: string; readonly start: number }[] {
  const windows = []
  for (let start = 0; start === 0 || start + overlapChars < text.length; start += limits.detectedCharsMax) {
    windows.push({ text: text.slice(start, start + limits.detectedCharsMax + overlapChars), start })
  }
  return windows
}

function shifted(detections: readonly Detection[], by: number): readonly Detection[] {
  if (by === 0) return detections
  return detections.map(({ kind, start, end, certainty, what }) => ({
    kind,
    start: start + by,
    end: end + by,
    certainty,
    what,
  }))
}

/** Joins what overlaps, as whatever is surer: no part of either is left over. */
function withoutOverlaps(detections: readonly Detection[]): readonly Detection[] {
  const kept: Detection[] = []
  for (const detection of detections.toSorted((left, right) => left.start - right.start)) {
    const before = kept.at(-1)
    if (before === undefined || before.end <= detection.start) kept.push(detection)
    else {
      const better = isBetter(detection, before) ? detection : before
      kept[kept.length - 1] = { ...better, start: before.start, end: Math.max(before.end, detection.end) }
    }
  }
  return kept
}

function isBetter(left: Detection, right: Detection): boolean {
  const difference = sureness[left.certainty] - sureness[right.certainty]
  if (difference !== 0) return difference > 0
  return detectionKinds.indexOf(left.kind) < detectionKinds.indexOf(right.kind)
}
