import type { UsageQuestion } from './usage-questions.ts';

/** Questions about what changed over time: a user's days, a feature's days, the prompts of a feature. */
export const userBursts: UsageQuestion = {
  name: 'user_bursts',
  limit: 100,
  // A burst: a day that cost over ten times the user's own median day and everybody's, and over four times what the
  // median user cost on that very day: where all do more, it is no user's doing.
  body: `,
user_days as (
  select user_id, toDate(at) as day, count() as calls, sum(cost_usd) as cost
  from scoped
  where user_id != ''
  group by user_id, day
),
own as (
  select user_id, count() as active_days, quantileExact(0.5)(cost) as median
  from user_days
  group by user_id
),
that_day as (
  select day, quantileExact(0.5)(cost) as median
  from user_days
  group by day
),
everybody as (
  select uniqExact(user_id) as users, quantileExact(0.5)(cost) as median
  from user_days
)
select d.user_id as user_id,
  toUInt32((select users from everybody)) as users,
  toUInt32(any(own.active_days)) as active_days,
  toString(any(own.median)) as own_median_day_usd,
  toString((select median from everybody)) as median_day_usd,
  toUInt32(count()) as burst_days,
  arraySort(groupArray(20)(toString(d.day))) as days,
  toUInt32(sum(d.calls)) as burst_calls,
  toString(sum(d.cost)) as burst_cost_usd
from user_days as d
inner join own on own.user_id = d.user_id
inner join that_day on that_day.day = d.day
where d.cost > 10 * own.median and d.cost > 10 * (select median from everybody) and d.cost > 4 * that_day.median
group by d.user_id
order by sum(d.cost) desc, user_id
limit {limit:UInt32}`,
};

export const costSpikes: UsageQuestion = {
  name: 'cost_spikes',
  limit: 100,
  // A day against the median of its like: working days among themselves, weekends among themselves; where there are
  // fewer than eight of a kind, against the larger of its own and the median of all days.
  body: `,
user_days as (
  select feature, toDate(at) as day, user_id, count() as calls, sum(cost_usd) as cost
  from scoped
  group by feature, day, user_id
),
days as (
  select feature, day, toDayOfWeek(day) >= 6 as weekend, sum(user_days.calls) as calls, sum(user_days.cost) as cost,
    maxIf(user_days.cost, user_id != '') as dearest_user
  from user_days
  group by feature, day
),
kinds as (
  select feature, weekend, count() as number, quantileExact(0.5)(cost) as median, quantileExact(0.5)(calls) as usual_calls
  from days
  group by feature, weekend
),
alike as (
  select feature, count() as number, quantileExact(0.5)(cost) as median
  from days
  group by feature
),
judged as (
  select d.feature as feature, d.weekend as weekend, d.day as day, d.calls as calls, d.cost as cost,
    d.dearest_user as dearest_user, kinds.usual_calls as usual_calls,
    if(kinds.number >= 8, kinds.number, alike.number) as active_days,
    if(kinds.number >= 8, kinds.median, greatest(kinds.median, alike.median)) as median_cost,
    d.cost > 4 * median_cost as spike
  from days as d
  inner join kinds on kinds.feature = d.feature and kinds.weekend = d.weekend
  inner join alike on alike.feature = d.feature
),
ordinary as (
  select feature, max(cost) as largest
  from judged
  where not spike
  group by feature
)
select j.feature as feature,
  if(j.weekend, 'weekend', 'working day') as kind_of_day,
  toUInt32(any(j.active_days)) as active_days,
  toUInt32(any(j.usual_calls)) as median_day_calls,
  toString(any(j.median_cost)) as median_day_usd,
  toString(any(ordinary.largest)) as largest_other_day_usd,
  toUInt32(count()) as spike_days,
  arraySort(groupArray(20)(toString(j.day))) as days,
  toUInt32(sum(j.calls)) as spike_calls,
  toString(min(j.cost)) as smallest_spike_usd,
  toString(sum(j.cost)) as spike_cost_usd,
  toString(sum(j.dearest_user)) as dearest_users_usd
from judged as j
inner join ordinary on ordinary.feature = j.feature
where j.spike
group by j.feature, j.weekend
order by sum(j.cost) desc, feature, kind_of_day
limit {limit:UInt32}`,
};

export const promptGrowth: UsageQuestion = {
  name: 'prompt_growth',
  limit: 100,
  // Medians of days with at least ten calls, the last 92: what a few odd calls send does not move them.
  body: `,
days as (
  select feature, model, toDate(at) as day, count() as calls,
    quantileExact(0.5)(input_tokens) as median_input,
    quantileExact(0.5)(output_tokens) as median_output,
    sum(input_tokens) as input_sum,
    sum(cached_input_tokens) as cached_sum
  from scoped
  where status = 'ok' and feature != ''
  group by feature, model, day
  having calls >= 10
),
series as (
  select feature, model,
    arraySlice(arraySort(groupArray((day, days.calls, median_input, median_output, input_sum, cached_sum))), -92) as points,
    intDiv(length(points), 3) as third
  from days
  group by feature, model
  having count() >= 14
)
select feature, model,
  toUInt32(length(points)) as days,
  toString(tupleElement(points[1], 1)) as first_day,
  toString(tupleElement(points[-1], 1)) as last_day,
  toUInt32(third) as days_in_a_third,
  round(arrayAvg(arrayMap(d -> d.3, arraySlice(points, 1, third))), 2) as first_third_input,
  round(arrayAvg(arrayMap(d -> d.3, arraySlice(points, -third))), 2) as last_third_input,
  round(arrayAvg(arrayMap(d -> d.4, arraySlice(points, 1, third))), 2) as first_third_output,
  round(arrayAvg(arrayMap(d -> d.4, arraySlice(points, -third))), 2) as last_third_output,
  toUInt32(arraySum(arrayMap(d -> d.2, arraySlice(points, -third)))) as last_third_calls,
  toString(arraySum(arrayMap(d -> d.5, arraySlice(points, -third)))) as last_third_input_tokens,
  toString(arraySum(arrayMap(d -> d.6, arraySlice(points, -third)))) as last_third_cached_tokens,
  round(arrayReduce('corr', arrayMap(i -> toFloat64(i), range(length(points))), arrayMap(d -> toFloat64(d.3), points)), 4) as steadiness
from series
where last_third_input > first_third_input
order by (last_third_input - first_third_input) * last_third_calls desc, feature, model
limit {limit:UInt32}`,
};
