import { amountMicro, ifBusy, NetraError } from '@netra/contract';
import { z } from 'zod';
import type { Told } from '../start-run.ts';

const content = z.union([
  z.string(),
  z.array(z.looseObject({ type: z.string(), text: z.string().optional() })).max(1_000),
]);
const message = z.looseObject({ role: z.string().max(32), content: content.optional() });
const answer = z.looseObject({
  interruptId: z.string().min(1).max(128),
  status: z.enum(['resolved', 'cancelled']),
  payload: z.unknown().optional(),
});

/** AG-UI 1.0 `RunAgentInput`, as far as we read it. Of `forwardedProps` ours are `input`, one that is no text, the run's cap, and `if_busy`. */
export const runAgUiRequest = z.looseObject({
  threadId: z.string().min(1).max(100),
  runId: z.string().min(1).max(100),
  messages: z.array(message).max(1_000).default([]),
  forwardedProps: z
    .looseObject({
      input: z.unknown().optional(),
      max_credits_micro: amountMicro.optional(),
      if_busy: ifBusy.optional(),
    })
    .nullish(),
  resume: z.array(answer).max(100).optional(),
});
export type RunAgUiRequest = z.output<typeof runAgUiRequest>;

/** What the agent is asked: the text of the user's last message, or the input that the application forwards. */
export function inputOf({ messages, forwardedProps }: RunAgUiRequest): unknown {
  if (forwardedProps?.input !== undefined) return forwardedProps.input;
  const last = messages.findLast(({ role }) => role === 'user');
  if (last === undefined) throw new NetraError('invalid_request', 'messages holds no message of the user.');
  return textOf(last);
}

/** The request's messages as words. */
export function toldOf({ messages }: RunAgUiRequest): readonly Told[] {
  return messages.map((each) => ({ role: each.role, text: textOf(each) }));
}

function textOf({ content: said }: z.output<typeof message>): string {
  if (typeof said === 'string') return said;
  return (said ?? []).flatMap(({ text }) => (text === undefined ? [] : [text])).join('\n');
}

/** A yes is said plainly, `true` or `{ approved: true }`; anything else is a no. */
export function isApproved({ status, payload }: z.output<typeof answer>): boolean {
  if (status === 'cancelled') return false;
  return (
    payload === true ||
    (typeof payload === 'object' && payload !== null && 'approved' in payload && payload.approved === true)
  );
}
