import type { NetraApp } from './index.ts';

/** What a usage file may arrive as. Handed on as the stream it is: never held in memory, so no body limit applies. */
const uploadTypes = ['text/csv', 'application/x-ndjson', 'application/octet-stream'];

/** `request.body` of these types is the readable stream itself; text/plain is not taken (fastify's default). */
export function acceptUploads(app: NetraApp): void {
  app.removeContentTypeParser('text/plain');
  app.addContentTypeParser(uploadTypes, (_request, payload, done) => done(null, payload));
}
