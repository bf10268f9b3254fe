import type { FastifyReply } from 'fastify';
import type { NetraApp } from './index.ts';

/** What an orchestrator asks. Answers are kept up to date elsewhere: a probe never waits for a store. */
export interface Probes {
  /** True once the server has started and migrated. */
  started(): boolean;
  /** Whether a balancer should send callers here, and the one word that says how things stand. */
  readiness(): { readonly serve: boolean; readonly word: 'ready' | 'degraded' | 'unavailable' | 'not ready' };
  /** True once this node goes away: it still answers, and asks each caller to connect elsewhere next time. */
  draining(): boolean;
}

/** One status word each, public and never limited: a limited probe would restart a healthy node. */
export function registerProbes(app: NetraApp, probes: Probes): void {
  const schema = { hide: true };
  app.get('/livez', { schema }, (_request, reply) => say(reply, true, 'live'));
  app.get('/readyz', { schema }, (_request, reply) => {
    const { serve, word } = probes.readiness();
    return say(reply, serve, word);
  });
  app.get('/startupz', { schema }, (_request, reply) => {
    const started = probes.started();
    return say(reply, started, started ? 'started' : 'not started');
  });
  app.addHook('onSend', async (_request, reply) => {
    // RFC 9112 §9.6: a connection that we say we close is one that no request is lost on.
    if (probes.draining()) void reply.header('Connection', 'close');
  });
}

function say(reply: FastifyReply, yes: boolean, word: string): FastifyReply {
  return reply
    .code(yes ? 200 : 503)
    .header('Content-Type', 'text/plain; charset=utf-8')
    .header('Cache-Control', 'no-store')
    .send(word);
}
