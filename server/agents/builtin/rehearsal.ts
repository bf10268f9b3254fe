import { defineAgent } from '../define-agent.ts';
import { hashTool } from '../tools/hash.ts';
import { waitTool } from '../tools/wait.ts';
import { rehearsalInput } from './rehearsal-input.ts';

/** Runs the whole path without a model, for benchmarks and fault tests. Only where the configuration says so. */
export const rehearsalAgent = defineAgent({
  name: 'rehearsal',
  title: 'Rehearsal',
  description: 'Runs the whole path without a model: for benchmarks and fault tests.',
  instructions: 'Do as many steps as the input says.',
  model: 'rehearsal',
  tools: [waitTool, hashTool],
  bounds: { max_steps: 1_000, max_events: 25_000 },
  expected_results: 1,
  input: rehearsalInput,
  question: (input) => JSON.stringify(input),
  complete: ({ results, input }) => ({ rehearsal: { steps: input.steps, tool_calls: results.length } }),
});
