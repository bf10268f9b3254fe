import type { LanguageModelV4Prompt } from '@ai-sdk/provider';

/** Tokens that no tokenizer in use exceeds on text and JSON: one for two bytes, and a few for each message's frame. */
export function countHigh(prompt: LanguageModelV4Prompt, tools: readonly unknown[]): number {
  return Math.ceil((bytesOf(prompt) + bytesOf(tools)) / 2) + 16 * prompt.length;
}

/** The bytes of a value as JSON. */
export function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}
