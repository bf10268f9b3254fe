import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4StreamPart } from '@ai-sdk/provider';
import { setTimeout as sleep } from 'node:timers/promises';
import { rehearsalInput, type RehearsalInput } from '../builtin/rehearsal-input.ts';
import { promptQuestion, promptSteps } from './read-prompt.ts';
import { generateResult, streamParts, streamResult, type Decision } from './stream-parts.ts';

/** About a millisecond of one core. */
const hash_rounds = 500;

/**
 * Says and does what the run's input prescribes: `steps - 1` steps with one tool call each, then an answer. Every
 * delta carries its step and number, so that a test sees a lost or repeated one.
 */
export const rehearsalModel: LanguageModelV4 = {
  specificationVersion: 'v4',
  provider: 'netra',
  modelId: 'rehearsal',
  supportedUrls: {},
  async doGenerate(options) {
    const input = inputOf(options);
    await sleep(modelPause(input, promptSteps(options.prompt)), undefined, signalOf(options));
    return generateResult(decide(input, promptSteps(options.prompt)));
  },
  async doStream(options) {
    const input = inputOf(options);
    const step = promptSteps(options.prompt);
    const decision = decide(input, step);
    const pause_ms = modelPause(input, step);
    // No timer when there is nothing to wait for: a timer costs a turn of the event loop even at 0 ms.
    if (pause_ms === 0) return streamResult(streamParts(decision));
    const deltas = Math.max(1, decision.thinking.length + decision.text.length);
    return streamResult(streamParts(decision), async (part) => {
      if (isDelta(part)) await sleep(pause_ms / deltas, undefined, signalOf(options));
    });
  },
};

function inputOf(options: LanguageModelV4CallOptions): RehearsalInput {
  return rehearsalInput.parse(JSON.parse(promptQuestion(options.prompt)));
}

function decide(input: RehearsalInput, step: number): Decision {
  if (input.tool === 'none') {
    const thinking = Array.from({ length: input.steps - 1 }, (_, index) => deltasOf(input, index + 1)).flat();
    return { thinking, text: deltasOf(input, input.steps), calls: [] };
  }
  if (step + 1 >= input.steps) return { thinking: [], text: deltasOf(input, step + 1), calls: [] };
  const call = {
    tool: input.tool,
    input: input.tool === 'wait' ? { wait_ms: input.step_ms } : { rounds: hash_rounds },
  };
  return { thinking: deltasOf(input, step + 1), text: [], calls: [call] };
}

function deltasOf(input: RehearsalInput, step: number): string[] {
  return Array.from({ length: input.deltas }, (_, index) => delta(step, index + 1, input.delta_bytes));
}

/** A step waits once: in its tool if that is what the tool does, else while the model speaks. */
function modelPause(input: RehearsalInput, step: number): number {
  if (input.tool === 'none') return input.step_ms * input.steps;
  const waits_in_tool = input.tool === 'wait' && step + 1 < input.steps;
  return waits_in_tool ? 0 : input.step_ms;
}

function delta(step: number, number: number, size_bytes: number): string {
  const label = `${step}.${number} `;
  return label.padEnd(size_bytes, '.');
}

function isDelta(part: LanguageModelV4StreamPart): boolean {
  return part.type === 'reasoning-delta' || part.type === 'text-delta';
}

function signalOf(options: LanguageModelV4CallOptions): { signal?: AbortSignal } {
  return options.abortSignal === undefined ? {} : { signal: options.abortSignal };
}
