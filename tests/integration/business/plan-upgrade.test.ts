/**
 * Segment: every customer of an installation that is older than the plan book.
 * Goal: an upgrade writes down what each running period owes, from what its grants tell, and gives nothing twice.
 * Value: the first invoice of the new version is right, and so is the way back.
 * Strategic impact: who self-hosts must be able to take the next version in the middle of a month.
 */
import { randomUUID } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatabase, databaseName, dropDatabase, suite, withOwner } from '@netra/testkit';
import { Big } from 'big.js';
import { describe, expect, it } from 'vitest';
import { migrateDown, migrateUp, openLog } from '../../../server/platform/index.ts';

const log = openLog({ level: 'silent' });
const migrations = join(import.meta.dirname, '../../../migrations/postgres');
const on = suite();

/** The migrations up to one version, in a folder of their own. */
async function upTo(version: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'netra-plan-upgrade-'));
  on.onEnd(() => rm(folder, { recursive: true, force: true }));
  for (const store of ['postgres', 'clickhouse']) await mkdir(join(folder, store));
  for (const file of await readdir(migrations)) {
    if (file.slice(0, 4) <= version) await cp(join(migrations, file), join(folder, 'postgres', file));
  }
  return folder;
}

interface Charge {
  readonly kind: string;
  readonly plan_id: string;
  readonly exact_usd: string;
  readonly left_s: string | null;
  readonly total_s: string | null;
}

type Ask = <Row extends object>(text: string, values?: readonly unknown[]) => Promise<Row[]>;

/** Ten days of a period are over: of the subscription, and of what it was given. */
const older = `update netra.subscription set anchor_at = anchor_at - interval '10 days', created_at = created_at - interval '10 days',
    period_start = period_start - interval '10 days', period_end = netra.period_start_of(anchor_at - interval '10 days', 1)
  where org_id = $1`;
const olderGrants = `update netra.credit_grant set period_start = period_start - interval '10 days',
    effective_at = effective_at - interval '10 days' where org_id = $1`;
const edited = (plan: string, terms: object, days: number): string =>
  `insert into netra.plan select (jsonb_populate_record(p, '${JSON.stringify(terms)}'::jsonb
     || jsonb_build_object('valid_from', now() - interval '${days} days'))).*
     from netra.plan p where p.plan_id = '${plan}' order by p.valid_from desc limit 1`;

/** Organisations on the old version: each entered a plan ten days ago, and went up through others since. */
async function fill(ask: Ask): Promise<ReadonlyMap<string, string>> {
  await ask(edited('free', { plan_id: 'bare', credits_micro: 0 }, 90));
  const paths: Readonly<Record<string, readonly string[]>> = {
    still: ['early'],
    climber: ['free', 'early', 'mid'],
    bare: ['bare', 'early'],
    repriced: ['early', 'mid'],
    waiting: ['mid', 'free'],
  };
  const orgs = new Map<string, string>();
  for (const [name, [first]] of Object.entries(paths)) {
    const org = randomUUID();
    orgs.set(name, org);
    await ask('insert into netra.org (org_id, name) values ($1, $2)', [org, name]);
    await ask('select netra.subscribe($1, $2, $3)', [org, randomUUID(), first]);
    await ask(older, [org]);
    await ask(olderGrants, [org]);
  }
  // Periods that have begun keep their price.
  await ask(edited('early', { price_usd: 59.99 }, 0));
  for (const [name, [, ...later]] of Object.entries(paths)) {
    for (const plan of later) await ask('select netra.change_plan($1, $2)', [orgs.get(name), plan]);
  }
  return orgs;
}

describe('an upgrade to the plan book', () => {
  // Planted bugs that turn it red: `dated` with the plan's row of today; `entry_plan_id` that is the plan of today.
  it('charges each running period what it was entered and upgraded at, and gives nothing twice; and the way back', async () => {
    const name = databaseName('planbook');
    on.onEnd(() => dropDatabase(on.stores.postgres_url, name));
    const urls = { postgres_url: await createDatabase(on.stores.postgres_url, name) };
    const ask: Ask = async <Row extends object>(text: string, values: readonly unknown[] = []) =>
      withOwner(urls.postgres_url, async (client) => (await client.query<Row>(text, [...values])).rows);
    await migrateUp({ urls, dir: await upTo('0013'), log });
    const orgs = await fill(ask);
    const grants = 'select org_id, grant_id, reason, granted_micro from netra.credit_grant order by org_id, grant_id';
    const given = await ask(grants);
    const chargesOf = async (who: string): Promise<readonly Charge[]> =>
      ask<Charge>(
        `select kind, plan_id, exact_usd::text, substring(description from ', ([0-9.]+) of') as left_s,
                substring(description from ' of ([0-9.]+) seconds') as total_s
           from netra.subscription_charge where org_id = $1 order by kind, plan_id`,
        [orgs.get(who)],
      );
    const checkCharges = async (): Promise<void> => {
      expect(await chargesOf('still')).toMatchObject([{ kind: 'base', plan_id: 'early', exact_usd: '29.99' }]);
      for (const [who, base, steps] of [
        ['climber', ['free', '0.00'], ['early 59.99', 'mid 40.00']],
        ['bare', ['bare', '0.00'], ['early 59.99']],
        ['repriced', ['early', '29.99'], ['mid 70.00']],
        ['waiting', ['mid', '99.99'], []],
      ] as const) {
        const [first, ...upgrades] = await chargesOf(who);
        expect([first?.plan_id, first?.exact_usd], who).toEqual(base);
        expect(upgrades.map(({ plan_id }) => plan_id)).toEqual(steps.map((step) => step.split(' ')[0]));
        for (const [place, { exact_usd, left_s, total_s }] of upgrades.entries()) {
          const owed = new Big(steps[place]?.split(' ')[1] ?? 0).times(left_s ?? 0);
          expect(new Big(total_s ?? 0).gt(left_s ?? 0), 'ten days are over').toBe(true);
          const lost = new Big(exact_usd).times(total_s ?? 0).minus(owed);
          expect(lost.abs().lte(new Big(total_s ?? 0).times('0.5e-20')), `${who} ${exact_usd}`).toBe(true);
        }
      }
    };

    const dir = await upTo('0014');
    await migrateUp({ urls, dir, log });
    await checkCharges();
    const roll = 'select netra.grant_period(org_id) from netra.org';
    await ask(roll);
    expect(await ask(grants), 'periods that were entered are not entered again').toEqual(given);
    expect(await ask('select what from netra.check_books()')).toEqual([]);

    const book = (version: string, valid_from: string): Promise<object[]> =>
      ask(
        `select netra.keep_price_book($1, jsonb_build_array(jsonb_build_object('provider', 'p', 'model', 'm',
        'kind', 'input', 'valid_from', $2::text, 'above_tokens', 0, 'usd_mtok', '1')))`,
        [version, valid_from],
      );
    await book('book-00000000000000da', '0001-01-01');
    await book('book-00000000000000ff', '2026-11-25 10:00:00.123');
    const kept = `select p.book_version, to_jsonb(p) ->> 'valid_from' as since from netra.price p order by 1`;
    expect(await ask(kept)).toMatchObject([{}, { since: '2026-11-25T10:00:00.123+00:00' }]);

    await migrateDown({ urls, dir, log, steps: 1 });
    // A book with a moment cannot be kept as it was by a version that knows days alone.
    expect(await ask(kept)).toEqual([{ book_version: 'book-00000000000000da', since: '0001-01-01' }]);
    // Not the one that came from a plan without credits: the old version gives it the month on top.
    await ask(`${roll} where org_id <> $1`, [orgs.get('bare')]);
    expect(await ask(grants)).toEqual(given);
    expect(await ask('select what from netra.check_books()')).toEqual([]);
    const [waiting] = await ask(`select plan_id, next_plan_id from netra.subscription where org_id = $1`, [
      orgs.get('waiting'),
    ]);
    expect(waiting).toEqual({ plan_id: 'mid', next_plan_id: 'free' });

    await migrateUp({ urls, log });
    await checkCharges();
    // The next period is charged as any other.
    await ask(`update netra.subscription set period_end = now() where org_id = $1`, [orgs.get('waiting')]);
    await ask(roll);
    expect((await chargesOf('waiting')).map(({ plan_id }) => plan_id)).toEqual(['free', 'mid']);
    expect(await ask('select what from netra.check_books()')).toEqual([]);
  });
});
