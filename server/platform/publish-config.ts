import { NetraError } from '@netra/contract';
import type { LoadedConfig } from './config.ts';
import { reportConfig, type NodeReport } from './describe-config.ts';
import type { Postgres, Statement } from './postgres.ts';

/** A node that has not been seen for this long has gone, however it went. */
const goneAfterMs = 60_000;

const sayNode = ({ node_id, env, hashes }: NodeReport): Statement => ({
  name: 'say-node',
  text: `
    with gone as (
      delete from netra.node where node_id <> $1 and seen_at < now() - $4::int * interval '1 ms'
    )
    insert into netra.node (node_id, env, hashes) values ($1, $2, $3)
    on conflict (node_id) do update set env = excluded.env, hashes = excluded.hashes, seen_at = now()`,
  values: [node_id, env, JSON.stringify(hashes), goneAfterMs],
});

const readNodes: Statement = {
  name: 'read-nodes',
  text: `
    select node_id, env, hashes from netra.node
    where seen_at >= now() - $1::int * interval '1 ms'
    order by started_at, node_id`,
  values: [goneAfterMs],
};

const forgetNode = (node_id: string): Statement => ({
  name: 'forget-node',
  text: 'delete from netra.node where node_id = $1',
  values: [node_id],
});

export interface PublishOptions {
  readonly postgres: Postgres;
  readonly config: LoadedConfig;
  readonly node_id: string;
}

/**
 * Says what this node runs with, as hashes; call it at the start and every 20 s. Throws `config_invalid` if a node of
 * another environment runs with the same secret: a token of the one would be good in the other.
 */
export async function publishConfig({ postgres, config, node_id }: PublishOptions): Promise<void> {
  const own = reportConfig(node_id, config);
  const others = await readNodeReports(postgres);
  const twin = others.find(({ env, hashes }) => env !== own.env && hashes.NETRA_SECRET === own.hashes.NETRA_SECRET);
  if (twin && config.secret !== null) {
    throw new NetraError(
      'config_invalid',
      `NETRA_SECRET is the key of the ${twin.env} environment (node ${twin.node_id})`,
    );
  }
  await postgres.call(sayNode(own));
}

/** What the nodes that are up say they run with; `findOddNodes` names the odd one out. */
export function readNodeReports(postgres: Postgres): Promise<NodeReport[]> {
  return postgres.call<NodeReport>(readNodes);
}

export async function withdrawConfig({ postgres, node_id }: Omit<PublishOptions, 'config'>): Promise<void> {
  await postgres.call(forgetNode(node_id));
}
