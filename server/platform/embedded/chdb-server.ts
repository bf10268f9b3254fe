/**
 * Entry of the child process around chDB. Its own process because an aborted query runs on inside, queries occupy
 * libuv's pool, and an abort of the engine takes its process along (docs/operate.md, Stores).
 *
 * argv: data folder, port. The key it asks for lies in the data folder: argv and environment can be read by others.
 * It writes `clickhouse.json` once it serves: the engine's lock on its folder makes sure that only one gets there.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { EngineError, openEngine, type Engine } from './chdb-engine.ts';
import { answerHttp } from './chdb-http.ts';
import { self } from './lock-folder.ts';
import { clickhouseUser, stateFile } from './start-clickhouse.ts';
import { keepKeys, writeFileWhole } from './stores-state.ts';

const [data_dir, port] = process.argv.slice(2);
if (data_dir === undefined || port === undefined) throw new Error('usage: chdb-server.ts <data folder> <port>');
const { clickhouse_key: key } = keepKeys(data_dir);

const home = join(data_dir, 'clickhouse');
const spool_dir = join(data_dir, 'clickhouse.spool');
mkdirSync(home, { recursive: true, mode: 0o700 });
const engine = openEngine(home);
await prepare(engine);

// Only now: the engine's lock is ours, so what lies here is of a process that died.
mkdirSync(spool_dir, { recursive: true, mode: 0o700 });
for (const left of readdirSync(spool_dir)) rmSync(join(spool_dir, left), { force: true });

const answer = answerHttp({ engine, user: clickhouseUser, key, spool_dir });
let answering = 0;
let stopping = false;
const server = createServer((request, response) => {
  answering += 1;
  response.once('close', () => {
    answering -= 1;
    if (stopping && answering === 0) server.closeAllConnections();
  });
  void answer(request, response);
});
// The official client keeps sockets for 2.5 s; ours must not close first, or its next request meets a closed socket.
server.keepAliveTimeout = 30_000;
server.requestTimeout = 600_000;
server.listen(Number(port), '127.0.0.1', () => {
  writeFileWhole(stateFile(data_dir), JSON.stringify({ ...self(), port: Number(port) }));
});
server.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});

async function prepare(opened: Engine): Promise<void> {
  const { signal } = new AbortController();
  try {
    await opened.run({
      text: 'create database if not exists netra',
      database: 'default',
      settings: {},
      format: 'Null',
      signal,
    });
  } catch (error) {
    throw error instanceof EngineError ? new Error(error.message) : error;
  }
}

const stop = (): void => {
  if (stopping) process.exit(1);
  stopping = true;
  server.close(() => {
    void engine.close().then(() => {
      rmSync(stateFile(data_dir), { force: true });
      process.exit(0);
    });
  });
  // All, not only the idle ones: a socket that never carried a request does not count as idle and would hold us.
  if (answering === 0) server.closeAllConnections();
};
// Its folder was deleted under it: nobody will find it again. (PostgreSQL does the same for its postmaster.pid.)
server.once('listening', () => {
  setInterval(() => {
    if (!existsSync(stateFile(data_dir))) process.exit(1);
  }, 10_000).unref();
});
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
