import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import type { LanguageModelV4 } from '@ai-sdk/provider';
import { NetraError } from '@netra/contract';
import type { Config } from '../../platform/index.ts';
import type { Agent } from '../define-agent.ts';
import { planner } from './planner.ts';
import { rehearsalModel } from './rehearsal-model.ts';

/** The model that a new run of the agent gets, by name: the run keeps it for its whole life. */
export function modelNameFor(agent: Pick<Agent, 'model'>, config: Pick<Config, 'model'>): string {
  if (agent.model === 'rehearsal') return rehearsalModel.modelId;
  if (agent.model !== 'default') return agent.model.name;
  return config.model?.name ?? planner.modelId;
}

/**
 * The model of a name that `modelNameFor` gave, for a run's input. Throws `model_failed` if neither the agent nor the
 * configuration has it any more.
 */
export function openModel(
  name: string,
  config: Pick<Config, 'model'>,
  own: Agent['model'] = 'default',
  input?: unknown,
): LanguageModelV4 {
  if (typeof own === 'object' && own.name === name) return own.open(input);
  if (name === rehearsalModel.modelId) return rehearsalModel;
  if (name === planner.modelId) return planner;
  const endpoint = config.model;
  if (endpoint?.name !== name) {
    throw new NetraError('model_failed', `the model ${name} is not configured on this node any more`, { model: name });
  }
  const provider = createOpenAICompatible({
    name: 'endpoint',
    baseURL: endpoint.url,
    includeUsage: true,
    ...(endpoint.key === null ? {} : { apiKey: endpoint.key }),
  });
  return provider(name);
}
