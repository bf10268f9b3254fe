import { NetraError } from '@netra/contract';

/** One noun of `netra admin`: what it takes, and what carries it out. */
export interface AdminCommand {
  /** Lines of usage, each without the leading `netra admin`. */
  readonly usage: readonly string[];
  /** `args` begin with the verb. Resolves to the exit code; throws `invalid_request` for words that it does not know. */
  run(args: readonly string[]): Promise<number>;
}

// Each is loaded when asked for. A new noun is a file in `admin/` and a line here.
const nouns: Readonly<Record<string, () => Promise<AdminCommand>>> = {
  agent: async () => (await import('./admin/agent.ts')).agent,
  grant: async () => (await import('./admin/grant.ts')).grant,
  invoice: async () => (await import('./admin/invoice.ts')).invoice,
  plan: async () => (await import('./admin/plan.ts')).plan,
  seller: async () => (await import('./admin/seller.ts')).seller,
  tax: async () => (await import('./admin/tax.ts')).tax,
  pack: async () => (await import('./admin/pack.ts')).pack,
  payment: async () => (await import('./admin/payment.ts')).payment,
  price: async () => (await import('./admin/price.ts')).price,
  purchase: async () => (await import('./admin/purchase.ts')).purchase,
  reconcile: async () => (await import('./admin/reconcile.ts')).reconcile,
  retention: async () => (await import('./admin/retention.ts')).retention,
  user: async () => (await import('./admin/user.ts')).user,
  wallet: async () => (await import('./admin/wallet.ts')).wallet,
};

/** `admin NOUN VERB …`: what an operator does to an installation. Works beside a running server. */
export async function run(args: readonly string[]): Promise<number> {
  const [noun = '', ...rest] = args;
  const load = nouns[noun];
  if (load !== undefined) return (await load()).run(rest);
  const all = await Promise.all(Object.values(nouns).map((each) => each()));
  const lines = all.flatMap(({ usage }) => usage.map((line) => `  netra admin ${line}`));
  throw new NetraError('invalid_request', `Usage:\n${lines.join('\n')}`);
}
