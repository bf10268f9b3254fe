export { createAccounts, type Accounts, type AccountsOptions } from './create-accounts.ts';
export type { AttemptLimits, Caller, Subscribe } from './room.ts';
