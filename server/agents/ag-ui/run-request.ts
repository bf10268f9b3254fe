import type { LanguageModelV4Message } from '@ai-sdk/provider';
import type { RunScope } from '../run-scope.ts';

interface AgUiMessage {
  readonly id: string;
  readonly role: 'user' | 'assistant';
  readonly content: string;
}

/** AG-UI 1.0 `RunAgentInput`: the conversation so far as text, and ids that stay the same when it is run again. */
export function requestOf({ claim, agent, conversation }: RunScope) {
  const { thread_id: threadId, run_id: runId } = claim;
  const messages = conversation
    .prompt()
    .flatMap(wordsIn)
    .map((message, index): AgUiMessage => ({ id: `${runId}/${index}`, ...message }));
  // What this run has said so far is the agent's own to know: it is asked from the user's words on.
  const asked = messages.findLastIndex(({ role }) => role === 'user');
  const forwardedProps = { netra: { agent: agent.name, org: claim.org_id, user: claim.user_id, input: claim.input } };
  return { threadId, runId, state: {}, messages: messages.slice(0, asked + 1), tools: [], context: [], forwardedProps };
}

function wordsIn(message: LanguageModelV4Message): Omit<AgUiMessage, 'id'>[] {
  if (message.role !== 'user' && message.role !== 'assistant') return [];
  const content = message.content.map((part) => (part.type === 'text' ? part.text : '')).join('');
  return content === '' ? [] : [{ role: message.role, content }];
}
