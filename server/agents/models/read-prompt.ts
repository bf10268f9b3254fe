import type { LanguageModelV4Prompt } from '@ai-sdk/provider';

/** A tool result as a model finds it in its prompt. */
export interface PromptResult {
  readonly tool: string;
  readonly ok: boolean;
  readonly value: unknown;
}

/** The results of all tool calls so far, in order. */
export function promptResults(prompt: LanguageModelV4Prompt): PromptResult[] {
  const results: PromptResult[] = [];
  for (const message of prompt) {
    if (message.role !== 'tool') continue;
    for (const part of message.content) {
      if (part.type !== 'tool-result') continue;
      const ok = part.output.type === 'json' || part.output.type === 'text';
      const value = 'value' in part.output ? part.output.value : part.output.type;
      results.push({ tool: part.toolName, ok, value });
    }
  }
  return results;
}

/** What the user asked last. */
export function promptQuestion(prompt: LanguageModelV4Prompt): string {
  const question = prompt.findLast((message) => message.role === 'user');
  if (question?.role !== 'user') return '';
  return question.content.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

/** Steps that are done: each left one assistant message. */
export function promptSteps(prompt: LanguageModelV4Prompt): number {
  return prompt.filter((message) => message.role === 'assistant').length;
}
