import { NetraError } from '@netra/contract';
import { type Ctx, parseInput } from '../platform/index.ts';
import { usageScope, type Answer, type NamedQuery, type UsageScope } from './schemas.ts';
import type { UsageQuestion } from './sql/usage-questions.ts';
import { parseTime } from './usage-time.ts';

const filters = {
  source: 'source = {source:String}',
  from: "at >= {from:DateTime64(7, 'UTC')}",
  to: "at < {to:DateTime64(7, 'UTC')}",
  model: 'model = {model:String}',
  feature: 'feature = {feature:String}',
  user_id: 'user_id = {user_id:String}',
} as const;

/**
 * T1: this file is the one place where a usage query is made. A question reads only `scoped`, which is the organisation's rows and
 * no other's, so none can be written that forgets the tenant.
 */
export function buildQuery(org_id: string, question: UsageQuestion, input: UsageScope): NamedQuery {
  const { limit, ...given } = parseInput(usageScope, input);
  const params: Record<string, unknown> = {};
  const conditions: string[] = [];
  for (const [name, condition] of Object.entries(filters)) {
    const value = given[name as keyof typeof filters];
    if (value === undefined) continue;
    params[name] = name === 'from' || name === 'to' ? timeParam(name, value) : value;
    conditions.push(condition);
  }
  if (question.limit !== null) params['limit'] = limit ?? question.limit;
  return scopedQuery(org_id, { name: question.name, conditions, params, body: question.body });
}

/** A query whose `body` continues after `scoped`, the rows of the organisation that meet the conditions. */
export function scopedQuery(
  org_id: string,
  {
    name,
    conditions,
    params,
    body,
  }: {
    readonly name: string;
    readonly conditions: readonly string[];
    readonly params: Readonly<Record<string, unknown>>;
    readonly body: string;
  },
): NamedQuery {
  const all = ['org_id = {org:UUID}', ...conditions].join('\n    and ');
  return {
    name,
    text: `with scoped as (\n  select * from usage\n  where ${all}\n)${body}`,
    params: { ...params, org: org_id },
  };
}

/** Asks a question about the caller's organisation. */
export async function ask<Row>(ctx: Ctx, question: UsageQuestion, input: UsageScope): Promise<Answer<Row>> {
  const query = buildQuery(ctx.principal.org_id, question, input);
  return { query, rows: await ctx.platform.clickhouse.query<Row>(query.text, query.params) };
}

function timeParam(name: string, value: string): string {
  const time = parseTime(/^\d{4}-\d\d-\d\d$/.test(value) ? `${value}T00:00:00Z` : value);
  if (time === undefined) throw new NetraError('invalid_request', `${name} is not a date or time in ISO 8601`);
  return time;
}
