import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { textOf } from './child.ts';
import { plainEnvironment } from './environment.ts';
import { serverEntry } from './repository.ts';

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
  readonly plan: 'free' | 'early' | 'mid' | 'enterprise';
  readonly data?: string;
}): Promise<TestAccount> {
  const email = `user-${randomBytes(6).toString('hex')}@example.com`;
  const args = [
    'admin',
    'user',
    'create',
    '--email',
    email,
    '--org',
    `Org of ${email}`,
    '--plan',
    options.plan,
    '--json',
  ];
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [serverEntry, ...args, ...(options.data === undefined ? [] : ['--data', options.data])],
    { env: plainEnvironment(options.env) },
  );
  const said: unknown = JSON.parse(stdout);
  if (typeof said !== 'object' || said === null) throw new Error(`admin user create said: ${stdout}`);
  const made = { ...said };
  return { org: textOf(made, 'org'), user: textOf(made, 'user'), token: textOf(made, 'token'), email };
}
