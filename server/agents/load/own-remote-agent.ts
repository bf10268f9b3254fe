import type { Outgoing } from '../../platform/index.ts';
import { mainCall, type RemoteAgent } from '../ag-ui/remote-agent.ts';
import { defineAgent, type Agent } from '../define-agent.ts';
import { stepsModel } from '../models/steps-model.ts';
import type { CheckedRemoteAgent } from './agent-schema.ts';
import { askedInput, wordsOf } from './own-agent.ts';

type Checked = Omit<CheckedRemoteAgent, 'fee' | 'plans' | 'headers' | '$schema'>;

/** The model's name of an agent that runs elsewhere: no price book has it. */
const remoteModelName = 'ag-ui';

/** An agent at a URL: no model is asked here, and no tool called. */
export function ownRemoteAgent(definition: Checked, headers: Record<string, string>, outgoing: Outgoing): Agent {
  const { name, title, description, url, effects, max_bytes, silence_ms } = definition;
  const remote: RemoteAgent = { url, headers, effects, max_bytes, silence_ms, fetch: outgoing.fetch };
  return defineAgent({
    name,
    title,
    description,
    instructions: '',
    model: {
      name: remoteModelName,
      // What is asked is the agent there: a model that would say nothing is never asked.
      open: () => stepsModel(() => [], null),
    },
    remote,
    tools: [],
    expected_results: 1,
    input: askedInput,
    question: wordsOf,
    complete: ({ results, text }) => ({
      text,
      ...stateOf(results.findLast(({ call_id }) => call_id === mainCall(results))),
    }),
  });
}

function stateOf(result: { readonly output: unknown } | undefined): object {
  const output = result?.output;
  return typeof output === 'object' && output !== null && 'state' in output ? { state: output.state } : {};
}
