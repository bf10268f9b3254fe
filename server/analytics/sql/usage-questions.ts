/** A question about usage. `body` continues after the `scoped` rows; it reads nothing else. */
export interface UsageQuestion {
  readonly name: string;
  readonly body: string;
  /** Rows at most unless the caller says so; null = the answer has one row. */
  readonly limit: number | null;
}

// Tokens and money leave as text: JSON numbers lose exactness beyond 2^53.
const measures = `
  toUInt32(count()) as calls,
  toUInt32(countIf(status != 'ok')) as errors,
  toString(sum(input_tokens)) as input_tokens,
  toString(sum(cached_input_tokens)) as cached_input_tokens,
  toString(sum(output_tokens)) as output_tokens,
  toString(sum(cost_usd)) as cost_usd`;

export const totals: UsageQuestion = {
  name: 'usage_totals',
  limit: null,
  body: `
select${measures},
  if(count() = 0, null, toString(min(at))) as first_at,
  if(count() = 0, null, toString(max(at))) as last_at
from scoped`,
};

export const byDay: UsageQuestion = {
  name: 'usage_by_day',
  limit: 400,
  body: `
select toString(toDate(at)) as day,${measures}
from scoped
group by day
order by day
limit {limit:UInt32}`,
};

export const byModel: UsageQuestion = {
  name: 'usage_by_model',
  limit: 100,
  body: `
select model,${measures},
  round(avg(scoped.input_tokens), 2) as avg_input_tokens,
  round(avg(scoped.output_tokens), 2) as avg_output_tokens
from scoped
group by model
order by sum(scoped.cost_usd) desc, model
limit {limit:UInt32}`,
};

export const byFeature: UsageQuestion = {
  name: 'usage_by_feature',
  limit: 100,
  body: `
select feature,${measures},
  arraySort(groupUniqArray(20)(model)) as models,
  toUInt32(uniqExact(user_id)) as users
from scoped
group by feature
order by sum(scoped.cost_usd) desc, feature
limit {limit:UInt32}`,
};

export const byUser: UsageQuestion = {
  name: 'usage_by_user',
  limit: 100,
  body: `,
by_user as (
  select user_id, sum(cost_usd) as cost
  from scoped
  where user_id != ''
  group by user_id
),
typical as (
  select quantileExact(0.5)(cost) as median from by_user
)
select user_id,${measures},
  if((select median from typical) = 0, 0,
    round(toFloat64(sum(scoped.cost_usd)) / toFloat64((select median from typical)), 4)) as times_median_cost,
  toString((select median from typical)) as median_cost_usd
from scoped
where user_id != ''
group by user_id
order by sum(scoped.cost_usd) desc, user_id
limit {limit:UInt32}`,
};

export const coverage: UsageQuestion = {
  name: 'data_coverage',
  limit: null,
  body: `
select
  toUInt32(count()) as rows,
  toUInt32(uniqExact(toDate(at))) as days,
  if(count() = 0, null, toString(min(at))) as first_at,
  if(count() = 0, null, toString(max(at))) as last_at,
  if(count() = 0, 0, round((toFloat64(max(at)) - toFloat64(min(at))) / 86400, 6)) as span_days,
  toUInt32(countIf(model != '')) as with_model,
  toUInt32(countIf(user_id != '')) as with_user,
  toUInt32(countIf(feature != '')) as with_feature,
  toUInt32(countIf(prompt_hash != '')) as with_prompt_hash,
  toUInt32(countIf(prefix_hash != '')) as with_prefix_hash,
  toUInt32(countIf(cached_input_tokens > 0)) as with_cached,
  toUInt32(countIf(isNotNull(latency_ms))) as with_latency,
  toUInt32(countIf(status != 'ok')) as with_error,
  toUInt32(countIf(retry_of != '')) as with_retry_of,
  toUInt32(countIf(cost_usd > 0)) as with_cost,
  toUInt32(countIf(synthetic)) as synthetic
from scoped`,
};
