/** Agents: the loop over a language model, the tools it may call, and the agents that are built in. */
export { admitRun, checkRequest, type AdmitInput } from './admit-run.ts';
export { executeRun, type Execution } from './execute-run.ts';
export { listAgents, type ListedAgent } from './list-agents.ts';
export { quoteRun } from './quote-run.ts';
export { loadAgents } from './load/load-agents.ts';
export { letStuckRuns } from './let-stuck-runs.ts';
export { startDueRuns, type RoleOf } from './start-due-runs.ts';
export { openModel } from './models/choose-model.ts';
