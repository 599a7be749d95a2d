import { OpenAPIHono } from '@hono/zod-openapi'
import { allRoutes } from './routes.ts'

/** Where the API is, below the address of the server. */
export const apiPath = '/api/v1'

/** The OpenAPI 3.1 document of all endpoints. */
export function openApiDocument(): object {
  return describeRoutes().getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Postern',
      version: '1',
      description: 'Requests, approvals, grants, session tokens and sessions of a Postern gateway.',
    },
    servers: [{ url: apiPath }],
    security: [{ bearer: [] }, { console: [] }],
  })
}

function describeRoutes(): OpenAPIHono {
  const app = new OpenAPIHono()
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description:
      'A token of the identity provider that is meant for the gateway, as clients of the gateway present it.',
  })
  app.openAPIRegistry.registerComponent('securitySchemes', 'console', {
    type: 'apiKey',
    in: 'cookie',
    name: '__Host-postern',
    description:
      'The cookie of a console session (`postern` where the server is reached by http). Unsafe methods also need the header X-Postern-CSRF, and have to come from a page of the same origin.',
  })
  for (const route of allRoutes) app.openAPIRegistry.registerPath(route)
  return app
}
