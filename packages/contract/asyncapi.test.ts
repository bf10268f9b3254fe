// Planted bug that turns this red: add a member to any frame schema without writing docs/asyncapi.yaml anew
// (`npx vitest run -u packages/contract/asyncapi.test.ts` writes it).
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
