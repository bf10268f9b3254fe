import { describe, expect, it } from 'vitest';
import { connectSocket, createAccount, openSocket, startServer, suite } from './index.ts';

describe('a real server', () => {
  const on = suite();

  // Planted bug that turns it red: plainEnvironment() instead of the suite's own configuration in startServer().
  it('serves an account over a socket that checks each frame, and is gone after a kill', async () => {
    const server = await startServer({ env: on.env });
    on.onEnd(() => server.kill());
    const account = await createAccount({ env: on.env, plan: 'mid' });
    const socket = await connectSocket({ ws: server.ws, token: account.token });
    socket.send({
      type: 'run',
      id: 1,
      agent: 'rehearsal',
      input: { steps: 1, deltas: 1, delta_bytes: 8, step_ms: 1, tool: 'none' },
      idempotency_key: 'first',
    });
    const accepted = await socket.waitFor('accepted', (frame) => frame.type === 'accepted');
    socket.send({ type: 'subscribe', id: 2, run: accepted.run, after: 0 });
    const last = await socket.waitForEnd(accepted.run);
    expect(last.type).toBe('agent_completed');
    expect(socket.events(accepted.run).map(({ seq }) => seq)).toEqual(
      Array.from({ length: last.seq }, (_, index) => index + 1),
    );
    await server.kill();
    expect((await socket.closed).code).toBe(1006);
    await expect(openSocket({ ws: server.ws })).rejects.toThrow('ECONNREFUSED');
  });
});
