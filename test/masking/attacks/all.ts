import type { Attack } from '../attack.ts'
import { absenceAttacks } from './absences.ts'
import { catalogAttacks } from './catalogs.ts'
import { channelAttacks } from './channels.ts'
import { definitionAttacks } from './definitions.ts'
import { expressionAttacks } from './expressions.ts'
import { inferenceAttacks } from './inference.ts'
import { nullAttacks } from './nulls.ts'
import { protocolAttacks } from './protocol.ts'
import { queryAttacks } from './queries.ts'
import { reportAttacks } from './reports.ts'
import { rowAttacks } from './rows.ts'
import { writeAttacks } from './writes.ts'

/** Every attack, family by family. */
export const allAttacks: readonly Attack[] = [
  ...rowAttacks,
  ...expressionAttacks,
  ...queryAttacks,
  ...nullAttacks,
  ...absenceAttacks,
  ...writeAttacks,
  ...definitionAttacks,
  ...reportAttacks,
  ...catalogAttacks,
  ...channelAttacks,
  ...protocolAttacks,
  ...inferenceAttacks,
]
