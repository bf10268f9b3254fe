import { NetraError } from '@netra/contract';
import { createParser } from 'eventsource-parser';
import { z } from 'zod';

/** One event is at most this; the stream as a whole has a bound of its own. */
const max_event_chars = 1024 * 1024;

const text = z.string();
const id = z.string().max(1_000);
/** Events of AG-UI 1.0 as far as we read them; what we don't know we let pass, as the protocol asks. */
const known = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('RUN_STARTED') }),
  z.looseObject({
    type: z.literal('RUN_FINISHED'),
    outcome: z.looseObject({ type: z.string() }).nullish(),
    result: z.unknown().optional(),
  }),
  z.looseObject({ type: z.literal('RUN_ERROR'), message: text, code: text.nullish() }),
  z.looseObject({ type: z.literal('TEXT_MESSAGE_START'), messageId: id, role: text.optional() }),
  z.looseObject({ type: z.literal('TEXT_MESSAGE_CONTENT'), messageId: id, delta: text }),
  z.looseObject({ type: z.literal('TEXT_MESSAGE_END'), messageId: id }),
  z.looseObject({ type: z.literal('TEXT_MESSAGE_CHUNK'), delta: text.nullish(), role: text.nullish() }),
  z.looseObject({ type: z.literal('REASONING_MESSAGE_CONTENT'), delta: text }),
  z.looseObject({ type: z.literal('REASONING_MESSAGE_CHUNK'), delta: text.nullish() }),
  // Before 1.0.
  z.looseObject({ type: z.literal('THINKING_TEXT_MESSAGE_CONTENT'), delta: text }),
  z.looseObject({ type: z.literal('TOOL_CALL_START'), toolCallId: id, toolCallName: text }),
  z.looseObject({ type: z.literal('TOOL_CALL_ARGS'), toolCallId: id, delta: text }),
  z.looseObject({ type: z.literal('TOOL_CALL_END'), toolCallId: id }),
  z.looseObject({ type: z.literal('TOOL_CALL_RESULT'), toolCallId: id, content: z.unknown() }),
  z.looseObject({ type: z.literal('STATE_SNAPSHOT'), snapshot: z.unknown() }),
  z.looseObject({ type: z.literal('STATE_DELTA'), delta: z.array(z.unknown()).max(1_000) }),
  z.looseObject({ type: z.literal('MESSAGES_SNAPSHOT'), messages: z.array(z.looseObject({ role: text })).max(10_000) }),
]);
export type RemoteEvent = z.output<typeof known>;
const types: ReadonlySet<string> = new Set(known.options.flatMap((option) => [...option.shape.type.values]));

/** The events of a stream, in order. Throws `remote_failed` for what is no AG-UI. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<RemoteEvent> {
  let arrived: string[] = [];
  const parser = createParser({
    maxBufferSize: max_event_chars,
    onEvent: ({ data }) => void arrived.push(data),
    onError: (error) => {
      if (error.type === 'max-buffer-size-exceeded')
        throw failed(`an event of more than ${max_event_chars} characters`);
    },
  });
  const decoder = new TextDecoder();
  for await (const part of body) {
    parser.feed(decoder.decode(part, { stream: true }));
    const ready = arrived;
    arrived = [];
    for (const data of ready) {
      const event = parse(data);
      if (event !== null) yield event;
    }
  }
}

function parse(data: string): RemoteEvent | null {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    throw failed('an event that is no JSON');
  }
  const type = typeof value === 'object' && value !== null && 'type' in value ? value.type : undefined;
  if (typeof type !== 'string') throw failed('an event without a type');
  if (!types.has(type)) return null;
  const parsed = known.safeParse(value);
  if (!parsed.success) throw failed(`a ${type} that is not as AG-UI has it`);
  return parsed.data;
}

/** Why a run at a URL failed, in words that its user may read. */
export function failed(what: string): NetraError {
  return new NetraError('remote_failed', `The agent behind this one sent ${what}.`);
}
