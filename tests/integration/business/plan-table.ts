/** The table of the contract, written down once more: what the migration's figures are checked against. */
export const plans = {
  free: { usd: '0.00', credits: 100n, runs: 10, seconds: 30, at_once: 1, requests: 100, agents: ['triage'] },
  early: {
    usd: '29.99',
    credits: 1_000n,
    runs: 100,
    seconds: 120,
    at_once: 2,
    requests: 1_000,
    agents: ['triage', 'data'],
  },
  mid: {
    usd: '99.99',
    credits: 5_000n,
    runs: 500,
    seconds: 300,
    at_once: 5,
    requests: 10_000,
    agents: ['triage', 'data', 'optimization'],
  },
  enterprise: {
    usd: '299.99',
    credits: 25_000n,
    runs: null,
    seconds: 600,
    at_once: 10,
    requests: null,
    agents: ['triage', 'data', 'optimization', 'research'],
  },
} as const;
export type Plan = keyof typeof plans;
export const planNames = Object.keys(plans) as readonly Plan[];
