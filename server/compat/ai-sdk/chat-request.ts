import { amountMicro, ifBusy, NetraError } from '@netra/contract';
import { z } from 'zod';
import type { Told } from '../start-run.ts';

const part = z.looseObject({ type: z.string().max(200), text: z.string().optional() });
const message = z.looseObject({
  id: z.string().min(1).max(128),
  role: z.enum(['system', 'user', 'assistant']),
  parts: z.array(part).max(1_000),
});

/**
 * What the AI SDK's `DefaultChatTransport` posts; `agent`, `input`, `max_credits_micro` and `if_busy` are ours, and
 * go into the transport's `body`.
 * Without `input` the agent is asked with the text of the last message.
 */
export const chatRequest = z.looseObject({
  id: z.string().min(1).max(100),
  messages: z.array(message).min(1).max(1_000),
  trigger: z.enum(['submit-message', 'regenerate-message']).default('submit-message'),
  messageId: z.string().min(1).max(128).optional(),
  agent: z.string().min(1).max(64).default('triage'),
  input: z.unknown().optional(),
  max_credits_micro: amountMicro.optional(),
  if_busy: ifBusy.optional(),
});
export type ChatRequest = z.output<typeof chatRequest>;

/** The run that the request stands for: its input, and the key by which a repeated request is known. */
export function askOf(request: ChatRequest): { readonly input: unknown; readonly key: string } {
  const last = request.messages.findLast(({ role }) => role === 'user');
  if (last === undefined) throw new NetraError('invalid_request', 'messages holds no message of the user.');
  // An answer asked for again is named by the answer it replaces; the same question in the same place is the same run.
  const again = request.trigger === 'regenerate-message' ? `/again/${request.messageId ?? last.id}` : '';
  return { input: request.input ?? textOf(last), key: `${request.id}/${last.id}${again}` };
}

/** The request's messages as words. */
export function toldOf({ messages }: ChatRequest): readonly Told[] {
  return messages.map((each) => ({ role: each.role, text: textOf(each) }));
}

function textOf({ parts }: z.output<typeof message>): string {
  return parts.flatMap((each) => (each.type === 'text' ? [each.text ?? ''] : [])).join('\n');
}
