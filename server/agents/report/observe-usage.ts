import Big from 'big.js';
import type { Observation } from './assemble-report.ts';
import type { Facts } from './facts.ts';
import { shortUsd } from './render-report.ts';

/** What a profile of the usage shows: share of the dearest model, feature and user, the busiest day, the forecast. */
export function observeUsage(facts: Facts): Observation[] {
  const observations: Observation[] = [];
  const total = new Big(facts.totals?.cost_usd ?? 0);
  const share = (cost_usd: string): string =>
    total.gt(0)
      ? ` = ${new Big(cost_usd).times(100).div(total).round(1, Big.roundHalfEven).toFixed()} % of the cost`
      : '';
  const say = (query: string, text: string): void => void observations.push({ query, text });

  if (facts.totals !== null && facts.totals.first_at !== null) {
    say('usage_totals', `From ${facts.totals.first_at} to ${facts.totals.last_at} UTC`);
  }
  const model = facts.by_model?.[0];
  if (model)
    say('usage_by_model', `Dearest model: ${model.model}, $${shortUsd(model.cost_usd)}${share(model.cost_usd)}`);
  const feature = facts.by_feature?.[0];
  if (feature && feature.feature !== '') {
    const cost = `$${shortUsd(feature.cost_usd)}${share(feature.cost_usd)}`;
    say('usage_by_feature', `Dearest feature: ${feature.feature}, ${cost}`);
  }
  const user = facts.by_user?.[0];
  if (user && user.times_median_cost > 0) {
    const times = `${user.times_median_cost} × the median user`;
    say('usage_by_user', `Dearest user: ${user.user_id}, $${shortUsd(user.cost_usd)}, ${times}`);
  }
  const busiest = facts.by_day?.toSorted((a, b) => b.calls - a.calls)[0];
  if (busiest && (facts.by_day?.length ?? 0) > 1)
    say('usage_by_day', `Busiest of ${facts.by_day?.length} days: ${busiest.day}, ${busiest.calls} calls`);
  if (facts.forecast) {
    const { low, expected, high } = facts.forecast.next_30_days_usd;
    const range = `$${shortUsd(low)} to $${shortUsd(high)}`;
    say('usage_by_day', `Next 30 days: $${shortUsd(expected)} (${range}); ${facts.forecast.arithmetic}`);
  }
  return observations;
}

/** Which agent to ask next, by what the data can answer. */
export function observeNextAgent(facts: Facts): Observation[] {
  const { coverage } = facts;
  if (coverage === null || coverage.rows === 0) return [];
  const query = 'data_coverage';
  if (coverage.with_cost === 0) {
    return [{ query, text: 'Next: name the model of these calls, so that they have a cost; then ask optimization' }];
  }
  const details = coverage.with_prompt_hash + coverage.with_prefix_hash + coverage.with_feature > 0;
  const next = details ? 'optimization: the data has what savings are found by' : 'data: it shows where the cost is';
  return [{ query, text: `Ask next: ${next}` }];
}
