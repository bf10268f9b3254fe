import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Toxiproxy, type Proxy } from 'toxiproxy-node-client';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../eventually.ts';
import { serveFaults, type FaultServer } from './index.ts';

let echo: Server;
let faults: FaultServer;
let toxiproxy: Toxiproxy;
let proxy: Proxy;
const sockets: Socket[] = [];

beforeAll(async () => {
  echo = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  });
  echo.listen({ host: '127.0.0.1', port: 0 });
  await once(echo, 'listening');
  faults = await serveFaults();
  toxiproxy = new Toxiproxy(faults.url);
  const upstream = `127.0.0.1:${(echo.address() as AddressInfo).port}`;
  proxy = await toxiproxy.createProxy({ name: 'echo', listen: '127.0.0.1:0', upstream });
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await toxiproxy.reset();
});
afterAll(async () => {
  await faults.close();
  echo.close();
});

/** A connection through the proxy, and what has come back on it. */
async function open(): Promise<{ socket: Socket; got(): string; ended(): string | null }> {
  const [host = '', port] = proxy.listen.split(':');
  const socket = connect({ host, port: Number(port) });
  sockets.push(socket);
  let text = '';
  let end: string | null = null;
  socket.on('data', (chunk) => (text += chunk.toString()));
  socket.on('end', () => (end ??= 'end'));
  socket.on('error', (error: NodeJS.ErrnoException) => (end ??= error.code ?? 'error'));
  await once(socket, 'connect');
  return { socket, got: () => text, ended: () => end };
}

describe('the fault proxy, driven by a Toxiproxy client', () => {
  it('passes everything on, both ways, when it has no fault', async () => {
    const { socket, got } = await open();
    const text = 'x'.repeat(300_000);
    socket.write(text);
    await eventually('all is back', () => got().length === text.length);
    expect(got()).toBe(text);
    expect((await toxiproxy.getAll())['echo']?.toJson()).toMatchObject({ name: 'echo', enabled: true });
    await expect(toxiproxy.get('nobody')).rejects.toThrow(/404/);
  });

  it('holds data back by the latency, in order', async () => {
    const toxic = { type: 'latency', name: 'slow', stream: 'downstream', toxicity: 1, attributes: { latency: 150 } };
    await proxy.addToxic(toxic as never);
    const { socket, got } = await open();
    const began = performance.now();
    for (const letter of 'abc') socket.write(letter);
    await eventually('all is back', () => got().length === 3);
    // Not a claim about speed: it must not be faster than the fault.
    expect(performance.now() - began).toBeGreaterThanOrEqual(149);
    expect(got()).toBe('abc');
  });

  it('lets nothing through while the path is cut, and all of it afterwards', async () => {
    const { socket, got } = await open();
    socket.write('before ');
    await eventually('the path works', () => got() === 'before ');
    const toxic = { type: 'timeout', name: 'cut', stream: 'downstream', toxicity: 1, attributes: { timeout: 0 } };
    const cut = await proxy.addToxic(toxic as never);
    const { bytes } = faults.counts('echo');
    socket.write('after');
    // The request's half of the path is open: that it has passed shows that the answer is what is held.
    await eventually('the request has passed', () => faults.counts('echo').bytes === bytes + 5);
    expect(got()).toBe('before ');
    await cut.remove();
    await eventually('the rest came', () => got() === 'before after');
  });

  it('resets open connections and those to come', async () => {
    const { ended } = await open();
    const toxic = { type: 'reset_peer', name: 'reset', stream: 'downstream', toxicity: 1, attributes: { timeout: 0 } };
    await proxy.addToxic(toxic as never);
    await eventually('the connection is reset', () => ended() === 'ECONNRESET');
    const next = await open();
    await eventually('the next one too', () => next.ended() === 'ECONNRESET');
    expect(faults.counts('echo').cut).toBeGreaterThanOrEqual(2);
  });

  it('is down and up again on the same port', async () => {
    const { ended } = await open();
    const { listen } = proxy;
    await proxy.update({ enabled: false, listen, upstream: proxy.upstream });
    await eventually('what was open is gone', () => ended() !== null);
    await expect(open()).rejects.toThrow(/ECONNREFUSED/);
    await proxy.update({ enabled: true, listen, upstream: proxy.upstream });
    const { socket, got } = await open();
    socket.write('again');
    await eventually('it is up', () => got() === 'again');
  });

  it('closes a connection after so many bytes, and slices what it lets through', async () => {
    const slicer = { type: 'slicer', name: 'slices', stream: 'upstream', toxicity: 1, attributes: { average_size: 3 } };
    const limit = { type: 'limit_data', name: 'limit', stream: 'downstream', toxicity: 1, attributes: { bytes: 10 } };
    await proxy.addToxic(slicer as never);
    await proxy.addToxic(limit as never);
    const { socket, got, ended } = await open();
    socket.write('0123456789abcdef');
    await eventually('the connection is closed', () => ended() !== null);
    expect('0123456789').toContain(got());
  });

  it('refuses a toxic that it does not know, and says why', async () => {
    const toxic = { type: 'gremlins', name: 'g', stream: 'downstream', toxicity: 1, attributes: {} };
    await expect(proxy.addToxic(toxic as never)).rejects.toThrow(/400|type/);
  });
});
