import { eventually } from '@netra/testkit';
import type { Platform } from '../../server/platform/index.ts';

/** Builds the rollups of all parts, as merges do in their own time. The table is everybody's: others' parts take theirs. */
export async function buildRollups({ clickhouse }: Platform, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await clickhouse.command(
      `alter table usage materialize projection if exists ${name} settings mutations_sync = 0, alter_sync = 0`,
    );
  }
  const text = `select count() as n from system.mutations
                where database = currentDatabase() and table = 'usage' and not is_done and command like '%PROJECTION%'`;
  const done = async (): Promise<boolean> => Number((await clickhouse.query<{ n: string }>(text, {}))[0]?.n) === 0;
  await eventually('rollups are built', done, { deadline_ms: 90_000 });
}
