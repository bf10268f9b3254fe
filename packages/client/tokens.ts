import { NetraError, type Session } from '@netra/contract';
import type { ClientOptions } from './options.ts';

/** Gives tokens, and renews those of a session before they end. One renewal at a time, shared by all who ask. */
export class Tokens {
  readonly #options: ClientOptions;
  readonly #refresh: (refresh_token: string) => Promise<Session>;
  #session: Session | undefined;
  #renew_at_ms = 0;
  #renewal: Promise<string> | undefined;

  constructor(options: ClientOptions, refresh: (refresh_token: string) => Promise<Session>) {
    this.#options = options;
    this.#refresh = refresh;
  }

  /** The client is this session's from now on. */
  adopt(session: Session): void {
    this.#session = session;
    // Renewed after three quarters of its life: a request under way then still finds it valid.
    this.#renew_at_ms = Date.now() + session.expires_in * 750;
  }

  /** True if a refused token can be replaced by another one. */
  get canRenew(): boolean {
    return this.#session !== undefined || this.#options.getToken !== undefined;
  }

  /** A token that should be valid; `renew` asks for another than the last, which was refused. */
  async get(renew = false): Promise<string> {
    if (this.#session) {
      if (renew || Date.now() >= this.#renew_at_ms) return this.#renewed(this.#session);
      return this.#session.token;
    }
    if (this.#options.getToken) return this.#options.getToken();
    if (this.#options.token !== undefined) return this.#options.token;
    throw new NetraError('unauthenticated', 'No token: sign in, or give createClient `token` or `getToken`.');
  }

  #renewed({ refresh_token }: Session): Promise<string> {
    this.#renewal ??= this.#refresh(refresh_token)
      .then((session) => {
        this.adopt(session);
        return session.token;
      })
      .finally(() => {
        this.#renewal = undefined;
      });
    return this.#renewal;
  }
}
