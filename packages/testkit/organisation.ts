import { randomUUID } from 'node:crypto';
import { withOwner } from './database.ts';

export type PlanName = 'free' | 'early' | 'mid' | 'enterprise';

/**
 * Makes an organisation; with a plan also its subscription, which grants the first period's credits. Done as the role
 * of the application inside the tenant (T1), so that it can do no more than the application could.
 */
export async function createOrg(
  postgres_url: string,
  options: { readonly org_id?: string; readonly name?: string; readonly plan?: PlanName } = {},
): Promise<string> {
  const org_id = options.org_id ?? randomUUID();
  await withOwner(postgres_url, async (client) => {
    await client.query('begin');
    await client.query('set local role netra_app');
    await client.query('select netra.enter_org($1)', [org_id]);
    await client.query('insert into netra.org (org_id, name) values ($1, $2)', [org_id, options.name ?? 'test']);
    if (options.plan !== undefined) {
      await client.query('select netra.subscribe($1, $2, $3)', [org_id, randomUUID(), options.plan]);
    }
    await client.query('commit');
  });
  return org_id;
}
