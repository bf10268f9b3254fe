/**
 * Segment: operators: who sells, who meters a team of their own, and who wants no credits at all.
 * Goal: NETRA_CREDITS=enforce | observe | off does what the documents say, on real servers and over the wire.
 * Value: a team can host us for itself, see what is spent, and never be stopped or billed for it.
 * Strategic impact: metering first and enforcing later is how an installation grows into a business.
 *
 * Planted bugs that turn this red: grow_hold() that draws by the plan while it observes; an admission that holds under
 * `off`; a movement of nothing that is held against a cap.
 */
import { randomUUID } from 'node:crypto';
import { createClient } from '@netra/client';
import type { EventFrame } from '@netra/contract';
import {
  createAccount,
  eventually,
  runServerCommand,
  startServer,
  suite,
  type PlanName,
  type TestAccount,
  type TestServer,
} from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { openModel } from '../../../server/agents/index.ts';
import { issueInvoices, setSeller, writeBillingProfile } from '../../../server/billing/index.ts';
import { placeHold, settleHold } from '../../../server/ledger/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import { openLedger, type LedgerNode } from '../ledger-node.ts';
import { serveModel } from '../openai-endpoint.ts';
import { ageSubscription } from './age-subscription.ts';

const on = suite();
const modes = ['enforce', 'observe', 'off'] as const;
type Mode = (typeof modes)[number];
const servers = new Map<Mode, TestServer>();
let node: LedgerNode;
const key = { NETRA_MODEL_NAME: 'gpt-4o', NETRA_MODEL_KEY: 'key-of-nobody' };

beforeAll(async () => {
  const endpoint = await serveModel(openModel('planner', { model: null }));
  on.onEnd(() => endpoint.close());
  node = await openLedger(on);
  const start = async (mode: Mode): Promise<void> => {
    const env = { ...on.env, ...key, NETRA_MODEL_URL: endpoint.url, NETRA_CREDITS: mode };
    const server = await startServer({ env });
    on.onEnd(() => server.stop());
    servers.set(mode, server);
  };
  await Promise.all(modes.map(start));
}, 120_000);

const urlOf = (mode: Mode): string => servers.get(mode)?.url ?? '';

function ctxOf({ org, user }: TestAccount): Ctx {
  const principal = { org_id: org, user_id: user, role: 'owner', kind: 'user', expires_at_ms: null } as const;
  return { platform: node.platform, trace_id: randomUUID(), principal };
}

/** An organisation whose plan's credits are all spent. */
async function spentUp(plan: PlanName, credits: bigint): Promise<TestAccount> {
  const account = await createAccount({ env: on.env, plan });
  const ctx = ctxOf(account);
  const amount_micro = credits * 1_000_000n;
  const { hold_id } = await placeHold({ ctx, input: { amount_micro, reason: 'all of it', key: 'all' } });
  await settleHold({ ctx, input: { hold_id, capture_micro: amount_micro, reason: 'all of it', key: 'all' } });
  return account;
}

async function read(mode: Mode, { token }: TestAccount, path: string): Promise<Record<string, unknown>> {
  const answer = await fetch(`${urlOf(mode)}${path}`, { headers: { authorization: `Bearer ${token}` } });
  return (await answer.json()) as Record<string, unknown>;
}

/** Runs triage on the server of that mode, to its end. */
async function run(mode: Mode, { token }: TestAccount, max_credits_micro?: string): Promise<readonly EventFrame[]> {
  const client = createClient({ url: urlOf(mode), token });
  const events: EventFrame[] = [];
  try {
    const cap = max_credits_micro === undefined ? {} : { max_credits_micro };
    const handle = await client.run({ agent: 'triage', input: null, ...cap });
    await handle.finished((event) => events.push(event));
    return events;
  } finally {
    client.close();
  }
}

/** Sets a cap that nothing fits under. */
async function capTight({ token }: TestAccount): Promise<void> {
  await fetch(`${urlOf('enforce')}/v1/spending/caps`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ overage_micro: null, total_micro: '1', member_micro: '1' }),
  });
}

const chargesOf = (events: readonly EventFrame[]) => events.filter(({ type }) => type === 'credits_charged');

describe('NETRA_CREDITS on a server', () => {
  it('enforce stops at the credits and at a cap', async () => {
    const account = await spentUp('early', 1_000n);
    await expect(run('enforce', account)).rejects.toMatchObject({ code: 'insufficient_credits', status: 402 });
    const capped = await createAccount({ env: on.env, plan: 'early' });
    await capTight(capped);
    await expect(run('enforce', capped)).rejects.toMatchObject({ code: 'spending_cap', status: 402 });
    await expect(run('enforce', capped, '1')).rejects.toMatchObject({ code: 'budget_reached', status: 402 });
  });

  it('observe meters each call and stops at nothing: no credits, tight caps, a cap of the run’s own', async () => {
    const account = await spentUp('early', 1_000n);
    await capTight(account);
    const before = await read('observe', account, '/v1/spending');
    const events = await run('observe', account, '1');
    expect(events.map(({ type }) => type)).not.toContain('approval_requested');
    expect(chargesOf(events).length).toBeGreaterThan(0);
    const end = events.at(-1);
    if (end?.type !== 'agent_completed') throw new Error(`it ended with ${end?.type}`);
    const spent = BigInt(end.data.credits.spent_micro);
    expect(spent).toBeGreaterThan(10_000_000n);
    expect(await read('observe', account, '/v1/credits')).toMatchObject({
      debt_micro: '0',
      overage_micro: `${spent}`,
    });
    const after = await read('observe', account, '/v1/spending');
    for (const used of ['total_used_micro', 'member_used_micro']) {
      expect(BigInt(String(after[used])) - BigInt(String(before[used]))).toBe(spent);
    }
    // An enforcing node counts what was observed.
    await expect(run('enforce', account)).rejects.toMatchObject({ status: 402 });
  });

  it('off holds and charges nothing, whatever the balance, and says so in a quote', async () => {
    const account = await spentUp('early', 1_000n);
    await capTight(account);
    const before = await read('off', account, '/v1/credits/transfers');
    const events = await run('off', account, '1');
    expect(chargesOf(events)).toEqual([]);
    expect(events.at(-1)).toMatchObject({ type: 'agent_completed', data: { credits: { spent_micro: '0' } } });
    const after = await read('off', account, '/v1/credits/transfers');
    const amounts = (page: Record<string, unknown>): unknown[] =>
      (page['items'] as { spent_micro: string }[]).map(({ spent_micro }) => spent_micro).filter((each) => each !== '0');
    expect(amounts(after)).toEqual(amounts(before));
  });

  it('plan limits hold in each of them', async () => {
    const account = await createAccount({ env: on.env, plan: 'free' });
    for (const mode of modes) {
      const client = createClient({ url: urlOf(mode), token: account.token });
      const refused = { code: 'agent_not_in_plan', detail: { plan_that_lifts_it: 'early' } };
      await expect(client.run({ agent: 'data', input: null }), mode).rejects.toMatchObject(refused);
      client.close();
    }
  });
});

describe('what is billed later', () => {
  it('is the overage of an enforcing server, and neither what was observed nor what was off', async () => {
    await setSeller({
      platform: node.platform,
      input: { name: 'Modes B.V.', address: 'Damrak 2', country: 'NL', number_prefix: 'MODES' },
    });
    const lines = await Promise.all(
      modes.map(async (mode) => {
        const account = await spentUp('enterprise', 25_000n);
        const ctx = ctxOf(account);
        await writeBillingProfile({ ctx, input: { name: 'Buyer', address: 'Damrak 1', country: 'NL' } });
        await run(mode, account);
        await ageSubscription(node, ctx, { periods: 1 });
        await issueInvoices({ platform: node.platform, org_id: account.org });
        const rows = await node.owner<{ kind: string; agent: string | null; positive: boolean }>(
          `select l.kind, l.agent, l.net_usd > 0 as positive
             from netra.invoice_line l where l.org_id = $1 order by l.invoice_id, l.line`,
          [account.org],
        );
        return { mode, rows };
      }),
    );
    const base = { kind: 'base', agent: null, positive: true };
    expect(lines).toEqual([
      { mode: 'enforce', rows: [base, { kind: 'overage', agent: 'triage', positive: true }] },
      { mode: 'observe', rows: [base] },
      { mode: 'off', rows: [base] },
    ]);
  }, 60_000);

  it('agrees with the books, the counters and the usage of every organisation here', async () => {
    const [found] = await node.owner('select * from netra.check_spending()');
    expect(found).toBeUndefined();
    // Charges are on their way to the usage for a moment.
    await eventually('an installation that is well', async () => {
      const { stdout } = await runServerCommand(['doctor', '--json'], on.env);
      return stdout.includes('"healthy":true') && !stdout.includes('on their way');
    });
  });
});
