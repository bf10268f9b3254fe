/**
 * Segment: teams whose own systems act on what happens here
 * Goal: every message arrives, can be trusted, and never becomes a way into our network
 * Value: no polling, no missed invoice
 * Strategic impact: others build on the platform
 */
import { randomUUID } from 'node:crypto';
import { eventually, startServer, suite } from '@netra/testkit';
import { Webhook } from 'standardwebhooks';
import { beforeAll, expect, test } from 'vitest';
import { openOutgoing, seal, unseal, type Ctx } from '../../../server/platform/index.ts';
import {
  createWebhook,
  deleteWebhook,
  enableWebhook,
  listDeliveries,
  listWebhooks,
  resendDelivery,
  rotateWebhook,
  startSender,
  testWebhook,
} from '../../../server/webhooks/index.ts';
import { openLedger, type LedgerNode } from '../ledger-node.ts';
import { refusal } from './credits/stage.ts';
import { openReceiver, type Received, type Receiver } from './receiver.ts';

const own = suite();
let node: LedgerNode;

beforeAll(async () => {
  node = await openLedger({ ...own, env: { ...own.env, NETRA_OUTGOING_LOOPBACK: 'on' } });
});

interface Endpoint {
  readonly ctx: Ctx;
  readonly webhook: string;
  readonly secret: string;
}

async function register(receiver: { readonly url: string }, ctx?: Ctx, types?: readonly string[]): Promise<Endpoint> {
  const owner = ctx ?? (await node.newOrg());
  const input = { url: receiver.url, idempotency_key: randomUUID(), ...(types === undefined ? {} : { types }) };
  const { webhook, secret } = await createWebhook({ ctx: owner, input });
  return { ctx: owner, webhook, secret };
}

function emit({ principal }: Ctx, type: string, key: string): Promise<object[]> {
  const text = 'select netra.emit_webhook($1, $2, $3, $4)';
  return node.owner(text, [principal.org_id, type, key, { key }]);
}

async function sending(work: () => Promise<void>): Promise<void> {
  const sender = startSender({ platform: node.platform });
  try {
    await work();
  } finally {
    await sender.stop(100);
  }
}

const headersOf = ({ headers }: Received): Record<string, string> => ({
  'webhook-id': String(headers['webhook-id']),
  'webhook-timestamp': String(headers['webhook-timestamp']),
  'webhook-signature': String(headers['webhook-signature']),
});

async function deliveries({ ctx, webhook }: Endpoint) {
  return (await listDeliveries({ ctx, input: { webhook } })).items;
}

/** Sets the stage: the pause after a failure is over. */
function due({ ctx, webhook }: Endpoint): Promise<object[]> {
  const text = `update netra.webhook_delivery set next_at = now()
                 where org_id = $1 and endpoint_id = $2 and state = 'waiting'`;
  return node.owner(text, [ctx.principal.org_id, webhook]);
}

const first = (receiver: Receiver): Received => {
  const [found] = receiver.received;
  if (found === undefined) throw new Error('nothing was received');
  return found;
};

// Planted bug that turns it red: sign the body without its id (send-delivery.ts).
test('a message arrives signed, as the receivers’ library verifies it; altered or replayed late it is refused', async () => {
  const receiver = await openReceiver(own);
  const endpoint = await register(receiver);
  await emit(endpoint.ctx, 'invoice.issued', 'one');
  await sending(async () => {
    await eventually('the message', () => receiver.received.length === 1);
    await eventually('its record', async () => (await deliveries(endpoint))[0]?.state === 'delivered');
  });
  const got = first(receiver);
  const library = new Webhook(endpoint.secret);
  expect(library.verify(got.body, headersOf(got))).toMatchObject({ type: 'invoice.issued', data: { key: 'one' } });
  expect((await deliveries(endpoint))[0]?.message).toBe(headersOf(got)['webhook-id']);
  expect(() => library.verify(got.body.replace('one', 'two'), headersOf(got))).toThrow(/signature/);
  const old = new Date(Date.now() - 6 * 60_000);
  const replayed = {
    ...headersOf(got),
    'webhook-timestamp': String(Math.floor(old.getTime() / 1000)),
    'webhook-signature': library.sign(String(got.headers['webhook-id']), old, got.body),
  };
  expect(() => library.verify(got.body, replayed)).toThrow(/too old/);
});

// Planted bug that turns it red: emit_webhook() without its `if not found then return`.
test('a fact is told once, to the endpoints that asked for it, and not at all if its transaction fails', async () => {
  const receiver = await openReceiver(own);
  const endpoint = await register(receiver, undefined, ['invoice.paid']);
  await Promise.all(Array.from({ length: 8 }, () => emit(endpoint.ctx, 'invoice.paid', 'same')));
  await emit(endpoint.ctx, 'invoice.issued', 'unasked');
  const failed = node.owner(`do $$ begin
    perform netra.emit_webhook('${endpoint.ctx.principal.org_id}', 'invoice.paid', 'undone', '{}');
    raise exception 'rolled back'; end $$`);
  await expect(failed).rejects.toThrow('rolled back');
  expect((await deliveries(endpoint)).map(({ type }) => type)).toEqual(['invoice.paid']);
});

// Planted bug that turns it red: claim_deliveries() that takes no lease (two senders send), or one that never ends.
test('a sender that is killed between sending and recording is followed: at least once, under the same id', async () => {
  const receiver = await openReceiver(own);
  receiver.answer(undefined);
  const endpoint = await register(receiver);
  const keys = ['a', 'b', 'c'];
  for (const key of keys) await emit(endpoint.ctx, 'invoice.issued', key);
  const server = await startServer({
    env: { ...own.env, NETRA_OUTGOING_LOOPBACK: 'on', NETRA_SECRET: 'only for tests: 32 bytes and then some more' },
  });
  await eventually('a first attempt', () => receiver.received.length === 1);
  await server.kill();
  receiver.answer({ status: 200 });
  await node.owner(`update netra.webhook_endpoint set lease_until = now() where endpoint_id = $1`, [endpoint.webhook]);
  await sending(async () => {
    await eventually('all of them', async () =>
      (await deliveries(endpoint)).every(({ state }) => state === 'delivered'),
    );
  });
  const ids = receiver.received.map(({ headers }) => headers['webhook-id']);
  expect(ids).toHaveLength(4);
  expect(ids[1], 'the one that was cut off').toBe(ids[0]);
  expect(
    receiver.received.slice(1).map(({ body }) => (JSON.parse(body) as { data: { key: string } }).data.key),
  ).toEqual(keys);
}, 60_000);

// Planted bug that turns it red: claim_deliveries() without its check of the lease.
test('several senders at once send each message once', async () => {
  const receiver = await openReceiver(own);
  // Slow enough for each sender to look while another one sends.
  receiver.answer({ status: 204, after_ms: 250 });
  const endpoint = await register(receiver);
  for (let n = 0; n < 12; n += 1) await emit(endpoint.ctx, 'invoice.issued', `m${n}`);
  const senders = [1, 2, 3].map(() => startSender({ platform: node.platform }));
  await eventually('all of them', async () => (await deliveries(endpoint)).every(({ state }) => state === 'delivered'));
  await Promise.all(senders.map((sender) => sender.stop()));
  expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(12);
  expect(receiver.received).toHaveLength(12);
});

// Planted bug that turns it red: `places` of 1 in start-sender.ts.
test('an endpoint that never answers does not hold up another', async () => {
  const [dead, live] = [await openReceiver(own), await openReceiver(own)];
  dead.answer(undefined);
  const hanging = await register(dead);
  const other = await register(live);
  await emit(hanging.ctx, 'invoice.issued', 'hangs');
  await sending(async () => {
    await eventually('it hangs', () => dead.received.length === 1);
    await emit(other.ctx, 'invoice.issued', 'passes');
    await eventually('the other', () => live.received.length === 1, { deadline_ms: 5_000 });
    expect(dead.received).toHaveLength(1);
  });
});

// Planted bugs that turn it red: follow `location`; keep the whole answer.
test('an error or redirect is tried again with growing pauses, then failed; little of the answer is kept', async () => {
  const [receiver, inside] = [await openReceiver(own), await openReceiver(own)];
  receiver.answer({ status: 307, headers: { location: inside.url }, body: `no\0 ${'x'.repeat(5_000)}` });
  const endpoint = await register(receiver);
  await emit(endpoint.ctx, 'invoice.issued', 'never');
  const pauses_s: number[] = [];
  await sending(async () => {
    for (let attempt = 1; attempt <= 9; attempt += 1) {
      const waiting = await eventually('the attempt', async () =>
        (await deliveries(endpoint)).find((one) => one.attempts === attempt),
      );
      expect(waiting.state).toBe('waiting');
      pauses_s.push(((waiting.next_at?.getTime() ?? 0) - Date.now()) / 1000);
      await due(endpoint);
    }
    await eventually('the end', async () => (await deliveries(endpoint))[0]?.state === 'failed');
  });
  const [failed] = await deliveries(endpoint);
  expect(failed).toMatchObject({ attempts: 10, status: 307, next_at: null });
  expect(failed?.error).toContain('Redirects are not followed');
  expect(failed?.response?.length).toBe(300);
  expect(inside.received).toHaveLength(0);
  expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  // Jitter may turn two neighbours round, and no more than that.
  expect(pauses_s.every((pause, at) => at < 2 || pause > (pauses_s[at - 2] ?? 0))).toBe(true);
  const total_h = pauses_s.reduce((sum, pause) => sum + pause, 0) / 3600;
  expect(total_h, 'about three days').toBeGreaterThan(55);
  expect(total_h).toBeLessThan(95);
  receiver.answer({ status: 200 });
  await resendDelivery({ ctx: endpoint.ctx, input: { webhook: endpoint.webhook, message: failed?.message } });
  await sending(async () => {
    await eventually('sent again', async () => (await deliveries(endpoint))[0]?.state === 'delivered');
  });
  expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
}, 60_000);

// Planted bugs that turn it red: 410 as any error; patience compared the other way round.
test('410 disables an endpoint at once, days of failure do later; its owner sees it and can go on', async () => {
  const [gone, failing, witness] = [await openReceiver(own), await openReceiver(own), await openReceiver(own)];
  gone.answer({ status: 410 });
  failing.answer({ status: 500 });
  const one = await register(gone, undefined, ['invoice.issued']);
  const two = await register(failing, one.ctx, ['invoice.issued']);
  await register(witness, one.ctx, ['webhook.disabled']);
  await emit(one.ctx, 'invoice.issued', 'x');
  const stateOf = async (webhook: string) =>
    (await listWebhooks({ ctx: one.ctx, input: {} })).items.find((found) => found.webhook === webhook);
  await sending(async () => {
    await eventually('gone', async () => (await stateOf(one.webhook))?.disabled_reason === 'gone');
    await eventually('a failure', async () => (await stateOf(two.webhook))?.failing_since);
    expect((await stateOf(two.webhook))?.state).toBe('enabled');
    const age = `update netra.webhook_endpoint set failing_since = now() - interval '73 hours' where endpoint_id = $1`;
    await node.owner(age, [two.webhook]);
    await due(two);
    await eventually('failing', async () => (await stateOf(two.webhook))?.disabled_reason === 'failing');
    await eventually('both told', () => witness.received.length === 2);
  });
  expect((await deliveries(one))[0]).toMatchObject({ state: 'failed', status: 410 });
  await emit(one.ctx, 'invoice.issued', 'missed');
  expect((await deliveries(one))[0]).toMatchObject({
    state: 'failed',
    attempts: 0,
    error: 'The endpoint was disabled.',
  });
  const key = { webhook: one.webhook, idempotency_key: 'k' };
  expect((await refusal(testWebhook({ ctx: one.ctx, input: key }))).code).toBe('conflict');
  expect(await enableWebhook({ ctx: one.ctx, input: { webhook: one.webhook } })).toMatchObject({
    state: 'enabled',
    failing_since: null,
  });
  gone.answer({ status: 200 });
  const sent = await testWebhook({ ctx: one.ctx, input: key });
  expect(await testWebhook({ ctx: one.ctx, input: key }), 'the same key is the same message').toEqual(sent);
  await sending(async () => {
    await eventually('the test', async () => (await deliveries(one))[0]?.state === 'delivered');
  });
}, 60_000);

// Planted bug that turns it red: rotate_webhook() that forgets the secret before.
test('a rotated secret and the one before both sign for a day; a repeated request rotates once', async () => {
  const receiver = await openReceiver(own);
  const endpoint = await register(receiver);
  const input = { webhook: endpoint.webhook, idempotency_key: 'rotate' };
  const rotated = await rotateWebhook({ ctx: endpoint.ctx, input });
  expect(rotated.secret).not.toBe(endpoint.secret);
  expect((await rotateWebhook({ ctx: endpoint.ctx, input })).secret).toBe(rotated.secret);
  await emit(endpoint.ctx, 'invoice.issued', 'after');
  await sending(async () => {
    await eventually('the message', () => receiver.received.length === 1);
  });
  const got = first(receiver);
  for (const secret of [endpoint.secret, rotated.secret]) {
    expect(new Webhook(secret).verify(got.body, headersOf(got))).toMatchObject({ type: 'invoice.issued' });
  }
  expect(() => new Webhook('whsec_c29tZWJvZHkgZWxzZQ==').verify(got.body, headersOf(got))).toThrow();
});

test('a secret is kept encrypted, for its endpoint alone, shown once, and a repeated creation makes no second one', async () => {
  const ctx = await node.newOrg();
  const input = { url: 'https://hooks.example.com/a', idempotency_key: 'create' };
  const made = await createWebhook({ ctx, input });
  expect(made.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  expect(await createWebhook({ ctx, input })).toMatchObject({ webhook: made.webhook, secret: made.secret });
  const other = createWebhook({ ctx, input: { ...input, url: 'https://hooks.example.com/b' } });
  expect((await refusal(other)).code).toBe('idempotency_key_reused');
  expect(JSON.stringify(await listWebhooks({ ctx, input: {} }))).not.toMatch(/whsec_|sealed/);
  const [row] = await node.owner<{ text: string }>(
    'select e::text as text from netra.webhook_endpoint e where endpoint_id = $1',
    [made.webhook],
  );
  expect(row?.text).not.toContain(made.secret.slice(6));
  await node.owner(
    `update netra.webhook_endpoint set created_at = now() - interval '25 hours' where endpoint_id = $1`,
    [made.webhook],
  );
  expect((await refusal(createWebhook({ ctx, input }))).code, 'a day later').toBe('conflict');
  const sealed = seal('text', { secret: 's'.repeat(32), purpose: 'webhooks', owner: 'one' });
  expect(unseal(sealed, { secret: 's'.repeat(32), purpose: 'webhooks', owner: 'one' })).toBe('text');
  expect(unseal(sealed, { secret: 's'.repeat(32), purpose: 'webhooks', owner: 'two' })).toBeNull();
  expect(unseal(sealed, { secret: 't'.repeat(32), purpose: 'webhooks', owner: 'one' })).toBeNull();
});

test('an organisation has at most 20 endpoints, members none of its business, strangers nothing', async () => {
  const ctx = await node.newOrg();
  const create = (n: number) =>
    createWebhook({ ctx, input: { url: 'https://hooks.example.com/', idempotency_key: `k${n}` } });
  const made = await Promise.allSettled(Array.from({ length: 24 }, (_, n) => create(n)));
  expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(20);
  for (const role of ['member', 'viewer'] as const) {
    expect((await refusal(listWebhooks({ ctx: node.as(ctx, role), input: {} }))).code).toBe('forbidden');
  }
  const [mine] = (await listWebhooks({ ctx, input: { limit: 1 } })).items;
  const stranger = { ctx: await node.newOrg(), input: { webhook: mine?.webhook } };
  for (const verb of [deleteWebhook, enableWebhook, listDeliveries]) {
    expect((await refusal(verb(stranger))).code).toBe('not_found');
  }
});

// Planted bug that turns it red: no check of 2000::/3 (::ffff:127 passes the agent); keep only the first address.
test('T1 no URL, name or answer of a name leads into our network', async () => {
  const guarded = openOutgoing({ loopback: false });
  const hostile = [
    'http://hooks.example.com/', 'https://127.0.0.1/', 'https://2130706433/', 'https://0x7f.1/', 'https://0177.0.0.1/',
    'https://[::1]/', 'https://[::ffff:169.254.169.254]/', 'https://169.254.169.254/latest', 'https://10.0.0.1/',
    'https://8.8.8.8/', 'https://localhost/', 'https://LOCALHOST./', 'https://a.localhost/', 'https://db/',
    'https://metadata.google.internal/', 'https://printer.local/', 'https://user:pass@hooks.example.com/',
    'https://hooks.example.com/#x', 'file:///etc/passwd', 'gopher://hooks.example.com/', '//hooks.example.com/', '',
    `https://hooks.example.com/${'a'.repeat(2_048)}`,
  ]; // prettier-ignore
  for (const url of hostile) expect(() => guarded.check(url), url).toThrow();
  expect(() => guarded.check('https://hooks.example.com:8443/a?b=c')).not.toThrow();

  const receiver = await openReceiver(own);
  const inner = [
    '127.0.0.1', '127.9.9.9', '0.0.0.0', '10.1.2.3', '172.16.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1',
    '192.0.2.1', '198.18.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255', '::', '::1', '::ffff:127.0.0.1',
    '::ffff:7f00:1', '::127.0.0.1', '::ffff:127', 'fc00::1', 'fe80::1', 'fec0::1', 'ff02::1', '64:ff9b::7f00:1',
    '64:ff9b:1::1', '2002:7f00:1::1', '2001::1', '2001:db8::1',
  ]; // prettier-ignore
  const request = { method: 'POST', headers: {}, body: '{}', timeout_ms: 2_000, max_bytes: 10 } as const;
  for (const address of inner) {
    const family = address.includes(':') ? 6 : 4;
    const others = [{ address: '93.184.216.34', family: 4 }];
    for (const found of [[{ address, family }], [...others, { address, family }]]) {
      const outgoing = openOutgoing({ loopback: false, resolve: async () => found });
      const refused = outgoing.send({ ...request, url: 'https://hooks.example.com/' });
      await expect(refused, address).rejects.toMatchObject({ refused: true });
    }
  }
  // Rebinding: what counts is the answer that is connected to, not one before.
  let asked = 0;
  const rebinding = openOutgoing({
    loopback: false,
    resolve: async () => [{ address: (asked += 1) === 1 ? '93.184.216.34' : '127.0.0.1', family: 4 }],
  });
  const url = `https://hooks.example.com:${new URL(receiver.url).port}/`;
  // The first answer is a public address, which nothing refuses: nobody answers there in time.
  await expect(rebinding.send({ ...request, url, timeout_ms: 50 })).rejects.toMatchObject({ refused: false });
  await expect(rebinding.send({ ...request, url })).rejects.toMatchObject({ refused: true });
  expect(receiver.received).toHaveLength(0);
}, 30_000);
