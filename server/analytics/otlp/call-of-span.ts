import type { MappedRow } from '../formats/litellm.ts';
import type { AttributeValue, Span } from './spans.ts';

/** Operations of `gen_ai.operation.name` that are one call of a model; an agent's span sums up those inside it. */
const calls = new Set(['chat', 'text_completion', 'generate_content', 'embeddings']);

/**
 * The call that a span tells of; undefined = it is none; a text = it is one, and why it cannot be kept. Attributes by
 * the semantic conventions for GenAI (opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans), today's names first,
 * then those of before: `gen_ai.system`, `prompt_tokens`, and what OpenLLMetry called caches. Input counts cached and
 * written tokens too, as the conventions say.
 */
export function callOfSpan(span: Span): MappedRow | string | undefined {
  if (!isCall(span)) return undefined;
  const identity = faultOfIds(span);
  if (identity !== undefined) return identity;
  const text = textOf(span);
  const operation = text('gen_ai.operation.name');
  const error = text('error.type') || (span.failed ? 'error' : '');
  const input = text('gen_ai.usage.input_tokens', 'gen_ai.usage.prompt_tokens');
  const output = text('gen_ai.usage.output_tokens', 'gen_ai.usage.completion_tokens');
  // A call that failed was answered nothing; one that worked and tells no count is not free (decision 0017).
  const nothing = error === '' ? '' : '0';
  if (input === '' && nothing === '') return 'gen_ai.usage.input_tokens is not told';
  return {
    ...detailsOf(text),
    ...timesOf(span),
    ...idsOf(span),
    operation: operation || 'chat',
    model: text('gen_ai.request.model', 'gen_ai.response.model'),
    user: text('enduser.id', 'user.id', 'gen_ai.request.user'),
    service: resourceText(span, 'service.name'),
    input_tokens: input || nothing,
    output_tokens: output || (operation === 'embeddings' ? '0' : nothing),
    status: error === '' ? 'ok' : 'error',
    error,
  };
}

function isCall({ attributes }: Span): boolean {
  const operation = attributes.get('gen_ai.operation.name');
  if (typeof operation === 'string') return calls.has(operation);
  const named = attributes.has('gen_ai.provider.name') || attributes.has('gen_ai.system');
  const counted = attributes.has('gen_ai.usage.input_tokens') || attributes.has('gen_ai.usage.prompt_tokens');
  const kind = attributes.get('llm.request.type');
  return (named && counted) || kind === 'chat' || kind === 'completion';
}

const shapes = { trace_id: /^(?!0+$)[0-9a-f]{32}$/, span_id: /^(?!0+$)[0-9a-f]{16}$/ } as const;

function faultOfIds(span: Span): string | undefined {
  if (!shapes.trace_id.test(span.trace_id)) return 'the trace id is not 16 bytes, or all zero';
  if (!shapes.span_id.test(span.span_id)) return 'the span id is not 8 bytes, or all zero';
  if (span.end_ns < span.start_ns) return 'the span ends before it starts';
  return undefined;
}

type Text = (...names: readonly string[]) => string;

const textOf =
  ({ attributes }: Span): Text =>
  (...names) => {
    const found = names.map((name) => attributes.get(name)).find((value) => value !== undefined && value !== '');
    return found === undefined ? '' : asText(found);
  };

function asText(value: AttributeValue): string {
  return typeof value === 'object' ? (value[0] ?? '') : String(value);
}

function resourceText({ resource }: Span, name: string): string {
  const value = resource.get(name);
  return typeof value === 'string' ? value : '';
}

function detailsOf(text: Text): MappedRow {
  return {
    provider: text('gen_ai.provider.name', 'gen_ai.system'),
    response_model: text('gen_ai.response.model'),
    agent: text('gen_ai.agent.name'),
    feature: text('netra.feature'),
    cached_input_tokens: text(
      'gen_ai.usage.cache_read.input_tokens',
      'gen_ai.usage.cache_read_input_tokens',
      'gen_ai.usage.cached_input_tokens',
    ),
    cache_write_tokens: text('gen_ai.usage.cache_creation.input_tokens', 'gen_ai.usage.cache_creation_input_tokens'),
    reasoning_tokens: text('gen_ai.usage.reasoning.output_tokens', 'gen_ai.usage.reasoning_tokens'),
    max_output_tokens: text('gen_ai.request.max_tokens'),
    finish_reason: text('gen_ai.response.finish_reasons'),
    streamed: text('gen_ai.request.stream', 'llm.is_streaming'),
    service_tier: text('openai.response.service_tier', 'gen_ai.openai.response.service_tier'),
    conversation_id: text('gen_ai.conversation.id'),
  };
}

const ns_per_ms = 1_000_000n;
const ns_per_s = 1_000_000_000n;

function timesOf({ start_ns, end_ns }: Span): MappedRow {
  const seconds = String(start_ns / ns_per_s).padStart(10, '0');
  return {
    time: `${seconds}.${String(start_ns % ns_per_s).padStart(9, '0')}`,
    latency_ms: String((end_ns - start_ns + ns_per_ms / 2n) / ns_per_ms),
  };
}

function idsOf({ trace_id, span_id, parent_span_id }: Span): MappedRow {
  return { trace_id, span_id, parent_span_id, request_id: span_id };
}
