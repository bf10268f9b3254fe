import { askModel } from './ask-model.ts';
import { askFirst, approvalsFor } from './approvals.ts';
import { callTools, executing, numberCalls } from './call-tools.ts';
import { ModelFailure } from './model-failure.ts';
import { say, type RunScope } from './run-scope.ts';

/** Steps in a row in which every call was wrong, before the model is given up. */
const max_wrong_steps = 3;

/**
 * Runs steps until the model answers without calling a tool; returns what it said, or null when the
 * run has to be parked for somebody's answer. A step is one model call and its tool calls:
 *
 *   model speaks (streamed) → its price captured → all `tool_executing` committed in one append → tools run → results
 */
export async function takeSteps(scope: RunScope): Promise<string | null> {
  const { conversation, agent } = scope;
  for (let wrong_steps = 0; ;) {
    scope.signal.throwIfAborted();
    if (scope.leaving?.aborted) return await leave(scope, scope.leaving);
    if (conversation.steps >= agent.bounds.max_steps) {
      throw new ModelFailure(`the agent was not done after ${agent.bounds.max_steps} steps`, false);
    }
    if (conversation.events >= agent.bounds.max_events) {
      throw new ModelFailure(`the agent was not done after ${agent.bounds.max_events} events`, false);
    }
    const answer = await askModel(scope);
    if (answer === null) return null;
    if (answer.calls.length === 0) return answer.text;

    const calls = numberCalls(scope, answer.calls);
    say(scope, calls.map(executing));
    // R2: the call is in the log before the tool runs, so a worker that takes over knows that it may have run.
    await scope.writer.flush();
    const asking = calls.filter((call) => askFirst(scope, call));
    const wrong = await callTools(
      scope,
      calls.filter((call) => !asking.includes(call)),
    );
    if (asking.length > 0) {
      say(scope, approvalsFor(asking));
      return null;
    }
    wrong_steps = wrong === calls.length ? wrong_steps + 1 : 0;
    if (wrong_steps >= max_wrong_steps) {
      throw new ModelFailure(`the model’s tool calls were wrong ${max_wrong_steps} times in a row`, false);
    }
  }
}

/** What was done is written first: the worker that goes on must not do it, or pay for it, again (R2). */
async function leave({ writer }: RunScope, leaving: AbortSignal): Promise<never> {
  await writer.flush();
  throw leaving.reason;
}
