/**
 * `./netra bench [--json] [--short]`: each figure beside its floor in the same run. Machines differ and are noisy: read
 * the ratio. Nothing here fails on a figure.
 */
import { parseArgs } from 'node:util';
import { measureAppends } from './measure-appends.ts';
import { measureGrowth } from './measure-growth.ts';
import { measureHolds } from './measure-holds.ts';
import { measureIdleSockets } from './measure-idle-sockets.ts';
import { measureIngest } from './measure-ingest.ts';
import { measureMovements } from './measure-movements.ts';
import { measureRuns } from './measure-runs.ts';
import type { Pair } from './rate.ts';
import { printTable, type Row } from './print-table.ts';
import { startHouse, type BenchHouse } from './start-house.ts';

interface Size {
  readonly rounds: number;
  readonly pairs: number;
  /** Transfers of pgledger's shape in a round; and how many are stored where growth is measured. */
  readonly transfers: number;
  readonly stored: number;
  readonly appends: number;
  readonly rows: number;
  readonly sockets: number;
  readonly seconds: number;
}

const full: Size = {
  rounds: 5,
  pairs: 3_000,
  transfers: 6_000,
  stored: 1_000_000,
  appends: 30,
  rows: 200_000,
  sockets: 2_000,
  seconds: 10,
};
const short: Size = {
  rounds: 2,
  pairs: 300,
  transfers: 600,
  stored: 10_000,
  appends: 5,
  rows: 20_000,
  sockets: 200,
  seconds: 2,
};

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, short: { type: 'boolean', default: false } },
});
const size = values.short ? short : full;
const house = await startHouse();
try {
  const rows: Row[] = [];
  for await (const row of measureAll(house, size)) {
    rows.push(row);
    process.stderr.write(`measured: ${row.name}\n`);
  }
  process.stdout.write(values.json ? `${JSON.stringify({ type: 'bench', rows })}\n` : printTable(rows));
} finally {
  await house.close();
}

async function* measureAll(house: BenchHouse, size: Size): AsyncGenerator<Row> {
  const { postgres_url } = house;
  const { rounds, pairs } = size;
  // First of all: later the server would seat them in memory that it has freed but not given back.
  const idle = await measureIdleSockets(house, size.sockets);
  yield beside('memory of an idle socket', 'KB', idle, 'at most 2');
  for (const events_each of [8, 3]) {
    const appends = await measureAppends(postgres_url, { runs: 200, events_each, appends: size.appends, rounds });
    yield beside(`events appended durably, ${events_each} at a time`, '/s', appends, 'at least 0.6');
  }
  const many = await measureHolds(postgres_url, { wallets: 1_000, pairs, rounds });
  yield beside('hold + settle, 1,000 wallets', '/s', many, 'at least 0.7');
  const one = await measureHolds(postgres_url, { wallets: 1, pairs, rounds });
  yield beside('hold + settle, one wallet', '/s', one, 'at least 0.7');
  for (const accounts of [50, 10]) {
    const among = accounts === 10 ? 'ten hot accounts' : `${accounts} accounts`;
    const movements = { accounts, transfers: size.transfers, rounds };
    const holds = await measureMovements(postgres_url, 'holds', movements);
    yield beside(`movements of holds, ${among}`, '/s', holds, 'pgledger’s shape, bare');
    const moves = await measureMovements(postgres_url, 'moves', movements);
    yield beside(`moves between wallets, ${among}`, '/s', moves, 'pgledger’s shape, bare');
  }
  const growth = await measureGrowth(house, { stored: size.stored, pairs, rounds });
  yield beside(
    `hold + settle, ${size.stored.toLocaleString('en')} stored (floor: 1,000)`,
    '/s',
    growth,
    'at least 0.83',
  );
  const ingest = await measureIngest(house, { rows: size.rows, rounds });
  yield beside('usage rows ingested', '/s', ingest, 'at least 0.7');
  for (const users of [1, 200]) {
    const figures = await measureRuns(house, { users, seconds: size.seconds });
    const at = users === 1 ? 'alone' : `${users} at once`;
    yield {
      name: `two-step runs over sockets, ${at}`,
      unit: '/s',
      ours: figures.runs_per_second,
      ...(users === 1 ? {} : { aim: 'at least 600 on 2 cores' }),
    };
    yield { name: `asked → first event p50, ${at}`, unit: 'ms', ours: figures.first_event_p50_ms };
    yield { name: `asked → first event p99, ${at}`, unit: 'ms', ours: figures.first_event_p99_ms };
    yield { name: `asked → complete p50, ${at}`, unit: 'ms', ours: figures.complete_p50_ms };
  }
}

function beside(name: string, unit: string, { ours, floor }: Pair, aim: string): Row {
  return { name, unit, ours, floor, ratio: ours / floor, aim };
}
