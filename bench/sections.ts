import { measureAppends } from './measure-appends.ts';
import { measureGrowth } from './measure-growth.ts';
import { measureHolds } from './measure-holds.ts';
import { bareWs, ours as ourSockets, socketIo } from './audience.ts';
import { measureCosts } from './measure-costs.ts';
import { measureDeliveries } from './measure-deliveries.ts';
import { measureIdleSockets } from './measure-idle-sockets.ts';
import { measureIngest } from './measure-ingest.ts';
import { measureKilled } from './measure-killed.ts';
import { measureMovements } from './measure-movements.ts';
import { measurePeerRuns } from './measure-peer-runs.ts';
import { measureQueries } from './measure-queries.ts';
import { measureReplay } from './measure-replay.ts';
import { measureReturns } from './measure-returns.ts';
import { measureRunGrowth } from './measure-run-growth.ts';
import { measureRuns } from './measure-runs.ts';
import type { Row } from './print-table.ts';
import type { Pair } from './rate.ts';
import type { Size } from './sizes.ts';
import type { BenchHouse } from './start-house.ts';

type Section = (house: BenchHouse, size: Size) => AsyncGenerator<Row>;

/** What `./netra bench` measures, in this order; `--only` names some of them. */
export const sections: Readonly<Record<string, Section>> = {
  // First of all: later the server would seat them in memory that it has freed but not given back.
  async *sockets(house, { sockets }) {
    const measured: Record<string, number> = {};
    for (const [name, open] of Object.entries({ ours: () => ourSockets(house), bareWs, socketIo })) {
      const audience = await open();
      measured[name] = await measureIdleSockets(audience, sockets);
      await audience.close();
    }
    const { ours = 0, bareWs: floor = 0, socketIo: peer = 0 } = measured;
    const name = `memory of an idle socket, ${sockets.toLocaleString('en')} on one node`;
    yield beside(name, 'KB', { ours, floor }, 'at most 2');
    yield beside(`${name} (floor: socket.io)`, 'KB', { ours, floor: peer }, 'below 1');
  },

  async *streams(house, { watchers, returning, events, rounds }) {
    const { ours, floor, peer } = await measureDeliveries(house, watchers);
    const name = `server CPU for a delivered event, ${watchers} watch`;
    yield beside(name, 'µs', { ours, floor }, 'at most 1.5');
    yield beside(`${name} (floor: socket.io)`, 'µs', { ours, floor: peer }, 'below 1');
    const replayed = await measureReplay(house, events, rounds);
    yield beside(`replay of ${events.toLocaleString('en')} events (floor: the pages by pg)`, '/s', replayed, '');
    const back = await measureReturns(house, returning);
    const all = `${returning.toLocaleString('en')} clients back at once`;
    yield { name: `${all}, signed in p50`, unit: 'ms', ours: back.ready_p50_ms };
    yield { name: `${all}, caught up p50`, unit: 'ms', ours: back.whole_p50_ms };
    yield { name: `${all}, caught up p99`, unit: 'ms', ours: back.whole_p99_ms };
  },

  async *log({ postgres_url }, { appends, rounds }) {
    for (const events_each of [8, 3]) {
      const pair = await measureAppends(postgres_url, { runs: 200, events_each, appends, rounds });
      yield beside(`events appended durably, ${events_each} at a time`, '/s', pair, 'at least 0.6');
    }
  },

  async *ledger({ postgres_url }, { pairs, rounds, transfers }) {
    const many = await measureHolds(postgres_url, { wallets: 1_000, pairs, rounds });
    yield beside('hold + settle, 1,000 wallets', '/s', many, 'at least 0.7');
    const one = await measureHolds(postgres_url, { wallets: 1, pairs, rounds });
    yield beside('hold + settle, one wallet', '/s', one, 'at least 0.7');
    for (const accounts of [50, 10]) {
      const among = accounts === 10 ? 'ten hot accounts' : `${accounts} accounts`;
      for (const [kind, name] of [
        ['holds', 'movements of holds'],
        ['moves', 'moves between wallets'],
      ] as const) {
        const pair = await measureMovements(postgres_url, kind, { accounts, transfers, rounds });
        yield beside(`${name}, ${among} (floor: pgledger’s shape)`, '/s', pair, 'at least 0.5');
      }
    }
  },

  async *growth(house, { stored, pairs, rounds, seconds }) {
    const many = stored.toLocaleString('en');
    const holds = await measureGrowth(house, { stored, pairs, rounds });
    yield beside(`hold + settle, ${many} transfers stored (floor: 1,000)`, '/s', holds, 'at least 0.83');
    const { runs, back } = await measureRunGrowth(house, { stored, rounds, seconds });
    yield beside(`two-step runs, 50 at once, ${many} runs stored (floor: 1,000)`, '/s', runs, 'at least 0.83');
    yield beside(`100 clients back at once, ${many} runs stored (floor: 1,000)`, 'ms', back, 'at most 1.2');
  },

  async *ingest(house, { rows, rounds }) {
    yield beside('usage rows ingested', '/s', await measureIngest(house, { rows, rounds }), 'at least 0.7');
  },

  // 11 million rows at full size: about 1 GB on disk, and some four minutes.
  async *queries(house, { calls, asks }) {
    for (const size of calls) {
      for await (const { name, p95_ms, floor_p95_ms } of measureQueries(house, { calls: size, asks })) {
        const of = `usage ${name}, p95 of ${size.toLocaleString('en')} calls (floor: the rows, bare)`;
        yield beside(of, 'ms', { ours: p95_ms, floor: floor_p95_ms }, 'below 200 ms');
      }
    }
  },

  async *runs(house, { seconds }) {
    for (const users of [1, 200]) {
      const figures = await measureRuns(house, { users, seconds });
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
  },

  async *costs(house, { seconds }) {
    const costs = await measureCosts(house, { users: 50, seconds });
    for (const [name, unit, ours] of [
      ['CPU of the server', 'ms', costs.server_cpu_ms],
      ['CPU of PostgreSQL', 'ms', costs.postgres_cpu_ms],
      ['commits', '', costs.commits],
      ['write-ahead log', 'KB', costs.wal_kb],
      ['stored', 'KB', costs.stored_kb],
      ['events', '', costs.events],
    ] as const) {
      yield { name: `a two-step run costs: ${name}`, unit, ours };
    }
  },

  async *peers(house, { seconds }) {
    const users = 200;
    const peer = await measurePeerRuns({ users, seconds });
    const ours = await measureRuns(house, { users, seconds });
    const at = `${users} at once (floor: langgraph-api)`;
    yield beside(
      `two-step runs, ${at}`,
      '/s',
      { ours: ours.runs_per_second, floor: peer.runs_per_second },
      'at least 5',
    );
    const first = { ours: ours.first_event_p50_ms, floor: peer.first_event_p50_ms };
    yield beside(`asked → first event p50, ${at}`, 'ms', first, 'at most 0.25');
    const alone = await measurePeerRuns({ users: 1, seconds });
    const oursAlone = await measureRuns(house, { users: 1, seconds });
    const firstAlone = { ours: oursAlone.first_event_p50_ms, floor: alone.first_event_p50_ms };
    yield beside('asked → first event p50, alone (floor: langgraph-api)', 'ms', firstAlone, 'at most 0.25');
    const killed = await measureKilled(house);
    const left = `of ${killed.runs} runs, not ended 20 s after kill -9`;
    yield { name: `${left} (floor: langgraph-api)`, unit: '', ours: killed.ours, floor: killed.peer, aim: '0' };
  },
};

function beside(name: string, unit: string, { ours, floor, spread }: Pair, aim: string): Row {
  return { name, unit, ours, floor, ratio: ours / floor, ...(spread ? { spread } : {}), aim };
}
