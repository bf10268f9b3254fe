import { randomUUID } from 'node:crypto';
import { admitRun } from '../../../server/agents/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import { nodeOf, openJournal, type Claim } from '../../../server/runs/index.ts';

/** Runs of an organisation on a plan, admitted and finished for real; this test is their worker. */
export async function finishRuns(ctx: Ctx, spent: readonly bigint[]): Promise<Claim[]> {
  const { platform } = ctx;
  const done: Claim[] = [];
  for (const capture_micro of spent) {
    const claims: Claim[] = [];
    const seat = { take: (claim: Claim) => void claims.push(claim), leave: () => undefined };
    nodeOf(platform).worker = {
      reserve: () => seat,
      cancelRequested: () => undefined,
      followed: () => undefined,
      queued: () => undefined,
    };
    await admitRun({ ctx, input: { agent: 'triage', input: {}, idempotency_key: randomUUID() } });
    const [claim] = claims;
    if (claim === undefined) throw new Error('the run was not offered to this node');
    const journal = await openJournal({ platform, claim });
    const event = { type: 'agent_completed', data: { output: null } } as const;
    await journal.finish({ event, capture_micro, usage: [usageRow(claim)] });
    done.push(claim);
  }
  return done;
}

export const usageRow = (claim: Claim) => ({
  event_id: randomUUID(),
  kind: 'usage',
  payload: {
    run_id: claim.run_id,
    user_id: claim.user_id,
    agent: claim.agent,
    model: 'gpt-4o',
    input_tokens: '9007199254740993',
    output_tokens: '7',
    cost_usd: '0.000000000001',
  },
});
