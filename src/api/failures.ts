import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { httpStatusOf, PosternError, toPosternError } from '../core/errors.ts'

/** An error as the API says it. */
export interface ErrorBody {
  readonly error: {
    readonly code: string
    readonly message: string
    readonly detail?: string
    readonly hint?: string
  }
}

/** The JSON of an error. */
export function errorBody(error: PosternError): ErrorBody {
  const { code, message, detail, hint } = error
  return {
    error: { code, message, ...(detail === undefined ? {} : { detail }), ...(hint === undefined ? {} : { hint }) },
  }
}

/** The status of an error, in the type that hono wants. */
export function statusOf(error: PosternError): ContentfulStatusCode {
  return httpStatusOf(error.code) as ContentfulStatusCode
}

/** Anything thrown while a request was handled, as what its caller is told: nothing of a bug but that there was one. */
export function toFailure(error: unknown): PosternError {
  if (error instanceof HTTPException && error.status < 500) {
    return new PosternError('input_invalid', 'the body of this request cannot be read as what it says it is', {
      hint: 'The API takes JSON, with the content type application/json.',
    })
  }
  return toPosternError(error)
}

/** What there is no page and no resource for; also what the caller may not know of. */
export function notFound(): PosternError {
  return new PosternError('request_unknown', 'there is nothing here, or nothing that you may see', {
    hint: 'Look whether the address is complete, and whether you are logged in as the right person.',
  })
}
