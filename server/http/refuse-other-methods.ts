import { NetraError } from '@netra/contract';
import type { HTTPMethods } from 'fastify';
import type { NetraApp } from './index.ts';

const methods: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/**
 * A path that exists answers any other method with 405 and `Allow` (RFC 9110 §15.5.6), where fastify would say 404.
 * `registerRoutes` must register every route of the server.
 */
export function refuseOtherMethods(app: NetraApp, registerRoutes: () => void): void {
  const allowed = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method, schema }) => {
    if (url.includes('*') || (schema as { refuses?: boolean } | undefined)?.refuses) return;
    const known = allowed.get(url) ?? new Set();
    for (const one of Array.isArray(method) ? method : [method]) known.add(one);
    allowed.set(url, known);
  });
  registerRoutes();
  for (const [url, known] of allowed) {
    const allow = [...known].toSorted().join(', ');
    app.route({
      method: methods.filter((method) => !known.has(method)),
      url,
      schema: { hide: true, refuses: true } as { hide: boolean },
      onRequest: () => {
        throw new NetraError('method_not_allowed', `Use ${allow} here.`, { allow });
      },
      handler: () => undefined,
    });
  }
}
