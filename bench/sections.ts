import { measureAppends } from './measure-appends.ts';
import { measureGrowth } from './measure-growth.ts';
import { measureHolds } from './measure-holds.ts';
import { measureIdleSockets } from './measure-idle-sockets.ts';
import { measureIngest } from './measure-ingest.ts';
import { measureMovements } from './measure-movements.ts';
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
    yield beside('memory of an idle socket', 'KB', await measureIdleSockets(house, sockets), 'at most 2');
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
        yield beside(`${name}, ${among}`, '/s', pair, 'pgledger’s shape, bare');
      }
    }
  },

  async *growth(house, { stored, pairs, rounds }) {
    const pair = await measureGrowth(house, { stored, pairs, rounds });
    yield beside(`hold + settle, ${stored.toLocaleString('en')} stored (floor: 1,000)`, '/s', pair, 'at least 0.83');
  },

  async *ingest(house, { rows, rounds }) {
    yield beside('usage rows ingested', '/s', await measureIngest(house, { rows, rounds }), 'at least 0.7');
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
};

function beside(name: string, unit: string, { ours, floor }: Pair, aim: string): Row {
  return { name, unit, ours, floor, ratio: ours / floor, aim };
}
