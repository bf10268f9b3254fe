import type {
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamPart,
  LanguageModelV4StreamResult,
  LanguageModelV4Usage,
} from '@ai-sdk/provider';

/** What a rule-based model decided to say and do in one step. */
export interface Decision {
  readonly thinking: readonly string[];
  readonly text: readonly string[];
  readonly calls: readonly { readonly tool: string; readonly input: unknown }[];
}

/** Rules read no tokens, and nobody is charged for any. */
export const noUsage: LanguageModelV4Usage = {
  inputTokens: { total: 0, noCache: 0, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 0, text: 0, reasoning: 0 },
};

/** The decision as the parts a language model would stream, in their prescribed order. */
export function* streamParts(decision: Decision): Generator<LanguageModelV4StreamPart> {
  yield { type: 'stream-start', warnings: [] };
  if (decision.thinking.length > 0) {
    yield { type: 'reasoning-start', id: 'r' };
    for (const delta of decision.thinking) yield { type: 'reasoning-delta', id: 'r', delta };
    yield { type: 'reasoning-end', id: 'r' };
  }
  if (decision.text.length > 0) {
    yield { type: 'text-start', id: 't' };
    for (const delta of decision.text) yield { type: 'text-delta', id: 't', delta };
    yield { type: 'text-end', id: 't' };
  }
  for (const [index, call] of decision.calls.entries()) {
    yield { type: 'tool-call', toolCallId: `p${index}`, toolName: call.tool, input: JSON.stringify(call.input) };
  }
  yield { type: 'finish', usage: noUsage, finishReason: finishReasonOf(decision) };
}

/** The decision as one answer. */
export function generateResult(decision: Decision): LanguageModelV4GenerateResult {
  const content: LanguageModelV4GenerateResult['content'] = [];
  if (decision.thinking.length > 0) content.push({ type: 'reasoning', text: decision.thinking.join('') });
  if (decision.text.length > 0) content.push({ type: 'text', text: decision.text.join('') });
  for (const [index, call] of decision.calls.entries()) {
    content.push({
      type: 'tool-call',
      toolCallId: `p${index}`,
      toolName: call.tool,
      input: JSON.stringify(call.input),
    });
  }
  return { content, finishReason: finishReasonOf(decision), usage: noUsage, warnings: [] };
}

/** A stream over parts; `pause` runs before each delta, so that a rehearsal can spread them over time. */
export function streamResult(
  parts: Iterator<LanguageModelV4StreamPart>,
  pause?: (part: LanguageModelV4StreamPart) => Promise<void>,
): LanguageModelV4StreamResult {
  const stream = new ReadableStream<LanguageModelV4StreamPart>({
    async pull(controller) {
      const next = parts.next();
      if (next.done === true) return controller.close();
      if (pause !== undefined) await pause(next.value);
      controller.enqueue(next.value);
    },
  });
  return { stream };
}

function finishReasonOf(decision: Decision): LanguageModelV4GenerateResult['finishReason'] {
  const unified = decision.calls.length > 0 ? 'tool-calls' : 'stop';
  return { unified, raw: unified };
}
