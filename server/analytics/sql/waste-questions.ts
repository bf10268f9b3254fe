import type { UsageQuestion } from './usage-questions.ts';

export const repeatedPrompts: UsageQuestion = {
  name: 'repeated_prompts',
  limit: 100,
  // A prefix's length: as reported; else the shortest input that had it, which can only be too long.
  body: `,
calls as (
  select feature, model, prefix_hash, input_tokens, cached_input_tokens, prefix_tokens, cost_usd,
    row_number() over prefix as place,
    dateDiff('second', lagInFrame(at) over prefix, at) as gap_s
  from scoped
  where prefix_hash != ''
  window prefix as (
    partition by feature, model, prefix_hash order by at, event_id
    rows between unbounded preceding and current row
  )
),
prefixes as (
  select feature, model, prefix_hash,
    count() as calls,
    max(prefix_tokens) > 0 as reported,
    if(reported, max(prefix_tokens), min(input_tokens)) as length,
    sum(input_tokens) as input_sum,
    sum(cached_input_tokens) as cached_sum,
    sumIf(cached_input_tokens, place > 1) as cached_again,
    sumIf(cached_input_tokens, place > 1 and gap_s <= 300) as cached_soon,
    countIf(place > 1 and gap_s <= 300) as soon,
    sum(cost_usd) as cost
  from calls
  group by feature, model, prefix_hash
  having calls > 1
)
select feature, model,
  toUInt32(count()) as prefixes,
  toUInt32(sum(prefixes.calls)) as calls,
  toString(max(length)) as prefix_tokens,
  toBool(min(reported)) as prefix_tokens_reported,
  toString(sum(input_sum)) as input_tokens,
  toString(sum(cached_sum)) as cached_input_tokens,
  toString(sum(greatest(toInt64(length * (prefixes.calls - 1)) - toInt64(cached_again), 0))) as cacheable_tokens,
  toString(sum(greatest(toInt64(length * soon) - toInt64(cached_soon), 0))) as cacheable_tokens_5min,
  toString(sum(cost)) as cost_usd
from prefixes
group by feature, model
order by sum(greatest(toInt64(length * (prefixes.calls - 1)) - toInt64(cached_again), 0)) desc, feature, model
limit {limit:UInt32}`,
};

export const exactDuplicates: UsageQuestion = {
  name: 'exact_duplicates',
  limit: 100,
  // A retry repeats a prompt for a reason of its own: retries_and_errors counts it.
  body: `,
prompts as (
  select feature, model, prompt_hash,
    count() as calls,
    sum(input_tokens) - argMin(input_tokens, (at, event_id)) as extra_input,
    sum(output_tokens) - argMin(output_tokens, (at, event_id)) as extra_output,
    sum(cost_usd) - argMin(cost_usd, (at, event_id)) as extra_cost
  from scoped
  where prompt_hash != '' and status = 'ok' and retry_of = ''
  group by feature, model, prompt_hash
  having calls > 1
)
select feature, model,
  toUInt32(count()) as prompts,
  toUInt32(sum(prompts.calls)) as calls,
  toUInt32(sum(prompts.calls) - count()) as extra_calls,
  toString(sum(extra_input)) as extra_input_tokens,
  toString(sum(extra_output)) as extra_output_tokens,
  toString(sum(extra_cost)) as extra_cost_usd
from prompts
group by feature, model
order by sum(extra_cost) desc, feature, model
limit {limit:UInt32}`,
};

export const oversizedContext: UsageQuestion = {
  name: 'oversized_context',
  limit: 100,
  // Four times the median input for an answer of ordinary length; fewer than 20 calls have no usual length.
  body: `,
usual as (
  select feature, model,
    count() as calls,
    quantileExact(0.5)(input_tokens) as median_input,
    quantileExact(0.5)(output_tokens) as median_output
  from scoped
  where status = 'ok'
  group by feature, model
  having calls >= 20
)
select s.feature as feature, s.model as model,
  toUInt32(any(usual.calls)) as calls,
  toString(any(median_input)) as median_input_tokens,
  toUInt32(count()) as oversized_calls,
  toString(sum(s.input_tokens)) as oversized_input_tokens,
  toString(sum(s.input_tokens - median_input)) as excess_input_tokens,
  toString(sum(s.cost_usd)) as oversized_cost_usd
from scoped as s
inner join usual on usual.feature = s.feature and usual.model = s.model
where s.status = 'ok'
  and s.input_tokens > 4 * greatest(median_input, 1)
  and s.output_tokens <= 2 * greatest(median_output, 1)
group by s.feature, s.model
order by sum(s.input_tokens - median_input) desc, feature, model
limit {limit:UInt32}`,
};

export const outputHeavy: UsageQuestion = {
  name: 'output_heavy',
  limit: 100,
  body: `
select feature, model,
  toUInt32(count()) as calls,
  toUInt32(countIf(status != 'ok')) as errors,
  toString(sum(scoped.input_tokens)) as input_tokens,
  toString(sum(scoped.cached_input_tokens)) as cached_input_tokens,
  toString(sum(scoped.output_tokens)) as output_tokens,
  toString(sum(scoped.cost_usd)) as cost_usd,
  round(sum(scoped.output_tokens) / greatest(sum(scoped.input_tokens), 1), 4) as output_per_input,
  toString(quantileExact(0.5)(scoped.output_tokens)) as p50_output_tokens,
  toString(quantileExact(0.95)(scoped.output_tokens)) as p95_output_tokens
from scoped
group by feature, model
having output_per_input >= 1
order by sum(scoped.output_tokens) desc, feature, model
limit {limit:UInt32}`,
};

export const retriesAndErrors: UsageQuestion = {
  name: 'retries_and_errors',
  limit: 100,
  body: `
select feature, model,
  arrayStringConcat(arraySort(groupUniqArrayIf(10)(error, error != '')), ', ') as error,
  toUInt32(count()) as calls,
  toUInt32(countIf(status != 'ok')) as failed_calls,
  toString(sumIf(cost_usd, status != 'ok')) as failed_cost_usd,
  toUInt32(countIf(retry_of != '')) as retry_calls,
  toString(sumIf(cost_usd, retry_of != '')) as retry_cost_usd,
  toString(sumIf(input_tokens, status != 'ok')) as failed_input_tokens,
  toString(sumIf(output_tokens, status != 'ok')) as failed_output_tokens
from scoped
group by feature, model
having failed_calls > 0 or retry_calls > 0
order by sumIf(cost_usd, status != 'ok') desc, feature, model
limit {limit:UInt32}`,
};

export const offPeakShare: UsageQuestion = {
  name: 'off_peak_share',
  limit: 100,
  body: `
select feature, model,
  toUInt32(count()) as calls,
  toUInt32(uniqExact(user_id)) as users,
  toUInt32(countIf(toHour(at) >= 22 or toHour(at) < 6)) as off_peak_calls,
  round(off_peak_calls / calls, 4) as off_peak_share,
  toString(sum(scoped.input_tokens)) as input_tokens,
  toString(sum(scoped.cached_input_tokens)) as cached_input_tokens,
  toString(sum(scoped.output_tokens)) as output_tokens,
  toString(sum(scoped.cost_usd)) as cost_usd,
  toString(sumIf(scoped.cost_usd, toHour(at) >= 22 or toHour(at) < 6)) as off_peak_cost_usd
from scoped
group by feature, model
order by off_peak_share desc, sum(scoped.cost_usd) desc, feature, model
limit {limit:UInt32}`,
};

export const shortCalls: UsageQuestion = {
  name: 'short_calls',
  limit: 100,
  // An answer of at most 20 tokens to at most 2,000: a label, a yes or no, a choice.
  body: `,
marked as (
  select *, status = 'ok' and output_tokens <= 20 and input_tokens <= 2000 as short
  from scoped
)
select feature, model,
  toUInt32(countIf(short)) as calls,
  toUInt32(countIf(status != 'ok')) as errors,
  toString(sumIf(marked.input_tokens, short)) as input_tokens,
  toString(sumIf(marked.cached_input_tokens, short)) as cached_input_tokens,
  toString(sumIf(marked.output_tokens, short)) as output_tokens,
  toString(sumIf(marked.cost_usd, short)) as cost_usd,
  toUInt32(count()) as all_calls,
  toString(quantileExactIf(0.95)(marked.output_tokens, short)) as p95_output_tokens,
  toString(quantileExactIf(0.95)(marked.input_tokens, short)) as p95_input_tokens
from marked
group by feature, model
having calls > 0
order by sumIf(marked.cost_usd, short) desc, feature, model
limit {limit:UInt32}`,
};
