import { eventually } from '@netra/testkit';

/**
 * Takes a schedule away from all servers of the database once it is not at work, so that a test does its work when it
 * wants to. `rows` asks as the schema's owner.
 */
export async function holdJob(
  rows: (text: string, values: readonly unknown[]) => Promise<readonly object[]>,
  name: string,
): Promise<void> {
  const text = `update netra.job set lease_token = lease_token + 1, lease_node = 'a test', lease_until = 'infinity'
                 where name = $1 and lease_until <= now() and done_at is not null returning 1`;
  await eventually(`${name} is not at work`, async () => (await rows(text, [name])).length === 1);
}
