import { z } from 'zod';
import { usageScope } from '../../analytics/index.ts';
import { defineAgent, type Agent } from '../define-agent.ts';
import type { Tool } from '../define-tool.ts';
import { askAbout } from '../models/plan-step.ts';
import { reportOfRun } from '../report/report-of-run.ts';

const question = z.string().trim().max(8_000);
const request = z.object({ question: question.optional(), ...usageScope.omit({ limit: true }).shape }).strict();

/** A question as text, or with the part of the usage that it is about. Nothing = everything. */
const usageInput = z
  .union([question, request])
  .nullish()
  .transform((input) => (typeof input === 'string' ? { question: input } : (input ?? {})));

export interface UsageAgentDefinition {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** What is its own in the instructions. */
  readonly task: string;
  readonly tools: readonly Tool[];
}

/** An agent that answers about the organisation's own LLM usage. Its report is put together from its tool results. */
export function defineUsageAgent({ task, tools, ...agent }: UsageAgentDefinition): Agent {
  const names = tools.map(({ name }) => name);
  return defineAgent({
    ...agent,
    tools,
    model: 'default',
    expected_results: tools.length,
    instructions: [
      `You are the ${agent.name} agent. You work on an organisation’s own LLM usage, which only your tools can see.`,
      task,
      'Begin with usage_coverage: it tells which questions the data can answer. Do not ask the others.',
      'If the question ends with a line “Scope: {…}”, pass that object to every tool that takes from and to.',
      'Every figure comes from a tool; name the query it came from, and never estimate one yourself.',
      'Say what the data cannot tell. End with a short summary; the report itself is made from the tool results.',
    ].join('\n'),
    input: usageInput,
    question: ({ question: text, ...scope }) => askAbout(text === undefined || text === '' ? task : text, scope),
    complete({ results, text }) {
      const report = reportOfRun(names, results);
      // The planner’s text is the report’s; only a model has something of its own to say.
      return text.trim() === report.text.trim() ? { report } : { report, text };
    },
  });
}
