import type { NetraApp } from './index.ts';

/** What a usage file may arrive as. Handed on as the stream it is: never held in memory, so no body limit applies. */
const uploadTypes = ['text/csv', 'application/x-ndjson', 'application/octet-stream', 'application/x-protobuf'];

/**
 * A signature is over the bytes that were sent, so a route that names one (`signature`) gets JSON as they came. Elsewhere
 * JSON is parsed as fastify does, which refuses keys that would reach a prototype.
 */
export function keepSignedBodies(app: NetraApp): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const { config, schema } = request.routeOptions;
    if (config.signature !== undefined || config.rawJson === true) done(null, body);
    // Many clients name JSON on every POST: where no body is asked for, none is none.
    else if (body.length === 0 && schema?.body === undefined) done(null, undefined);
    else void parse(request, body.toString('utf8'), done);
  });
}

/** `request.body` of these types is the readable stream itself; text/plain is not taken (fastify's default). */
export function acceptUploads(app: NetraApp): void {
  app.removeContentTypeParser('text/plain');
  app.addContentTypeParser(uploadTypes, (_request, payload, done) => done(null, payload));
}
