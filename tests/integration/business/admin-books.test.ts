/**
 * Segment: operators at a terminal, and the scripts that they keep.
 * Goal: what is sold, given and charged is edited by commands that say what they do, and do nothing of a bad file.
 * Value: a price change is a file in a review and one command, with a name to it, beside servers that run.
 * Strategic impact: a product whose prices need a deployment is priced by its release calendar.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createAccount,
  eventually,
  runServerCommand,
  startServer,
  suite,
  type Ended,
  type TestAccount,
  type TestServer,
} from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';

const on = suite();
/** Each command is a process of its own: seconds, on a machine that is busy. */
const patience_ms = 120_000;
let folder: string;
let server: TestServer;
let account: TestAccount;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netra-books-'));
  on.onEnd(() => rm(folder, { recursive: true, force: true }));
  const model = { NETRA_MODEL_URL: 'http://127.0.0.1:1/v1', NETRA_MODEL_NAME: 'gpt-4o', NETRA_MODEL_KEY: 'nobody' };
  server = await startServer({ env: { ...on.env, ...model } });
  on.onEnd(() => server.stop());
  account = await createAccount({ env: on.env, plan: 'mid' });
}, patience_ms);

type Json = Readonly<Record<string, unknown>>;
const data = (): readonly string[] => ['--data', join(folder, 'data')];
const admin = (...args: string[]): Promise<Ended> => runServerCommand(['admin', ...args, ...data()], on.env);
async function answer<Shape = Json>(...args: string[]): Promise<Shape> {
  const { code, stdout, stderr } = await admin(...args, '--json');
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Shape;
}
async function refused(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await admin(...args);
  expect([code, stdout], args.join(' ')).toEqual([1, '']);
  return stderr;
}
async function fileOf(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}
async function get(path: string, body?: object): Promise<Json> {
  const headers = { authorization: `Bearer ${account.token}`, 'content-type': 'application/json' };
  const init = body === undefined ? { headers } : { headers, method: 'POST', body: JSON.stringify(body) };
  return (await (await fetch(`${server.url}${path}`, init)).json()) as Json;
}

const team = {
  plan: 'team',
  price_usd: '49.00',
  credits: '2000',
  runs_month: 200,
  seconds_run: 120,
  concurrent_runs: 3,
  requests_hour: null,
  agents: ['triage'],
  features: [],
  priority: 15,
  rollover_periods: 0,
  overage: 'stop',
  overage_usd_credit: null,
};

describe('netra admin plan', () => {
  // Planted bug that turns it red: `--dry-run` that is not passed on.
  it(
    'imports a plan beside a running server, which sells it, and takes it off sale again',
    async () => {
      const path = await fileOf(
        'plans.json',
        JSON.stringify({ plans: [team], fees: [{ agent: 'data', fee_credits: '60' }] }),
      );
      const dry = await admin('plan', 'import', path, '--dry-run');
      expect(dry.stdout).toMatch(
        /^~ add data from now: fee_micro 50000000 → 60000000\n\+ add team from now: .*\ndry run/,
      );
      expect(await answer('plan', 'list')).not.toHaveProperty('plans.4');
      expect(await answer('plan', 'import', path, '--by', 'ada')).toMatchObject({
        dry_run: false,
        differences: [{}, {}],
      });
      const sold = await get('/v1/plans');
      expect(JSON.stringify(sold)).toContain('"team"');
      expect(await answer('plan', 'show', 'team')).toMatchObject({
        plans: [{ plan: 'team', price_usd: '49.00', credits: '2000', on_sale: true }],
        changes: [{ changed_by: 'ada', action: 'add' }],
      });
      expect((await admin('plan', 'retire', 'team')).stdout).toMatch(/^~ retire team from now: on_sale true → false\n/);
      expect(JSON.stringify(await get('/v1/plans'))).not.toContain('"team"');
    },
    patience_ms,
  );

  it(
    'says what is wrong with a file or with words, and changes nothing',
    async () => {
      const path = await fileOf(
        'bad.json',
        JSON.stringify({
          plans: [
            { ...team, price_usd: '-1' },
            { ...team, credits: 7 },
          ],
        }),
      );
      const said = await refused('plan', 'import', path);
      expect(said).toContain('Nothing was changed');
      expect(said).toContain('plan 1 (team): price_usd');
      expect(said).toContain('plan 2 (team): credits');
      const refusals = [
        [['import', join(folder, 'none.json')], 'cannot be read'],
        [['import', 'a', 'b'], 'netra admin plan list'],
      ] as const;
      await Promise.all(
        refusals.map(async ([words, why]) => expect(await refused('plan', ...words), words[0]).toContain(why)),
      );
    },
    patience_ms,
  );
});

describe('netra admin grant', () => {
  // Planted bug that turns it red: give() with a key of its own each time.
  it(
    'gives credits once for a key, schedules and stops them',
    async () => {
      const balance = async (): Promise<number> => Number((await get('/v1/credits'))['balance_micro']) / 1e6;
      const terms = ['--org', account.org, '--reason', 'spring', '--by', 'ada'];
      const given = ['grant', 'give', ...terms, '--credits', '50', '--expires-after', '30d', '--key', 'spring'];
      expect(await answer(...given)).toEqual(await answer(...given));
      expect(await balance()).toBe(5_050);
      const daily = ['--credits', '10.5', '--every', '1d', '--times', '3', '--cap', '0'];
      const { schedule } = await answer<{ schedule: string }>('grant', 'schedule', ...terms, ...daily);
      expect(await balance()).toBe(5_060.5);
      const { schedules } = await answer<{ schedules: readonly Json[] }>('grant', 'list', '--org', account.org);
      expect(schedules).toHaveLength(2);
      expect(schedules).toContainEqual(
        expect.objectContaining({ schedule_id: schedule, given: 1, created_by: 'ada', next_at: expect.any(String) }),
      );
      expect((await admin('grant', 'stop', schedule, '--org', account.org)).stdout).toBe(`stopped ${schedule}\n`);
      await refused('grant', 'give', ...terms, '--credits=-5');
      expect(await refused('grant', 'give', ...terms, '--credits', '51', '--key', 'spring')).toContain('another grant');
      expect(await balance()).toBe(5_060.5);
    },
    patience_ms,
  );
});

describe('netra admin price', () => {
  const csv = (...lines: string[]): string =>
    ['provider,model,kind,valid_from,above_tokens,usd_mtok', ...lines].join('\n');
  const highest = async (): Promise<number> => {
    const { highest_micro, fee_micro } = await get('/v1/quotes', { agent: 'triage' });
    return Number(highest_micro) - Number(fee_micro);
  };

  // Planted bug that turns it red: currentPrices() that never looks again.
  it(
    'puts own prices over the published ones on a server that runs, and takes them back',
    async () => {
      const published = await highest();
      const four = await fileOf('four.csv', csv('openai,gpt-4o,input,,,10', 'openai,gpt-4o,output,,,40'));
      expect((await admin('price', 'import', four, '--dry-run')).stdout).toMatch(
        /^~ add openai\/gpt-4o input from now: usd_mtok 2\.5 → 10\n.*\ndry run: nothing was changed\n$/,
      );
      expect(await answer('price', 'import', four, '--by', 'ada')).toMatchObject({ differences: [{}, {}] });
      await eventually('four times the price', async () => (await highest()) === 4 * published);
      expect(await answer('price', 'show', 'gpt-4o')).toMatchObject({
        model: 'openai/gpt-4o',
        changes: [{ changed_by: 'ada' }, { changed_by: 'ada' }],
      });
      const { stdout } = await admin('price', 'list', '--provider', 'openai');
      expect(stdout).toMatch(/^openai\/gpt-4o +in \$10 {2}out \$40 a million$/m);
      expect((await admin('price', 'retire', 'openai/gpt-4o')).stdout).toContain('usd_mtok 10 → as published');
      await eventually('the published price', async () => (await highest()) === published);
    },
    patience_ms,
  );

  it(
    'names each bad line with its reason, and changes nothing',
    async () => {
      const bad = await fileOf('bad.csv', csv('a,b,input,,,0', 'a,b,output,,,-1', 'a,b,output,,,', 'a,c,input,,,1'));
      const said = await refused('price', 'import', bad);
      for (const line of ['line 2: usd_mtok: a price is more', 'line 3: usd_mtok', 'line 4: usd_mtok', 'line 5: a/c']) {
        expect(said).toContain(line);
      }
      const refusals = [
        [['retire', 'openai/gpt-4o-mini'], 'no own prices'],
        [['import'], 'netra admin price import FILE'],
      ] as const;
      await Promise.all(
        refusals.map(async ([words, why]) => expect(await refused('price', ...words), words[0]).toContain(why)),
      );
    },
    patience_ms,
  );
});
