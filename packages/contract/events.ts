import { z } from 'zod';

/** Big integers travel as decimal strings: JSON numbers lose exactness beyond 2^53. */
export const microCredits = z.string().regex(/^-?\d{1,19}$/, 'an integer number of micro-credits, as a string');

/** An amount that a caller asks for: whole, and not negative. */
export const amountMicro = z.string().regex(/^\d{1,18}$/, 'a whole number of micro-credits, as a string');

export const receipt = z.object({
  held_micro: microCredits,
  spent_micro: microCredits,
  released_micro: microCredits,
  balance_micro: microCredits,
});
export type Receipt = z.infer<typeof receipt>;

const callId = z.string().min(1).max(128);
const toolName = z.string().min(1).max(64);

/**
 * Text since the last `tool_completed` is void and begins anew here: its model call was cut off, by a crash or by a
 * broken stream, and another answer came the second time.
 */
const restarts = z.literal(true).optional();

const tokens = z.number().int().nonnegative();

/** The model call that a charge is for, as the provider counted it and the prices in force rated it. */
const modelUsage = z.object({
  model: z.string(),
  input_tokens: tokens,
  cached_input_tokens: tokens,
  cache_write_tokens: tokens.optional(),
  output_tokens: tokens,
  reasoning_tokens: tokens.optional(),
  cost_usd: z.string(),
  price_book: z.string(),
  /** The provider gave no count, or none that can be: counted by what was sent and received. */
  estimated: z.literal(true).optional(),
  /** What came was no whole answer; the call was made again, or the run ended. */
  broken_off: z.literal(true).optional(),
});
export type ModelUsage = z.infer<typeof modelUsage>;

/** The limit that ended a run: what it is, how much is used, and which plan lifts it. */
export const reachedLimit = z.object({
  limit: z.string(),
  used: z.string(),
  max: z.string(),
  plan_that_lifts_it: z.string().nullable(),
});
export type ReachedLimit = z.infer<typeof reachedLimit>;

/** What each event type carries in `data`. */
export const eventData = {
  agent_started: z.object({
    agent: z.string(),
    model: z.string(),
    thread: z.string(),
    held_micro: microCredits,
    /** The most that the run may cost, where its caller said so. */
    max_credits_micro: microCredits.optional(),
    /** The run that this one waits behind, where its thread was busy. */
    behind: z.string().optional(),
    /** When it begins, where that is later. */
    start_at: z.string().optional(),
  }),
  agent_thinking: z.object({ text: z.string(), restarts }),
  agent_message: z.object({ text: z.string(), restarts }),
  tool_executing: z.object({ call_id: callId, tool: toolName, input: z.unknown() }),
  tool_completed: z.object({
    call_id: callId,
    tool: toolName,
    ok: z.boolean(),
    output: z.unknown().optional(),
    error: z.object({ code: z.string(), message: z.string() }).optional(),
    duration_ms: z.number().nonnegative(),
  }),
  approval_requested: z.object({ call_id: callId, tool: toolName, input: z.unknown(), reason: z.string() }),
  approval_given: z.object({ call_id: callId, approved: z.boolean(), by: z.string() }),
  credits_charged: z.object({
    amount_micro: microCredits,
    reason: z.string(),
    balance_micro: microCredits,
    usage: modelUsage.optional(),
  }),
  agent_completed: z.object({ output: z.unknown(), credits: receipt }),
  agent_failed: z.object({ code: z.string(), message: z.string(), limit: reachedLimit.optional(), credits: receipt }),
  agent_cancelled: z.object({ by: z.string(), credits: receipt }),
} as const;

export type EventType = keyof typeof eventData;
export type EventData<T extends EventType> = z.infer<(typeof eventData)[T]>;

/** An event before it has a place in the log. */
export type NewEvent = { [T in EventType]: { readonly type: T; readonly data: EventData<T> } }[EventType];

/** An event as the log keeps it: `seq` is dense from 1 in each run (R1), `at` is database time in ISO UTC. */
export type RunEvent = NewEvent & { readonly run: string; readonly seq: number; readonly at: string };

export const eventTypes = Object.keys(eventData) as readonly EventType[];
export const terminalEventTypes = ['agent_completed', 'agent_failed', 'agent_cancelled'] as const;
export type TerminalEventType = (typeof terminalEventTypes)[number];
export type TerminalEvent = Extract<NewEvent, { type: TerminalEventType }>;

export function isTerminal(type: EventType): type is TerminalEventType {
  return (terminalEventTypes as readonly EventType[]).includes(type);
}

/** Narrows an untyped type and data pair; throws a ZodError that names the field that is wrong. */
export function parseEvent(type: string, data: unknown): NewEvent {
  const known = z.enum(eventTypes as [EventType, ...EventType[]]).parse(type);
  return { type: known, data: eventData[known].parse(data) } as NewEvent;
}
