import { Hono } from 'hono'
import type { ApiEnv, Callers } from './callers.ts'
import type { ApiLogin } from './services.ts'

/** The pages for people. */
export function createPages(_callers: Callers, _login: ApiLogin | null): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
}
