import { createAccounts, type Accounts } from '../accounts/index.ts';
import { subscribe } from '../plans/index.ts';
import {
  deriveLoginUrl,
  openPlatform,
  openPostgres,
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

/** Signing in is rare beside running: tokens are verified without the database. */
const authConnections = 4;

/** The rooms that keep something open, wired; what the commands and the server stand on. */
export interface House {
  readonly platform: OpenPlatform;
  readonly accounts: Accounts;
  close(): Promise<void>;
}

export async function compose({ config, urls, log }: ComposeOptions): Promise<House> {
  const platform = await openPlatform({ config, urls, role: 'app', log });
  const auth = openPostgres(deriveLoginUrl(urls.postgres_url, 'netra_auth'), { pool_size: authConnections, log });
  const { secret, public_url, cors_origins, signup_plan } = platform.config;
  const accounts = createAccounts({
    platform,
    auth_pool: auth.pool,
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
      await Promise.all([auth.close(), platform.close()]);
    },
  };
}
