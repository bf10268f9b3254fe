import fastifySwagger from '@fastify/swagger';
import { jsonSchemaTransform } from 'fastify-type-provider-zod';
import type { NetraApp } from './index.ts';
import { operations } from './operations.ts';

const creating = new Set<string>(Object.entries(operations).flatMap(([name, { creates }]) => (creates ? [name] : [])));

const idempotencyKey = {
  type: 'object',
  properties: {
    'Idempotency-Key': {
      type: 'string',
      minLength: 1,
      maxLength: 255,
      description: 'The same key with the same body is the same request; with another body it is a conflict.',
    },
  },
  required: ['Idempotency-Key'],
};

/** OpenAPI 3.1 from the routes' schemas. `public_url` is where clients find us, if the configuration says. */
export async function registerDocument(app: NetraApp, public_url: string | null): Promise<void> {
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Netra', version: '1', description: 'Durable agent runs, live streams, exact credits.' },
      ...(public_url === null ? {} : { servers: [{ url: public_url }] }),
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
    },
    transform: (route) => {
      const { url, schema } = jsonSchemaTransform(route);
      // Checked by `route`, which can say it better than a schema; so only the document learns of it here.
      const creates = creating.has(String(route.schema?.operationId));
      return { url, schema: creates ? { ...schema, headers: idempotencyKey } : schema };
    },
  });
}
