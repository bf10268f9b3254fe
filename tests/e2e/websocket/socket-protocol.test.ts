/**
 * Segment: developers who write a client of their own
 * Goal: the socket does what PROTOCOL.md says, also with clients that do not
 * Value: a broken or hostile client gets a clear answer and harms nobody
 * Strategic impact: one open port serves every browser, safely
 *
 * Planted bugs that turn this red: let any Origin in; count no bad frames; authorise a subscribe by the socket alone;
 * accept a token of another user; send no `drain`.
 */
import { maxFrameBytes, type ServerFrame } from '@netra/contract';
import {
  connectSocket,
  createAccount,
  openSocket,
  startServer,
  suite,
  type TestAccount,
  type TestServer,
  type TestSocket,
} from '@netra/testkit';
import { randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';

const own = suite();
const origin = 'https://console.example.com';
let server: TestServer;
let alice: TestAccount;
let bob: TestAccount;

beforeAll(async () => {
  server = await startServer({ env: { ...own.env, NETRA_CORS_ORIGINS: origin } });
  own.onEnd(() => server.stop());
  alice = await createAccount({ env: own.env, plan: 'enterprise' });
  bob = await createAccount({ env: own.env, plan: 'free' });
}, 120_000);

const answerTo =
  (id: string | number) =>
  (frame: ServerFrame): boolean =>
    'id' in frame && frame.id === id;

/** The status that an upgrade is refused with, and what the answer says. */
async function refusal(headers: Record<string, string>, path = ''): Promise<{ status: number; body: string }> {
  const socket = new WebSocket(`${server.ws}${path}`, 'netra.v1', { headers });
  return new Promise((resolve, reject) => {
    socket.on('open', () => reject(new Error('the upgrade was allowed')));
    socket.on('unexpected-response', (_request, response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    socket.on('error', () => undefined);
  });
}

test('a token at the upgrade makes the socket ready at once; a bad one is refused with 401 before it opens', async () => {
  const headers = { authorization: `Bearer ${alice.token}` };
  const socket = await openSocket({ ws: server.ws, headers });
  const ready = await socket.waitFor('ready', (frame) => frame.type === 'ready');
  expect(ready).toMatchObject({ limits: { frame_bytes: maxFrameBytes, buffered_bytes: 262_144, subscriptions: 256 } });
  await socket.close();
  const { status, body } = await refusal({ authorization: 'Bearer nonsense' });
  expect(status).toBe(401);
  expect(JSON.parse(body)).toMatchObject({ code: 'unauthenticated', status: 401 });
});

test('the token in the URL is nobody’s: such a socket still has to say hello', async () => {
  const socket = await openSocket({ ws: `${server.ws}?token=${alice.token}` });
  socket.send({ type: 'cancel', id: 1, run: randomUUID() });
  expect(await socket.waitFor('refusal', answerTo(1))).toMatchObject({ type: 'error', code: 'unauthenticated' });
  await socket.close();
});

test('a configured origin may open a socket, another is refused with 403, no origin is no browser', async () => {
  const socket = await openSocket({ ws: server.ws, headers: { origin } });
  socket.send({ type: 'hello', token: alice.token });
  await socket.waitFor('ready', (frame) => frame.type === 'ready');
  await socket.close();
  for (const evil of ['https://evil.example', 'null', `${origin}.evil.example`]) {
    expect((await refusal({ origin: evil })).status).toBe(403);
  }
});

test('another path is 404, and is not a socket', async () => {
  expect((await refusal({}, '/other')).status).toBe(404);
});

test('a client without a subprotocol is served, one with ours gets ours', async () => {
  const plain = new WebSocket(server.ws);
  await new Promise((resolve, reject) => plain.once('open', resolve).once('error', reject));
  expect(plain.protocol).toBe('');
  plain.close();
  const ours = new WebSocket(server.ws, ['other', 'netra.v1']);
  await new Promise((resolve, reject) => ours.once('open', resolve).once('error', reject));
  expect(ours.protocol).toBe('netra.v1');
  ours.close();
});

test('a token that is not valid ends the socket with 4501, after saying why', async () => {
  const socket = await openSocket({ ws: server.ws });
  socket.send({ type: 'hello', token: 'nonsense', id: 'me' });
  expect(await socket.waitFor('refusal', answerTo('me'))).toMatchObject({ type: 'error', code: 'unauthenticated' });
  expect((await socket.closed).code).toBe(4501);
});

test('a socket that says no hello is closed with 4501 after 10 s', async () => {
  const socket = await openSocket({ ws: server.ws });
  const opened = performance.now();
  expect((await socket.closed).code).toBe(4501);
  expect(performance.now() - opened).toBeGreaterThan(9_000);
  expect(socket.frames).toMatchObject([{ type: 'error', code: 'unauthenticated' }]);
});

test('frames sent right behind hello wait for ready, and are answered in order', async () => {
  const socket = await openSocket({ ws: server.ws });
  socket.send({ type: 'hello', token: alice.token });
  for (const id of [1, 2, 3]) socket.send({ type: 'cancel', id, run: randomUUID() });
  await Promise.all([1, 2, 3].map((id) => socket.waitFor('answer', answerTo(id))));
  expect(socket.frames[0]?.type).toBe('ready');
  await socket.close();
});

test('what is not the protocol is answered with invalid_frame and its id; ten in a row end the socket with 1008', async () => {
  const socket = await connectSocket({ ws: server.ws, token: alice.token });
  socket.sendRaw('{"type":"run","id":"mine"}');
  expect(await socket.waitFor('refusal', answerTo('mine'))).toMatchObject({
    code: 'invalid_frame',
    limit: { fields: expect.arrayContaining([expect.objectContaining({ path: 'agent' })]) },
  });
  const bad = ['{', '[]', 'null', '"hello"', '{"type":"nothing"}', '{"type":["run"]}', '{"type":"hello"}', '\u0000'];
  for (const text of bad) socket.sendRaw(text);
  // One that is understood starts the count again.
  socket.send({ type: 'cancel', id: 'good', run: randomUUID() });
  expect(await socket.waitFor('answer', answerTo('good'))).toMatchObject({ code: 'not_found' });
  for (let index = 0; index < 10; index += 1) socket.sendRaw('{');
  expect((await socket.closed).code).toBe(1008);
  expect(socket.frames.filter((frame) => frame.type === 'error').length).toBe(1 + bad.length + 1 + 10);
});

test('a binary frame is refused, one over 64 KiB ends the socket with 1009, bad UTF-8 with 1007', async () => {
  const closeOf = async (say: (socket: WebSocket) => void): Promise<number> => {
    const socket = new WebSocket(server.ws, 'netra.v1');
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    const closed = new Promise<number>((resolve) => socket.once('close', resolve));
    say(socket);
    return closed;
  };
  expect(await closeOf((socket) => socket.send('x'.repeat(maxFrameBytes + 1)))).toBe(1009);
  expect(await closeOf((socket) => socket.send(Buffer.from([0xc3, 0x28]), { binary: false }))).toBe(1007);
  const tenBinary = (socket: WebSocket): void => {
    for (let index = 0; index < 10; index += 1) socket.send(Buffer.from('{"type":"hello","token":"x"}'));
  };
  expect(await closeOf(tenBinary)).toBe(1008);
});

test('a flood ends the socket with 1008, and nobody else notices', async () => {
  const [flooder, other] = await Promise.all([
    connectSocket({ ws: server.ws, token: bob.token }),
    connectSocket({ ws: server.ws, token: alice.token }),
  ]);
  for (let id = 0; id < 6_000; id += 1) flooder.send({ type: 'cancel', id, run: randomUUID() });
  expect((await flooder.closed).code).toBe(1008);
  other.send({ type: 'cancel', id: 'still', run: randomUUID() });
  expect(await other.waitFor('answer', answerTo('still'))).toMatchObject({ code: 'not_found' });
  await other.close();
});

test('a refused run says which limit, how much is used, and which plan lifts it', async () => {
  const socket = await connectSocket({ ws: server.ws, token: bob.token });
  socket.send({ type: 'run', id: 'data', agent: 'data', input: {}, idempotency_key: randomUUID() });
  expect(await socket.waitFor('refusal', answerTo('data'))).toMatchObject({
    type: 'error',
    code: 'agent_not_in_plan',
    limit: { limit: 'agents', plan_that_lifts_it: 'early' },
  });
  socket.send({ type: 'run', id: 'none', agent: 'no-such-agent', input: {}, idempotency_key: randomUUID() });
  expect((await socket.waitFor('refusal', answerTo('none'))).type).toBe('error');
  await socket.close();
});

test('a new token of the same user renews the socket; one of another user is refused and changes nothing', async () => {
  const socket = await connectSocket({ ws: server.ws, token: alice.token });
  socket.send({ type: 'token', token: bob.token, id: 'bob' });
  expect(await socket.waitFor('refusal', answerTo('bob'))).toMatchObject({ type: 'error', code: 'forbidden' });
  socket.send({ type: 'token', token: 'nonsense', id: 'none' });
  expect(await socket.waitFor('refusal', answerTo('none'))).toMatchObject({ type: 'error', code: 'unauthenticated' });
  socket.send({ type: 'token', token: alice.token });
  await socket.waitFor('ready again', () => socket.frames.filter(({ type }) => type === 'ready').length === 2);
  // Still Alice's: her plan has the agent that Bob's has not.
  const run = await startRun(socket);
  expect((await socket.waitForEnd(run)).type).toBe('agent_completed');
  await socket.close();
});

async function startRun(socket: TestSocket, input: unknown = { steps: 2 }): Promise<string> {
  const id = randomUUID();
  socket.send({ type: 'run', id, agent: 'rehearsal', input, idempotency_key: id });
  const accepted = await socket.waitFor('accepted', answerTo(id));
  if (accepted.type !== 'accepted') throw new Error(JSON.stringify(accepted));
  socket.send({ type: 'subscribe', id: `follow ${id}`, run: accepted.run, after: 0 });
  return accepted.run;
}

test('a cursor of another epoch, or beyond the log, is told by `reset`, and then comes the whole log', async () => {
  const socket = await connectSocket({ ws: server.ws, token: alice.token });
  const run = await startRun(socket);
  await socket.waitFor('end', (frame) => frame.type === 'end' && frame.run === run);
  const whole = socket.events(run);
  const epoch = whole[0]?.epoch ?? 0;
  for (const cursor of [
    { after: 2, epoch: epoch + 1 },
    { after: 999, epoch },
  ]) {
    const other = await connectSocket({ ws: server.ws, token: alice.token });
    other.send({ type: 'subscribe', id: 1, run, ...cursor });
    expect(await other.waitFor('reset', (frame) => frame.type === 'reset')).toMatchObject({ run, epoch, first: 1 });
    await other.waitFor('end', (frame) => frame.type === 'end');
    expect(other.events(run)).toEqual(whole);
    await other.close();
  }
  await socket.close();
});

test('cancel is durable: the run ends as agent_cancelled, also for who only listens', async () => {
  const [socket, listener] = await Promise.all([
    connectSocket({ ws: server.ws, token: alice.token }),
    connectSocket({ ws: server.ws, token: alice.token }),
  ]);
  const run = await startRun(socket, { steps: 50, step_ms: 100 });
  listener.send({ type: 'subscribe', id: 1, run, after: 0 });
  await listener.waitFor('an event', (frame) => 'data' in frame);
  socket.send({ type: 'cancel', id: 'stop', run });
  expect(await socket.waitFor('accepted', answerTo('stop'))).toMatchObject({ type: 'accepted', run });
  expect((await socket.waitForEnd(run)).type).toBe('agent_cancelled');
  expect((await listener.waitForEnd(run)).type).toBe('agent_cancelled');
  await Promise.all([socket.close(), listener.close()]);
});

test('before it goes a server says drain, then closes who stays with 4010, and refuses newcomers', async () => {
  const leaving = await startServer({ env: own.env });
  const socket = await connectSocket({ ws: leaving.ws, token: alice.token });
  const stopped = leaving.stop();
  expect(await socket.waitFor('drain', (frame) => frame.type === 'drain')).toMatchObject({ after_ms: 0 });
  expect((await socket.closed).code).toBe(4010);
  await stopped;
});
