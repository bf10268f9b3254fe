/**
 * Segment: whoever operates an installation and takes an upgrade back.
 * Goal: each migration of ours has a way back that leaves the schema as it was before it, function by function.
 * Value: an upgrade that was a mistake is undone by one command, with what was written since kept aside.
 * Strategic impact: an operator who can go back dares to go forward.
 *
 * Seen red: a way back that left a constraint wider than it was (0026, which does so on purpose, see `leaves`).
 */
import { createDatabase, databaseName, dropDatabase, suite } from '@netra/testkit';
import { expect, it } from 'vitest';
import { migrateDown, migrateUp, openLog, readMigrations } from '../../../server/platform/index.ts';
import { openSteps, schemaOf } from './migrator.ts';

const on = suite();
const steps = openSteps(on);
const log = openLog({ level: 'silent' });

/** What a way back leaves on purpose, with its reason. */
const leaves: Readonly<Record<string, RegExp>> = {
  // The record of the books is never rewritten: lines about offers stay, and so does the constraint that allows them.
  agent_offers: /^constraint netra\.book_change /,
};

it('migration-2 each real step goes back to the schema before it, and forth again to the same', async () => {
  const name = databaseName('ways');
  const postgres_url = await createDatabase(on.stores.postgres_url, name);
  on.onEnd(() => dropDatabase(on.stores.postgres_url, name));
  const options = { urls: { postgres_url }, log };
  let before = await schemaOf(postgres_url);
  for (const step of readMigrations('postgres')) {
    const dir = steps.folder({ upTo: step.version });
    const [taken, ...more] = (await migrateUp({ ...options, dir })).postgres;
    expect([taken?.version, more]).toEqual([step.version, []]);
    const after = await schemaOf(postgres_url);
    await migrateDown({ ...options, dir });
    const left = leaves[step.name] ?? /^$/;
    const but = (facts: readonly string[]): string[] => facts.filter((fact) => !left.test(fact));
    expect(but(await schemaOf(postgres_url)), `back from ${step.name}`).toEqual(but(before));
    await migrateUp({ ...options, dir });
    expect(await schemaOf(postgres_url), `${step.name} again`).toEqual(after);
    before = after;
  }
}, 60_000);
