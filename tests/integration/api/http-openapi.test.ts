/**
 * Segment: developers who generate their clients
 * Goal: the document at /openapi.json says what the server does
 * Value: no hand-written client, no surprise
 * Strategic impact: every language is supported from the first day
 *
 * Planted bugs that turn this red: register a route without its operation; drop the 4xx description; let the summary of
 * an operation be empty; say `openapi: 3.0.3`.
 */
import { startServer, suite, type TestServer } from '@netra/testkit';
import { beforeAll, expect, test } from 'vitest';
import { operations } from '../../../server/http/index.ts';

interface Documented {
  readonly operationId: string;
  readonly summary: string;
  readonly security?: readonly unknown[];
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>;
}
interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Documented>>>>;
}

const own = suite();
let server: TestServer;
let document: Document;

beforeAll(async () => {
  server = await startServer({ env: own.env });
  own.onEnd(() => server.stop());
  document = (await (await fetch(`${server.url}/openapi.json`)).json()) as Document;
}, 120_000);

function documented(name: keyof typeof operations): Documented | undefined {
  const { method, url } = operations[name];
  return document.paths[url.replace(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()];
}

test('every operation of the table is served and documented: id, summary, success, refusals, who may call', () => {
  expect(document.openapi).toBe('3.1.0');
  for (const name of Object.keys(operations) as (keyof typeof operations)[]) {
    const found = documented(name);
    const { status, access, summary, creates } = operations[name];
    expect(found, name).toMatchObject({ operationId: name, summary });
    expect(Object.keys(found?.responses ?? {}), name).toEqual(expect.arrayContaining([String(status), 'default']));
    expect(Object.keys(found?.responses['default']?.content ?? {}), name).toEqual(['application/problem+json']);
    expect(found?.security !== undefined, `${name} wants a token`).toBe(access === 'tenant');
    const headers = (found?.parameters ?? []).filter((parameter) => parameter.in === 'header').map((one) => one.name);
    expect(headers, name).toEqual(creates ? ['Idempotency-Key'] : []);
  }
});

test('nothing is documented that is not in the table, and path parameters are all described', () => {
  const known = new Set<string>(Object.keys(operations));
  for (const [path, methods] of Object.entries(document.paths)) {
    const wanted = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    for (const { operationId, parameters = [] } of Object.values(methods)) {
      expect(known.has(operationId), operationId).toBe(true);
      const described = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name);
      expect(described.toSorted(), operationId).toEqual(wanted.toSorted());
    }
  }
});

test('every operation that wants a token refuses without one, before it reads the body', async () => {
  const { randomUUID } = globalThis.crypto;
  for (const { method, url, access } of Object.values(operations)) {
    if (access !== 'tenant') continue;
    const path = url.replace(/:\w+/g, () => randomUUID.call(globalThis.crypto));
    const answer = await fetch(`${server.url}${path}`, { method, ...(method === 'GET' ? {} : { body: 'not json' }) });
    expect(answer.status, `${method} ${path}`).toBe(401);
  }
});
