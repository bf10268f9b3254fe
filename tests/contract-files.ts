import { contract } from './contract.ts';

/** The files that prove the contract, each once. */
export const contractFiles: readonly string[] = [...new Set(contract.map(({ file }) => file))];
