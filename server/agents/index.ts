/** Agents: the loop over a language model, the tools it may call, and the agents that are built in. */
export { admitRun, type AdmitInput } from './admit-run.ts';
export type { Agent } from './define-agent.ts';
export { executeRun, type Execution } from './execute-run.ts';
export { builtinAgents, findAgent } from './find-agent.ts';
export { listAgents, type ListedAgent } from './list-agents.ts';
export { modelNameFor } from './models/choose-model.ts';
