import { z } from 'zod';
import { amountMicro, microCredits, receipt } from './events.ts';
import { turnMembers } from './turns.ts';

/**
 * REST bodies under `/v1`. Amounts are micro-credits as decimal strings, times ISO 8601 UTC, ids UUIDs.
 * The server checks what it sends against these too, so a field that is not named here never leaves it.
 */

const uuid = z.uuid();
const at = z.iso.datetime();
const count = z.number().int().nonnegative();

/** An error of any operation (RFC 9457), `application/problem+json`. Further members are facts about the refusal. */
export const problem = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  code: z.string(),
  retryable: z.boolean(),
  trace_id: z.string(),
  limit: z.string().optional(),
  used: z.string().optional(),
  max: z.string().optional(),
  plan_that_lifts_it: z.string().nullable().optional(),
});
export type Problem = z.infer<typeof problem>;

/** Every list: `?limit=` up to 200 a page, `?cursor=` from the page before. */
export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().min(1).max(512).optional(),
});
export type PageQuery = z.infer<typeof pageQuery>;

/** Oldest first, or newest first. */
const order = z.enum(['asc', 'desc']);

/** One page; `next` is the cursor of the following one, null on the last. Opaque: only ever sent back. */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item), next: z.string().nullable() });
}

export const signUpBody = z.object({
  email: z.email().max(254),
  password: z.string().min(12).max(128),
  org: z.string().trim().min(1).max(200),
  name: z.string().trim().min(1).max(200).optional(),
});
export type SignUpBody = z.input<typeof signUpBody>;

export const signInBody = z.object({
  email: z.email().max(254),
  password: z.string().min(1).max(128),
  /** Which organisation to act in; the one joined first if absent. */
  org: uuid.optional(),
});
export type SignInBody = z.input<typeof signInBody>;

/** A signed-in user: a short-lived access token, and what renews it. */
export const session = z.object({
  token: z.string(),
  expires_in: z.number().int(),
  refresh_token: z.string(),
  org: uuid,
  user: uuid,
});
export type Session = z.infer<typeof session>;
export const refreshBody = z.object({ refresh_token: z.string().min(1).max(4096) });

export const role = z.enum(['owner', 'admin', 'member', 'viewer']);

export const me = z.object({
  org: uuid,
  org_name: z.string(),
  user: uuid,
  email: z.string(),
  name: z.string(),
  role,
  kind: z.enum(['user', 'api_key']),
  plan: z.string().nullable(),
});
export type Me = z.infer<typeof me>;

/** Something was ended or changed; there is nothing more to say. */
export const done = z.object({ done: z.literal(true) });

export const member = z.object({ user: uuid, email: z.string(), name: z.string(), role, joined_at: at });
export type Member = z.infer<typeof member>;
export const changeRoleBody = z.object({ role });

/** Netra sends no mail: whoever invites passes the invitation on. */
export const inviteBody = z.object({
  email: z.email().max(254),
  role: z.enum(['admin', 'member', 'viewer']).default('member'),
});
export const invitation = z.object({ invitation: uuid, expires_at: at });
export type Invitation = z.infer<typeof invitation>;
export const acceptInvitationBody = signUpBody.omit({ org: true }).extend({ invitation: uuid });

export const createApiKeyBody = z.object({
  name: z.string().trim().min(1).max(200),
  /** What the key may do: no more than whoever makes it. */
  role: role.default('member'),
  /** A day to a year; absent = until it is revoked. */
  expires_in_s: z
    .number()
    .int()
    .min(24 * 3600)
    .max(365 * 24 * 3600)
    .optional(),
});
export const apiKey = z.object({
  key: uuid,
  name: z.string().nullable(),
  start: z.string(),
  role,
  created_by: uuid,
  created_at: at,
  expires_at: at.nullable(),
});
export type ApiKey = z.infer<typeof apiKey>;
/** `secret` is shown here and never again. */
export const newApiKey = apiKey
  .pick({ key: true, name: true, role: true, expires_at: true })
  .extend({ secret: z.string() });
export type NewApiKey = z.infer<typeof newApiKey>;

/** RFC 7517: public keys that check our access tokens. */
export const jwks = z.object({
  keys: z.array(
    z.object({
      kid: z.string(),
      kty: z.string(),
      crv: z.string(),
      x: z.string(),
      alg: z.string(),
      use: z.string(),
    }),
  ),
});

/**
 * `balance_micro` can be spent now; `debt_micro` was spent beyond all credits, and the next ones given pay it first.
 * `overage_micro` is what is spent or held, in this period, of the line that the plan has beyond its credits.
 */
export const credits = z.object({
  balance_micro: microCredits,
  held_micro: microCredits,
  debt_micro: microCredits,
  overage_micro: microCredits,
});
export type Credits = z.infer<typeof credits>;

/**
 * One movement of credits. `transfer` is its place in the organisation's history, dense from 1; `amount_micro` what it
 * did to the balance, `balance_micro` the balance after it: all amounts add up to it.
 */
export const transfer = z.object({
  transfer: z.string().regex(/^[1-9]\d*$/),
  at,
  kind: z.enum(['grant', 'hold', 'extend', 'capture', 'settle', 'overage', 'expire', 'refund', 'move', 'line']),
  amount_micro: microCredits,
  held_micro: microCredits,
  spent_micro: microCredits,
  balance_micro: microCredits,
  reason: z.string(),
  agent: z.string().nullable(),
  run: uuid.nullable(),
});
export type Transfer = z.infer<typeof transfer>;

/** What a plan allows. Null = no limit. */
export const plan = z.object({
  plan: z.string(),
  price_usd: z.string(),
  credits_micro: microCredits,
  runs_month: count.nullable(),
  seconds_run: count.nullable(),
  concurrent_runs: count.nullable(),
  requests_hour: count.nullable(),
  agents: z.array(z.string()),
});
export type Plan = z.infer<typeof plan>;

export const agent = z.object({
  agent: z.string(),
  title: z.string(),
  description: z.string(),
  fee_micro: microCredits,
  in_plan: z.boolean(),
  plan_that_lifts_it: z.string().nullable(),
});
export type Agent = z.infer<typeof agent>;

export const createThreadBody = z.object({ title: z.string().trim().min(1).max(200).optional() });
export const thread = z.object({ thread: uuid, title: z.string().nullable(), created_at: at });
export type Thread = z.infer<typeof thread>;

export const createRunBody = z.object({
  agent: z.string().min(1).max(64),
  input: z.unknown(),
  /** The most that the run may cost; it parks and asks before it goes beyond. */
  max_credits_micro: amountMicro.optional(),
  ...turnMembers,
});
export const runState = z.enum([
  'scheduled',
  'waiting',
  'queued',
  'running',
  'parked',
  'completed',
  'failed',
  'cancelled',
]);
export const run = z.object({
  run: uuid,
  thread: uuid,
  agent: z.string(),
  model: z.string(),
  state: runState,
  epoch: count,
  last_seq: count,
  attempt: count,
  max_credits_micro: microCredits.nullable(),
  created_at: at,
  /** When a scheduled run is due, or was; null = it was asked for at once. */
  start_at: at.nullable(),
  ended_at: at.nullable(),
  credits: receipt.nullable(),
});
export type Run = z.infer<typeof run>;
/** `state` and `thread`: only those. */
export const runsQuery = pageQuery.extend({
  cursor: z.uuid('a cursor as a page before gave it').optional(),
  state: runState.optional(),
  thread: z.uuid().optional(),
  order: order.default('desc'),
});

/** What was said in a thread: the input of each run, and the output of each that completed. */
export const message = z.object({
  message: uuid,
  run: uuid,
  author: z.enum(['user', 'agent']),
  content: z.unknown(),
  created_at: at,
});
export type Message = z.infer<typeof message>;
export const messagesQuery = pageQuery.extend({
  cursor: z.uuid('a cursor as a page before gave it').optional(),
  order: order.default('asc'),
});
export const acceptedRun = z.object({ run: uuid, thread: uuid });
export type AcceptedRun = z.infer<typeof acceptedRun>;
export const approvalBody = z.object({ approved: z.boolean() });
/** Said yes to; the effect shows in the run's events. */
export const accepted = z.object({ accepted: z.literal(true) });

/** Where `GET /v1/runs/:id/events` starts: after a sequence number, of one epoch. */
export const eventsQuery = z.object({
  after: z.coerce.number().int().nonnegative().default(0),
  epoch: z.coerce.number().int().nonnegative().optional(),
});

const usageKey = '(day|hour|user|agent|feature|provider|model)';
/** One name, or the parameter given up to 20 times. An empty one is calls that name none. */
const usageNames = z.union([z.string().max(512), z.array(z.string().max(512)).min(1).max(20)]).optional();

/**
 * What to sum, and by what. `from` is included, `to` is not; whole days and hours are answered fastest. `by` is up to
 * three of day, hour, user, agent, feature, provider and model, with commas; or `total`; or `coverage`: which columns
 * there are.
 */
export const usageQuery = z.object({
  by: z
    .string()
    .regex(new RegExp(`^(total|coverage|${usageKey}(,${usageKey}){0,2})$`), 'up to three keys with commas, or total')
    .default('total'),
  from: at.optional(),
  to: at.optional(),
  /** Calls that came in from elsewhere, that runs of agents here made, or both. */
  source: z.enum(['import', 'run', 'all']).default('import'),
  user: usageNames,
  agent: usageNames,
  feature: usageNames,
  provider: usageNames,
  model: usageNames,
  /** Largest first; by key where days or hours are asked for. */
  order: z.enum(['key', 'calls', 'errors', 'input_tokens', 'output_tokens', 'cost']).optional(),
  /** Adds p50, p95 and p99 of a call: of its time in `latency_ms`, of its cost in `cost_usd_each`; 1 % off at most. */
  quantiles: z
    .string()
    .regex(/^(latency|cost|latency,cost|cost,latency)$/, 'latency, cost or both with a comma')
    .optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  cursor: z.string().min(1).max(4096).optional(),
});
export type UsageQuery = z.input<typeof usageQuery>;
/** Figures with the query that gave them: its name, text and bound values. Numbers are exact decimal strings. */
export const namedQuery = z.object({ name: z.string(), text: z.string(), params: z.record(z.string(), z.unknown()) });
export const usage = z.object({
  query: namedQuery,
  rows: z.array(z.record(z.string(), z.unknown())),
  /** All groups behind this page, summed; null on the last. */
  rest: z.record(z.string(), z.unknown()).nullable(),
  next: z.string().nullable(),
});
export type Usage = z.infer<typeof usage>;

/** The largest usage file, 2 GiB: about 50 million calls. */
export const maxUsageFileBytes = 2 ** 31;

/** How to read an uploaded usage file. `map` is `field=Column,field=Column`. */
export const usageImportQuery = z.object({
  /** `auto`: told from the file's beginning; the answer says which. */
  format: z.enum(['auto', 'csv', 'ndjson', 'litellm', 'langfuse']),
  map: z.string().max(2000).optional(),
  model: z.string().min(1).max(128).optional(),
  user: z.string().min(1).max(128).optional(),
  skip_bad: z.stringbool().default(false),
  /** Generated data: it is called synthetic wherever it shows. */
  synthetic: z.stringbool().default(false),
});
export type UsageImportQuery = z.input<typeof usageImportQuery>;

export const usageImport = z.object({
  /** What the file was read as. */
  format: z.string(),
  /** Records that are no calls of a language model. */
  skipped: count,
  accepted: count,
  rejected: count,
  duplicates: count,
  errors: z.array(z.object({ line: count, message: z.string() })),
  totals: z.object({
    calls: z.string(),
    input_tokens: z.string(),
    cached_input_tokens: z.string(),
    output_tokens: z.string(),
    cost_usd: z.string(),
  }),
});
export type UsageImport = z.infer<typeof usageImport>;
