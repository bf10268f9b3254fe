import { createInterface } from 'node:readline';
import { NetraError } from '@netra/contract';
import { placeHold, settleHold } from '../../../server/ledger/index.ts';
import { loadConfig, openPlatform, type Ctx } from '../../../server/platform/index.ts';

// A server process of ours that does nothing but spend: on "go" all spends at once, through the real verbs, and then
// one JSON line with the outcomes. Ends with its stdin.

interface Order {
  readonly postgres_url: string;
  readonly org_id: string;
  readonly spends: number;
  readonly amount_micro: string;
}

const order: Order = JSON.parse(process.argv[2] ?? '{}');
const config = loadConfig({ env: process.env });
const urls = { postgres_url: order.postgres_url, clickhouse_url: 'http://127.0.0.1:9', redis_url: null };
const platform = await openPlatform({ config, urls, role: 'app' });
const ctx: Ctx = {
  platform,
  trace_id: `process-${process.pid}`,
  principal: { org_id: order.org_id, user_id: platform.ids.uuid(), role: 'member', kind: 'user', expires_at_ms: null },
};

const deadline_ms = Date.now() + 80_000;

/** As a client does: asks again, with the same key, when no connection came free in time. */
async function insist<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      const again = error instanceof NetraError && error.code === 'unavailable' && Date.now() < deadline_ms;
      if (!again) throw error;
    }
  }
}

async function spend(number: number): Promise<string> {
  const amount_micro = BigInt(order.amount_micro);
  const key = `${process.pid}/${number}`;
  try {
    const { hold_id } = await insist(() => placeHold({ ctx, input: { amount_micro, reason: 'spend', key } }));
    const settle = { hold_id, capture_micro: amount_micro, reason: 'spend', key };
    await insist(() => settleHold({ ctx, input: settle }));
    return 'spent';
  } catch (error) {
    return error instanceof NetraError ? error.code : String(error);
  }
}

process.stdout.write(`${JSON.stringify({ type: 'ready' })}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  if (line !== 'go') continue;
  const outcomes = await Promise.all(Array.from({ length: order.spends }, (_, number) => spend(number)));
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
  process.stdout.write(`${JSON.stringify({ type: 'done', counts })}\n`);
  break;
}
await platform.close();
