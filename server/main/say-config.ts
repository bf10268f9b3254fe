import {
  findOddNodes,
  publishConfig,
  readNodeReports,
  withdrawConfig,
  type LoadedConfig,
  type Platform,
} from '../platform/index.ts';

const every_ms = 20_000;

/** So that nobody finds out from an invoice, or from a refusal. */
const creditsIn: Readonly<Record<LoadedConfig['credits'], string>> = {
  enforce: 'credits are enforced: what cannot be paid is refused',
  observe: 'credits are only observed: counted, never refused, never billed',
  off: 'credits are off: nothing is held or charged; plan limits hold',
};

/**
 * Says what this node runs with, as hashes, and keeps saying it; names nodes that run with something else in the log.
 * Throws `config_invalid` where a node of another environment has the same secret. Resolves to what takes it back.
 */
export async function sayConfig(platform: Platform, config: LoadedConfig): Promise<() => Promise<void>> {
  const { postgres, node_id, log } = platform;
  log.info({ credits: config.credits }, creditsIn[config.credits]);
  await publishConfig({ postgres, config, node_id });
  const odd = findOddNodes(await readNodeReports(postgres));
  if (odd.length > 0) log.warn({ odd }, 'nodes run with different configurations');
  const timer = setInterval(() => {
    publishConfig({ postgres, config, node_id }).catch((error: unknown) => {
      log.warn({ err: error }, 'could not say what this node runs with');
    });
  }, every_ms);
  return async () => {
    clearInterval(timer);
    await withdrawConfig({ postgres, node_id });
  };
}
