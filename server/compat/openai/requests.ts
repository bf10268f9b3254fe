import { amountMicro, ifBusy, NetraError } from '@netra/contract';
import { z } from 'zod';
import type { Told } from '../start-run.ts';

const parts = z.array(z.looseObject({ type: z.string().max(64), text: z.string().optional() })).max(1_000);
const message = z.looseObject({
  role: z.string().max(32).optional(),
  content: z.union([z.string(), parts]).nullish(),
});

/** Ours, in both (`extra_body` of the client): an input for agents that take more than text, the run's cap, and what
 * it does if the conversation is busy. */
const ours = {
  netra_input: z.unknown().optional(),
  netra_max_credits_micro: amountMicro.optional(),
  netra_if_busy: ifBusy.optional(),
};
const model = z.string().min(1).max(64);

export const chatCompletionRequest = z.looseObject({
  model,
  messages: z.array(message).min(1).max(1_000),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().optional() }).nullish(),
  n: z.literal(1, 'only one choice is made').nullish(),
  ...ours,
});

export const createResponseRequest = z.looseObject({
  model,
  input: z.union([z.string(), z.array(message).min(1).max(1_000)]).optional(),
  stream: z.boolean().nullish(),
  background: z.boolean().nullish(),
  previous_response_id: z.string().max(64).nullish(),
  ...ours,
});

export const readResponseQuery = z.looseObject({
  stream: z.stringbool().default(false),
  starting_after: z.coerce.number().int().nonnegative().optional(),
});

type Said = readonly z.output<typeof message>[] | string | undefined;

/** The text of the user's last message. */
export function questionOf(said: Said, own: unknown): unknown {
  if (own !== undefined) return own;
  if (typeof said === 'string') return said;
  const last = said?.findLast(({ role }) => role === undefined || role === 'user');
  if (last === undefined) throw new NetraError('invalid_request', 'There is no message of the user.');
  return textOf(last);
}

/** The request's messages as words. */
export function toldOf(said: Said): readonly Told[] {
  if (said === undefined || typeof said === 'string') return [];
  return said.map((each) => ({ role: each.role, text: textOf(each) }));
}

function textOf({ content }: z.output<typeof message>): string {
  if (typeof content === 'string') return content;
  return (content ?? []).flatMap(({ text }) => (text === undefined ? [] : [text])).join('\n');
}

/** The run behind a response id; throws `not_found` for what cannot be one. */
export function runOfResponse(response: string): string {
  const run = z.uuid().safeParse(response.replace(/^resp_/, ''));
  if (run.success) return run.data;
  throw new NetraError('not_found', 'There is no such response.');
}
