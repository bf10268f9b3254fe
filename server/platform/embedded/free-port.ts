import { createServer } from 'node:net';

/** A port of the loopback that is free now: `wanted` if it is, else any. */
export async function freePort(wanted: number | undefined): Promise<number> {
  return (
    (wanted !== undefined && (await tryPort(wanted))) || (await tryPort(0)) || Promise.reject(new Error('no free port'))
  );
}

function tryPort(port: number): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const server = createServer();
  server.once('error', () => resolve(0));
  server.listen(port, '127.0.0.1', () => {
    const address = server.address();
    server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
  });
  return promise;
}
