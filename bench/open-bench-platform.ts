import { loadConfig, openLog, openPlatform, type OpenPlatform } from '../server/platform/index.ts';

/** The platform of a node, in this process, on stores that are up and migrated. */
export function openBenchPlatform(
  postgres_url: string,
  postgres_pool: number,
  clickhouse_url = 'http://127.0.0.1:1',
): Promise<OpenPlatform> {
  const loaded = loadConfig({ env: { NETRA_REHEARSAL: 'on', NETRA_POSTGRES_POOL: String(postgres_pool) } });
  const config = { ...loaded, secret: 'x'.repeat(32) };
  return openPlatform({
    config,
    urls: { postgres_url, clickhouse_url },
    role: 'app',
    log: openLog({ level: 'error' }),
  });
}
