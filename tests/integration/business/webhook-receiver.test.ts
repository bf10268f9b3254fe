/**
 * Segment: teams whose own systems act on what happens here
 * Goal: the receiver that our page shows works when it is copied
 * Value: an afternoon of integration instead of a week
 * Strategic impact: the first thing that a team tries must not fail
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { eventually, suite } from '@netra/testkit';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { createWebhook, listDeliveries, resendDelivery, startSender } from '../../../server/webhooks/index.ts';
import { openLedger } from '../ledger-node.ts';

const own = suite();
const root = new URL('../../../', import.meta.url);

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function runExample(
  secret: string,
  port: number,
): { said: () => string; answers: (body: string, headers: object) => Promise<number> } {
  const [, code = ''] = /```js\n([^]*?)```/.exec(readFileSync(new URL('docs/webhooks.md', root), 'utf8')) ?? [];
  const env = { ...process.env, WEBHOOK_SECRET: secret, PORT: String(port) };
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], { cwd: root, env });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => (said += part.toString()));
  own.onEnd(() => void child.kill());
  const answers = async (body: string, headers: object): Promise<number> =>
    (await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body, headers: { ...headers } })).status;
  return { said: () => said, answers };
}

// Planted bugs that turn it red: the example without its `seen`, or with `decode` for `verify`.
test('the receiver of docs/webhooks.md does each message once, and refuses what it cannot verify', async () => {
  const node = await openLedger({ ...own, env: { ...own.env, NETRA_OUTGOING_LOOPBACK: 'on' } });
  const ctx = await node.newOrg();
  const port = await freePort();
  const input = { url: `http://127.0.0.1:${port}/`, idempotency_key: 'k' };
  const { webhook, secret } = await createWebhook({ ctx, input });
  const example = runExample(secret, port);
  await eventually('it listens', () =>
    example.answers('{}', {}).then(
      (status) => status === 401,
      () => false,
    ),
  );
  const sender = startSender({ platform: node.platform });
  own.onEnd(() => sender.stop(100));
  await node.owner("select netra.emit_webhook($1, 'invoice.issued', 'one', '{\"number\": \"N-1\"}')", [
    ctx.principal.org_id,
  ]);
  const delivered = async (attempts: number) =>
    (await listDeliveries({ ctx, input: { webhook } })).items.find(
      (one) => one.state === 'delivered' && one.attempts === attempts,
    );
  const { message } = await eventually('the message', () => delivered(1));
  // What a process prints arrives when it arrives, also after its answer.
  const says = (text: string) => eventually(`it says ${text}`, () => example.said() === text);
  await says('invoice.issued {"number":"N-1"}\n');
  await resendDelivery({ ctx, input: { webhook, message } });
  await eventually('the message again', () => delivered(1));
  const at = new Date();
  const body = '{"type":"invoice.issued","data":{}}';
  const headers = (key: string): object => ({
    'webhook-id': 'forged',
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': new Webhook(key).sign('forged', at, body),
  });
  expect(await example.answers(body, headers('whsec_c29tZWJvZHkgZWxzZQ=='))).toBe(401);
  expect(await example.answers(body, headers(secret))).toBe(204);
  await says('invoice.issued {"number":"N-1"}\ninvoice.issued {}\n');
});
