import type { FastifyReply } from 'fastify';

/** What a browser saves instead of shows; `name` is ours: letters, digits and hyphens. */
export interface SentFile {
  readonly name: string;
  readonly type: 'application/pdf' | 'text/csv; charset=utf-8';
  readonly bytes: Buffer | string;
}

/** Answers with a file. Nothing is left to say after it. */
export async function sendFile(reply: FastifyReply, { name, type, bytes }: SentFile): Promise<undefined> {
  await reply
    .code(200)
    .header('Content-Type', type)
    .header('Content-Disposition', `attachment; filename="${name}"`)
    // An invoice is nobody else's to keep.
    .header('Cache-Control', 'private, no-store')
    .send(bytes);
  return undefined;
}
