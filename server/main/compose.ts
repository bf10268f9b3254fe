import { Pool } from 'pg';
import { createAccounts, type Accounts } from '../accounts/index.ts';
import { subscribe } from '../plans/index.ts';
import {
  deriveLoginUrl,
  openPlatform,
  type LoadedConfig,
  type Log,
  type OpenPlatform,
  type StoreUrls,
} from '../platform/index.ts';

export interface ComposeOptions {
  readonly config: LoadedConfig;
  readonly urls: StoreUrls;
  readonly log: Log;
}

/** The rooms that keep something open, wired; what the commands and the server stand on. */
export interface House {
  readonly platform: OpenPlatform;
  readonly accounts: Accounts;
  close(): Promise<void>;
}

export async function compose({ config, urls, log }: ComposeOptions): Promise<House> {
  const platform = await openPlatform({ config, urls, role: 'app', log });
  const auth_pool = new Pool({ connectionString: deriveLoginUrl(urls.postgres_url, 'netra_auth'), max: 4 });
  // An idle connection that breaks is replaced at the next use; unheard, the event would end the process.
  auth_pool.on('error', (error) => log.warn({ err: error }, 'an idle sign-in connection broke'));
  const { secret, public_url, cors_origins, signup_plan } = platform.config;
  const accounts = createAccounts({
    platform,
    auth_pool,
    secret,
    public_url: public_url ?? 'http://localhost',
    origins: cors_origins,
    signup_plan,
    subscribe,
  });
  return {
    platform,
    accounts,
    close: async () => {
      await Promise.all([auth_pool.end(), platform.close()]);
    },
  };
}
