import type { LanguageModelV4Message, LanguageModelV4Prompt } from '@ai-sdk/provider';
import type { Platform } from '../platform/index.ts';
import { readTurns, type Claim, type Said, type Turn } from '../runs/index.ts';
import { countHigh } from './count-high.ts';
import type { Agent } from './define-agent.ts';
import { agentsOf } from './find-agent.ts';

/** Of what a model may be asked with: the rest is for the run's own steps. */
const max_share = 0.25;

/**
 * What a run's model is told of its conversation: the thread's earlier turns, oldest first, whole turns, and of those the
 * newest that fit. Counted as the hold counts them, so that a call's ceiling covers them (decision 0024). A rehearsal asks
 * no model, and is told nothing.
 */
export async function readHistory({
  platform,
  claim,
  agent,
}: {
  readonly platform: Platform;
  readonly claim: Pick<Claim, 'org_id' | 'thread_id'>;
  readonly agent: Agent;
}): Promise<LanguageModelV4Prompt> {
  const { max_history_tokens, max_prompt_tokens } = agent.bounds;
  let room_tokens = Math.min(max_history_tokens, Math.floor(max_prompt_tokens * max_share));
  if (agent.model === 'rehearsal' || room_tokens <= 0) return [];
  const newest_first: LanguageModelV4Message[] = [];
  for await (const turn of readTurns(platform, claim)) {
    for (const said of 'agent' in turn ? [wordsOf(platform, turn)] : wholeTurns(turn)) {
      const messages = said.map(toMessage);
      room_tokens -= countHigh(messages, []);
      if (room_tokens < 0) return newest_first.toReversed();
      newest_first.push(...messages.toReversed());
    }
  }
  return newest_first.toReversed();
}

function wordsOf(platform: Platform, { agent, input, output }: Turn): readonly Said[] {
  return [
    { author: 'user', text: questionOf(agentsOf(platform), agent, input) },
    { author: 'agent', text: answerOf(output) },
  ];
}

/** As its own agent put it to its model; as it was given, if that agent is gone or takes such input no more. */
function questionOf(agents: readonly Agent[], name: string, input: unknown): string {
  try {
    const asked = agents.find((agent) => agent.name === name)?.question(input);
    if (asked !== undefined) return asked;
  } catch {
    // An older input: its own words are as good.
  }
  return typeof input === 'string' ? input : JSON.stringify(input ?? null);
}

/** The words of an output: its own text, or its report's; else all of it. */
function answerOf(output: unknown): string {
  if (typeof output === 'string') return output;
  if (typeof output === 'object' && output !== null) {
    if ('text' in output && typeof output.text === 'string' && output.text !== '') return output.text;
    if ('report' in output) return answerOf(output.report);
  }
  return JSON.stringify(output ?? null);
}

/** What a client told, from its end: a turn begins with what the user says, and has all that was answered to it. */
function wholeTurns(told: readonly Said[]): readonly (readonly Said[])[] {
  const turns: Said[][] = [];
  for (const [place, said] of told.entries()) {
    const begins = said.author === 'user' && told[place - 1]?.author !== 'user';
    if (begins || turns.length === 0) turns.push([said]);
    else turns.at(-1)?.push(said);
  }
  return turns.toReversed();
}

function toMessage({ author, text }: Said): LanguageModelV4Message {
  const content = [{ type: 'text' as const, text }];
  return author === 'user' ? { role: 'user', content } : { role: 'assistant', content };
}
