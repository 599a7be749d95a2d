import { writeFileSync } from 'node:fs'
import { configReference } from './reference.ts'

// Run by hand after a change of the schema: node src/config/write-reference.ts
writeFileSync(new URL('../../docs/reference/config.md', import.meta.url), configReference())
