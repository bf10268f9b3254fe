import type { FastifyReply } from 'fastify';
import type { NetraApp } from './index.ts';

/** What an orchestrator asks. Answers are kept up to date elsewhere: a probe never waits for a store. */
export interface Probes {
  /** True once the server has started and migrated. */
  started(): boolean;
  /** True while this node takes new work; false when it drains. */
  ready(): boolean;
}

/** One status word each, public and never limited: a limited probe would restart a healthy node. */
export function registerProbes(app: NetraApp, probes: Probes): void {
  const schema = { hide: true };
  app.get('/livez', { schema }, (_request, reply) => say(reply, true, 'live'));
  app.get('/readyz', { schema }, (_request, reply) => say(reply, probes.ready(), 'ready'));
  app.get('/startupz', { schema }, (_request, reply) => say(reply, probes.started(), 'started'));
}

function say(reply: FastifyReply, yes: boolean, word: string): FastifyReply {
  return reply
    .code(yes ? 200 : 503)
    .header('Content-Type', 'text/plain; charset=utf-8')
    .header('Cache-Control', 'no-store')
    .send(yes ? word : `not ${word}`);
}
