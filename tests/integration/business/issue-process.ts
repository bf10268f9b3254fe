import { issueDueInvoices } from '../../../server/billing/index.ts';
import { loadConfig, openPlatform } from '../../../server/platform/index.ts';

// A server process of ours that does nothing but issue what is due, again and again, until it is killed.

const config = loadConfig({ env: process.env });
const urls = { postgres_url: process.argv[2] ?? '', clickhouse_url: 'http://127.0.0.1:9', redis_url: null };
const platform = await openPlatform({ config, urls, role: 'app' });
process.stdout.write(`${JSON.stringify({ type: 'ready' })}\n`);
for (let look = 0; look < 10_000; look += 1) await issueDueInvoices({ platform, limit: 3 });
await platform.close();
