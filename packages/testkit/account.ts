import { randomBytes } from 'node:crypto';
import { textOf } from './child.ts';
import type { PlanName } from './organisation.ts';
import { runServerCommand } from './server-command.ts';

/** A user with an organisation of their own, made the way an operator makes one. */
export interface TestAccount {
  readonly org: string;
  readonly user: string;
  readonly token: string;
  readonly email: string;
}

/** Runs `netra admin user create` against the stores that `env` names. */
export async function createAccount(options: {
  readonly env: Readonly<Record<string, string>>;
  readonly plan: PlanName;
  readonly data?: string;
}): Promise<TestAccount> {
  const email = `user-${randomBytes(6).toString('hex')}@example.com`;
  const who = ['--email', email, '--org', `Org of ${email}`, '--plan', options.plan];
  const where = options.data === undefined ? [] : ['--data', options.data];
  const ended = await runServerCommand(['admin', 'user', 'create', ...who, ...where, '--json'], options.env);
  if (ended.code !== 0) throw new Error(`admin user create exited with ${ended.code}: ${ended.stderr}`);
  const said: unknown = JSON.parse(ended.stdout);
  if (typeof said !== 'object' || said === null) throw new Error(`admin user create said: ${ended.stdout}`);
  const made = { ...said };
  return { org: textOf(made, 'org'), user: textOf(made, 'user'), token: textOf(made, 'token'), email };
}
