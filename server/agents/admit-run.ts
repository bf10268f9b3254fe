import { NetraError, type IfBusy } from '@netra/contract';
import type { Ctx, Platform } from '../platform/index.ts';
import { isStorable, maxEventData_bytes, nodeOf, type Claim, type Seat } from '../runs/index.ts';
import type { Agent } from './define-agent.ts';
import { agentsOf } from './find-agent.ts';
import { admissionsOf } from './group-admissions.ts';
import { hashRequest } from './hash-request.ts';
import { modelNameFor } from './models/choose-model.ts';
import type { AdmitArguments, AdmittedRow } from './sql/admit-run.ts';
import { tellTurn } from './tell-turns.ts';

export interface AdmitInput {
  /** The conversation it belongs to; a new one if absent. */
  readonly thread?: string | undefined;
  readonly agent: string;
  readonly input: unknown;
  readonly idempotency_key: string;
  /** The most that the run may cost, in micro-credits as a decimal string: it parks and asks before it goes beyond. */
  readonly max_credits_micro?: string | undefined;
  /** What it does if the thread is busy; by default it waits. */
  readonly if_busy?: IfBusy | undefined;
  /** When it begins, at most a year ahead: a time in ISO 8601, or milliseconds from now. */
  readonly start_at?: string | undefined;
  readonly delay_ms?: number | undefined;
}

/**
 * Admits a run in one round trip: plan limits, a hold for the agent's fee, the run and its first event, or nothing.
 * The same key and request again answers the same run. This node takes the lease at once if its worker has room.
 * A run that waits for its thread or its time holds nothing until it begins (decision 0021).
 * Throws thread_busy, queue_full, agent_not_in_plan, concurrent_runs, plan_limit, insufficient_credits, spending_cap, budget_reached (each names
 * the limit and the plan that lifts it), idempotency_key_reused, not_found.
 */
export async function admitRun({
  ctx,
  input,
}: {
  readonly ctx: Ctx;
  readonly input: AdmitInput;
}): Promise<{ readonly run: string; readonly thread: string }> {
  const { platform } = ctx;
  const input_json = checkRequest(ctx, input);
  const node = nodeOf(platform);
  const seat = node.worker?.reserve() ?? null;
  try {
    const admit = askFor(ctx, input, input_json, seat);
    const row = await admissionsOf(platform).call(admit);
    const seated = !row.replayed && row.state === 'running';
    if (seated && seat) sit(ctx, seat, admit, input.input, row);
    else seat?.leave();
    if (!seated && !row.replayed) tellTurn(platform, ctx.principal.user_id, row);
    return { run: row.run_id, thread: row.thread_id };
  } catch (error) {
    seat?.leave();
    throw error;
  }
}

/** What can be said of a request without asking the database; its input as JSON. Throws invalid_request, forbidden. */
export function checkRequest(
  { platform, principal }: Ctx,
  { agent, input }: Pick<AdmitInput, 'agent' | 'input'>,
): string {
  if (principal.role === 'viewer') throw new NetraError('forbidden', 'A viewer cannot run agents.');
  // An agent says what it takes.
  agentHere(platform, agent)?.parseInput(input);
  if (!isStorable(input)) {
    throw new NetraError('invalid_request', 'The input contains U+0000 or half of a surrogate pair.', {
      field: 'input',
    });
  }
  const json = JSON.stringify(input ?? null);
  const bytes = Buffer.byteLength(json);
  if (bytes > maxEventData_bytes) {
    const detail = { field: 'input', bytes, max_bytes: maxEventData_bytes };
    throw new NetraError('payload_too_large', `The input is over ${maxEventData_bytes / 1024} KiB.`, detail);
  }
  return json;
}

/** Undefined for one that is not here: whether the plan has it is answered first, then that it is not here. */
function agentHere(platform: Platform, agent: string): Agent | undefined {
  return agentsOf(platform).find(({ name }) => name === agent);
}

function askFor(
  { platform, principal }: Ctx,
  input: AdmitInput,
  input_json: string,
  seat: Seat | null,
): AdmitArguments {
  const { ids, config } = platform;
  const agent = agentHere(platform, input.agent);
  const start_at = startOf(platform, input);
  return {
    org_id: principal.org_id,
    user_id: principal.user_id,
    role: principal.role,
    run_id: ids.uuid(),
    thread_id: input.thread ?? ids.uuid(),
    new_thread: input.thread === undefined,
    message_id: ids.uuid(),
    hold_id: ids.uuid(),
    agent: input.agent,
    model: agent ? modelNameFor(agent, config) : null,
    input_json,
    // The loop grows the hold by the ceiling of each model call before it makes it.
    model_micro: 0n,
    idempotency_key: input.idempotency_key,
    request_hash: hashRequest(input),
    node_id: seat ? platform.node_id : null,
    if_busy: input.if_busy ?? 'enqueue',
    start_at,
    lease_ms: config.lease_ms,
    lease_token: ids.uuid(),
    max_micro: capOf(agent, input),
    credits: config.credits,
  };
}

/** The lower of what the caller and the agent allow; null = no cap. */
function capOf(agent: Agent | undefined, { max_credits_micro }: AdmitInput): bigint | null {
  const own_micro = agent?.budget_micro ?? null;
  if (max_credits_micro === undefined) return own_micro;
  const asked_micro = BigInt(max_credits_micro);
  return own_micro !== null && own_micro < asked_micro ? own_micro : asked_micro;
}

function startOf({ clock }: Platform, { start_at, delay_ms }: AdmitInput): string | null {
  if (start_at === undefined) return delay_ms === undefined ? null : new Date(clock.nowMs() + delay_ms).toISOString();
  if (delay_ms === undefined) return start_at;
  throw new NetraError('invalid_request', 'Say start_at or delay_ms, not both.', { field: 'delay_ms' });
}

/** The run is this node's from its first event on: its readers and its worker need no query to find that out. */
function sit({ platform, principal }: Ctx, seat: Seat, admit: AdmitArguments, input: unknown, row: AdmittedRow): void {
  const { org_id, run_id, agent, lease_token } = admit;
  const model = admit.model ?? '';
  const started = {
    type: 'agent_started',
    data: {
      agent,
      model,
      thread: row.thread_id,
      held_micro: String(row.held_micro ?? row.fee_micro),
      ...(admit.max_micro === null ? {} : { max_credits_micro: String(admit.max_micro) }),
    },
    run: run_id,
    seq: 1,
    at: row.at.toISOString(),
  } as const;
  nodeOf(platform).feed.open({ org_id, run_id, epoch: 1, events: [started], head: 1 });
  const claim: Claim = {
    org_id,
    run_id,
    thread_id: row.thread_id,
    user_id: principal.user_id,
    role: principal.role,
    agent,
    model,
    input: input ?? null,
    // What begins at once is held at once, under the id that we gave.
    hold_id: admit.hold_id,
    fee_micro: row.fee_micro,
    lease_token,
    attempt: 1,
    fruitless: 1,
    deadline_at: row.deadline_at,
    deadline_in_ms: row.deadline_in_ms,
    idempotency_key: admit.idempotency_key,
    last_seq: 1,
    epoch: 1,
    cancel_requested_by: null,
  };
  seat.take(claim);
}
