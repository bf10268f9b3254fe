// Planted bug that turns this red: add a member to any frame schema without writing docs/asyncapi.yaml anew
// (`npx vitest run -u packages/contract/asyncapi.test.ts` writes it).
import { Parser } from '@asyncapi/parser';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { asyncApiDocument } from './asyncapi.ts';
import { clientFrames, serverFrames } from './frames.ts';
import { eventTypes } from './events.ts';
import { toYaml } from './to-yaml.ts';

test('docs/asyncapi.yaml says what the schemas say', async () => {
  await expect(toYaml(asyncApiDocument()).slice(1)).toMatchFileSnapshot('../../docs/asyncapi.yaml');
});

test('every frame and every event is a message of the document, with its payload', () => {
  const { components } = asyncApiDocument() as { components: { messages: Record<string, { payload: object }> } };
  const names = [...Object.keys(clientFrames), ...Object.keys(serverFrames), ...eventTypes];
  expect(Object.keys(components.messages).toSorted()).toEqual(names.toSorted());
  for (const { payload } of Object.values(components.messages)) {
    expect(payload).toMatchObject({ type: 'object', required: expect.arrayContaining(['type']) });
  }
});

// Planted bug that turns it red: name a channel in `operation` that is not there, and write the document anew.
test('the AsyncAPI project’s own parser takes docs/asyncapi.yaml without an error', async () => {
  const text = await readFile(new URL('../../docs/asyncapi.yaml', import.meta.url), 'utf8');
  const { document, diagnostics } = await new Parser().parse(text);
  expect(diagnostics.filter(({ severity }) => severity < 2)).toEqual([]);
  expect(document?.operations().all().length).toBe(2);
  expect(document?.messages().all().length).toBeGreaterThan(20);
});
