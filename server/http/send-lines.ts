import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FastifyReply } from 'fastify';

/** The longest that a reader may take: it holds a connection, though no more than a piece of the text. */
const deadline_ms = 30 * 60_000;

/**
 * Answers with a text in pieces, each made when the reader has taken the one before. One that breaks off in the middle
 * ends without its last chunk, which every HTTP client tells from a whole one.
 */
export async function sendLines(
  reply: FastifyReply,
  { name, type, pieces }: { readonly name: string; readonly type: string; readonly pieces: AsyncIterable<string> },
): Promise<undefined> {
  reply.hijack();
  const { raw } = reply;
  for (const [header, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) raw.setHeader(header, value);
  }
  raw.writeHead(200, {
    'Content-Type': type,
    'Content-Disposition': `attachment; filename="${name}"`,
    'Cache-Control': 'private, no-store',
  });
  try {
    await pipeline(Readable.from(pieces), raw, { signal: AbortSignal.timeout(deadline_ms) });
  } catch (error) {
    // The reader went away, or was too slow, or the database did: the status is sent, so the connection is what is left.
    reply.request.log.debug({ err: error }, 'export broken off');
    raw.destroy();
  }
  return undefined;
}
