import type { UsageQuestion } from './usage-questions.ts';

export const repeatedPrompts: UsageQuestion = {
  name: 'repeated_prompts',
  limit: 100,
  // A prefix's length: as reported; else the shortest input that had it, which can only be too long. No provider's cache
  // takes a prefix of fewer than 1,024 tokens.
  body: `,
calls as (
  select feature, model, prefix_hash, input_tokens, cached_input_tokens, cost_usd,
    max(prefix_tokens) over same > 0 as reported,
    if(reported, max(prefix_tokens) over same, min(input_tokens) over same) as length,
    row_number() over before as place,
    place > 1 and dateDiff('millisecond', lagInFrame(at) over before, at) <= 300000 as soon,
    if(length > cached_input_tokens, length - cached_input_tokens, 0) as missing
  from scoped
  where prefix_hash != ''
  window same as (partition by feature, model, prefix_hash),
    before as (
      partition by feature, model, prefix_hash order by at, event_id
      rows between unbounded preceding and current row
    )
),
prefixes as (
  select feature, model, prefix_hash,
    count() as calls,
    min(reported) as reported,
    max(calls.length) as length,
    sum(input_tokens) as input_sum,
    sum(cached_input_tokens) as cached_sum,
    sumIf(missing, place > 1) as missing_again,
    sumIf(missing, soon) as missing_soon,
    sumIf(calls.length, not soon) as written,
    sum(cost_usd) as cost
  from calls
  group by feature, model, prefix_hash
  having calls > 1 and length >= 1024
)
select feature, model,
  toUInt32(count()) as prefixes,
  toUInt32(sum(prefixes.calls)) as calls,
  toString(max(length)) as prefix_tokens,
  toBool(min(reported)) as prefix_tokens_reported,
  toString(sum(input_sum)) as input_tokens,
  toString(sum(cached_sum)) as cached_input_tokens,
  toString(sum(missing_again)) as cacheable_tokens,
  toString(sum(missing_soon)) as cacheable_tokens_5min,
  toString(sum(written)) as written_tokens_5min,
  toString(sum(cost)) as cost_usd
from prefixes
group by feature, model
order by sum(missing_again) desc, feature, model
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
    sum(cached_input_tokens) - argMin(cached_input_tokens, (at, event_id)) as extra_cached,
    sum(output_tokens) - argMin(output_tokens, (at, event_id)) as extra_output,
    sum(cost_usd) - argMin(cost_usd, (at, event_id)) as extra_cost
  from scoped
  where prompt_hash != '' and status = 'ok' and retry_of = ''
  group by feature, model, prompt_hash
)
select feature, model,
  toUInt32(countIf(prompts.calls > 1)) as prompts,
  toUInt32(sumIf(prompts.calls, prompts.calls > 1)) as calls,
  toUInt32(sum(prompts.calls) - count()) as extra_calls,
  toUInt32(sum(prompts.calls)) as all_calls,
  toString(sum(extra_input)) as extra_input_tokens,
  toString(sum(extra_cached)) as extra_cached_input_tokens,
  toString(sum(extra_output)) as extra_output_tokens,
  toString(sum(extra_cost)) as extra_cost_usd
from prompts
group by feature, model
having extra_calls > 0
order by sum(extra_cost) desc, feature, model
limit {limit:UInt32}`,
};

/** What is usual in a feature and model; fewer than 50 calls have no usual length. */
const usual = `,
usual as (
  select feature, model,
    count() as calls,
    quantileExact(0.5)(input_tokens) as median_input,
    quantileExact(0.5)(output_tokens) as median_output
  from scoped
  where status = 'ok'
  group by feature, model
  having calls >= 50
)`;

export const oversizedContext: UsageQuestion = {
  name: 'oversized_context',
  limit: 100,
  // Long: over four times the median input. Between: over twice. Oversized: long, for an answer of ordinary length.
  body: `${usual},
marked as (
  select s.feature as feature, s.model as model, s.input_tokens as input_tokens,
    s.cached_input_tokens as cached_input_tokens, s.cost_usd as cost_usd, usual.calls as calls,
    greatest(median_input, 1) as median, input_tokens > 4 * median as long,
    not long and input_tokens > 2 * median as between,
    long and s.output_tokens <= 2 * greatest(median_output, 1) as oversized,
    if(oversized, input_tokens - median, 0) as excess
  from scoped as s
  inner join usual on usual.feature = s.feature and usual.model = s.model
  where s.status = 'ok'
)
select feature, model,
  toUInt32(any(marked.calls)) as calls,
  toString(any(median)) as median_input_tokens,
  toUInt32(countIf(long)) as long_calls,
  toUInt32(countIf(between)) as between_calls,
  toUInt32(countIf(oversized)) as oversized_calls,
  toString(sumIf(input_tokens, oversized)) as oversized_input_tokens,
  toString(sum(excess)) as excess_input_tokens,
  toString(sum(least(excess, cached_input_tokens))) as excess_cached_input_tokens,
  toString(sumIf(cost_usd, oversized)) as oversized_cost_usd
from marked
group by feature, model
having oversized_calls > 0
order by sum(excess) desc, feature, model
limit {limit:UInt32}`,
};

export const outputHeavy: UsageQuestion = {
  name: 'output_heavy',
  limit: 100,
  // Long: over four times the median answer, to a prompt of ordinary length. Between: over twice.
  body: `${usual},
marked as (
  select s.feature as feature, s.model as model, s.output_tokens as output_tokens, s.cost_usd as cost_usd,
    usual.calls as calls, greatest(median_output, 1) as median,
    output_tokens > 4 * median as longest,
    longest and s.input_tokens <= 2 * greatest(median_input, 1) as long,
    not longest and output_tokens > 2 * median as between
  from scoped as s
  inner join usual on usual.feature = s.feature and usual.model = s.model
  where s.status = 'ok'
)
select feature, model,
  toUInt32(any(marked.calls)) as calls,
  toString(any(median)) as median_output_tokens,
  toUInt32(countIf(longest)) as longest_answers,
  toUInt32(countIf(between)) as between_answers,
  toUInt32(countIf(long)) as long_answers,
  toString(sumIf(output_tokens, long)) as long_output_tokens,
  toString(sumIf(output_tokens - median, long)) as tokens_over_median,
  toString(sumIf(output_tokens - 2 * median, long)) as tokens_over_twice_median,
  toString(sumIf(cost_usd, long)) as long_cost_usd
from marked
group by feature, model
having long_answers > 0
order by sumIf(output_tokens - median, long) desc, feature, model
limit {limit:UInt32}`,
};

export const retriesAndErrors: UsageQuestion = {
  name: 'retries_and_errors',
  limit: 100,
  // Paid for nothing: a call that failed, and one that worked but was made again, as its caller had not waited for it.
  body: `,
marked as (
  select *, status != 'ok' as failed,
    not failed and request_id != '' and request_id in (select retry_of from scoped where retry_of != '') as dropped,
    (failed and cost_usd > 0) or dropped as wasted
  from scoped
)
select feature, model,
  arrayStringConcat(arraySort(groupUniqArrayIf(10)(error, error != '')), ', ') as error,
  toUInt32(count()) as calls,
  toUInt32(countIf(failed)) as failed_calls,
  toString(sumIf(cost_usd, failed)) as failed_cost_usd,
  toUInt32(countIf(dropped)) as dropped_calls,
  toString(sumIf(cost_usd, dropped)) as dropped_cost_usd,
  toUInt32(countIf(wasted)) as wasted_calls,
  toString(sumIf(marked.input_tokens, wasted)) as wasted_input_tokens,
  toString(sumIf(marked.cached_input_tokens, wasted)) as wasted_cached_input_tokens,
  toString(sumIf(marked.output_tokens, wasted)) as wasted_output_tokens,
  toString(sumIf(cost_usd, wasted)) as wasted_cost_usd,
  toUInt32(countIf(retry_of != '')) as retry_calls,
  toString(sumIf(cost_usd, retry_of != '')) as retry_cost_usd
from marked
group by feature, model
having failed_calls > 0 or retry_calls > 0
order by sumIf(cost_usd, wasted) desc, feature, model
limit {limit:UInt32}`,
};

export const offPeakShare: UsageQuestion = {
  name: 'off_peak_share',
  limit: 100,
  // Tokens and cost by hour, 0 to 23 UTC: when nobody waits is told by the organisation's own hours, not by ours.
  body: `
select feature, model,
  toUInt32(count()) as calls,
  toUInt32(uniqExactIf(user_id, user_id != '')) as users,
  toUInt32(uniqExact(toDate(at))) as active_days,
  toUInt32(countIf(toHour(at) >= 22 or toHour(at) < 6)) as off_peak_calls,
  round(off_peak_calls / calls, 4) as off_peak_share,
  toString(sum(scoped.input_tokens)) as input_tokens,
  toString(sum(scoped.cached_input_tokens)) as cached_input_tokens,
  toString(sum(scoped.output_tokens)) as output_tokens,
  toString(sum(scoped.cost_usd)) as cost_usd,
  arrayMap(n -> toUInt32(n), sumForEach(arrayMap(h -> toUInt64(toHour(at) = h), range(24)))) as calls_by_hour
from scoped
group by feature, model
order by sum(scoped.cost_usd) desc, feature, model
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
