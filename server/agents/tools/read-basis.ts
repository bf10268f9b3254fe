import Big from 'big.js';
import { dataCoverage, usageTotals, type UsageScope } from '../../analytics/index.ts';
import { currentPrices } from '../../billing/index.ts';
import type { Ctx } from '../../platform/index.ts';
import type { Basis } from '../findings/finding.ts';
import { readPrices } from './read-prices.ts';

const known = new WeakMap<Ctx, Map<string, Promise<Basis>>>();

/** What findings are judged against. A run's context is one object, so all its finders share one reading. */
export function readBasis(ctx: Ctx, scope: UsageScope): Promise<Basis> {
  const ofRun = known.get(ctx) ?? new Map<string, Promise<Basis>>();
  known.set(ctx, ofRun);
  const key = JSON.stringify(scope);
  const basis = ofRun.get(key) ?? makeBasis(ctx, scope);
  ofRun.set(key, basis);
  // A failure must not stick: the next finder tries again.
  basis.catch(() => ofRun.delete(key));
  return basis;
}

async function makeBasis(ctx: Ctx, scope: UsageScope): Promise<Basis> {
  const [coverage, totals, prices] = await Promise.all([
    dataCoverage({ ctx, input: scope }),
    usageTotals({ ctx, input: scope }),
    currentPrices(ctx.platform),
  ]);
  const span_days = coverage.rows[0]?.span_days ?? 0;
  return {
    observed_days: Math.max(1, Math.ceil(span_days)),
    names_users: (coverage.rows[0]?.with_user ?? 0) > 0,
    total_cost_usd: new Big(totals.rows[0]?.cost_usd ?? 0),
    ...readPrices(new Date(ctx.platform.clock.nowMs()), prices),
  };
}
