import type {
  Agent,
  Credits,
  IfBusy,
  Me,
  Plan,
  Quote,
  QuoteBody,
  Run,
  Session,
  SignInBody,
  SignUpBody,
  Spending,
  SpendingCapsBody,
  Thread,
  Transfer,
  Usage,
  UsageImport,
  UsageImportQuery,
  UsageQuery,
} from '@netra/contract';
import { Connection } from './connection.ts';
import type { ClientOptions } from './options.ts';
import type { Page } from './page.ts';
import { Rest, type Upload } from './rest.ts';
import { RunHandle } from './run-handle.ts';
import { schedulesOf } from './schedules.ts';
import { exportThread, messages, type MessagesQuery } from './threads.ts';
import { Tokens } from './tokens.ts';

/** What to run. The same `idempotency_key` with the same rest is the same run; a new one by default. */
export interface RunInput {
  readonly agent: string;
  readonly input: unknown;
  readonly thread?: string;
  readonly idempotency_key?: string;
  /** The most that it may cost, in micro-credits: it parks and asks before it goes beyond. */
  readonly max_credits_micro?: string;
  /** If the thread is busy: wait (the default), be refused with `thread_busy`, or have the other runs cancelled. */
  readonly if_busy?: IfBusy;
  /** Not before this time, ISO 8601; a year ahead at most. */
  readonly start_at?: string;
  readonly delay_ms?: number;
}

export type ImportUsageInput = UsageImportQuery & {
  readonly content: Upload;
  readonly idempotency_key?: string;
  readonly signal?: AbortSignal;
};

export type Client = ReturnType<typeof createClient>;

/** A user of Netra, in a browser or in Node 24. Opens its one socket when the first run is asked for. */
export function createClient(options: ClientOptions) {
  // Tokens are renewed over REST, and REST needs tokens: each finds the other when it is used.
  const rest: Rest = new Rest(options.url, () => tokens);
  const tokens = new Tokens(options, (refresh_token) => {
    return rest.anonymous<Session>({ method: 'POST', path: '/v1/auth/refresh', body: { refresh_token } });
  });
  const connection = new Connection(options, tokens);
  const { exchange } = connection;
  const key = (given: string | undefined): string => given ?? globalThis.crypto.randomUUID();
  const enter = async (path: string, body: SignUpBody | SignInBody): Promise<Session> => {
    const session = await rest.anonymous<Session>({ method: 'POST', path, body });
    tokens.adopt(session);
    return session;
  };
  return {
    /** Creates an organisation and its first user; the client is theirs from then on, and renews its token itself. */
    signUp: (body: SignUpBody) => enter('/v1/auth/sign-up', body),
    /** Signs in; the client renews its token itself from then on. */
    signIn: (body: SignInBody) => enter('/v1/auth/sign-in', body),
    me: () => rest.send<Me>({ path: '/v1/me' }),
    plans: () => rest.anonymous<Page<Plan>>({ path: '/v1/plans' }),
    agents: () => rest.send<Page<Agent>>({ path: '/v1/agents' }),
    credits: () => rest.send<Credits>({ path: '/v1/credits' }),
    transfers: (query: { limit?: number; cursor?: string } = {}) =>
      rest.send<Page<Transfer>>({ path: '/v1/credits/transfers', query }),
    spending: () => rest.send<Spending>({ path: '/v1/spending' }),
    /** Replaces the caps of a period, for owners and admins; null = not capped. */
    setSpendingCaps: (body: SpendingCapsBody) =>
      rest.send<Spending>({ method: 'PUT', path: '/v1/spending/caps', body }),
    /** What a run would cost; nothing is held. */
    quote: (body: QuoteBody) => rest.send<Quote>({ method: 'POST', path: '/v1/quotes', body }),
    /** Sums of LLM calls, by up to three keys; `next` of an answer is the `cursor` of the following page. */
    usage: (query: UsageQuery = {}) =>
      rest.send<Usage>({
        path: '/v1/usage',
        query: { ...query } as Readonly<Record<string, string | readonly string[]>>,
      }),

    /** Uploads a file of LLM calls, streamed. */
    importUsage({ content, idempotency_key, signal, ...query }: ImportUsageInput): Promise<UsageImport> {
      const type = query.format === 'csv' ? 'text/csv' : 'application/x-ndjson';
      return rest.send<UsageImport>({
        method: 'POST',
        path: '/v1/usage/import',
        query: query as Readonly<Record<string, string>>,
        upload: { type, content },
        idempotency_key: key(idempotency_key),
        ...(signal ? { signal } : {}),
      });
    },

    createThread: (body: { title?: string } = {}, idempotency_key?: string) =>
      rest.send<Thread>({ method: 'POST', path: '/v1/threads', body, idempotency_key: key(idempotency_key) }),
    messages: (thread: string, query: MessagesQuery = {}) => messages(rest, thread, query),
    /** `for await (const line of client.exportThread(thread))`. */
    exportThread: (thread: string, signal?: AbortSignal) => exportThread(rest, thread, signal),
    schedules: schedulesOf(rest),
    readRun: (run: string) => rest.send<Run>({ path: `/v1/runs/${run}` }),

    /** Runs an agent and follows it. Rejects with the refusal if there is one: the limit, and the plan that lifts it. */
    async run({ idempotency_key, ...input }: RunInput): Promise<RunHandle> {
      const { run, thread } = await exchange.command({
        type: 'run',
        ...input,
        idempotency_key: key(idempotency_key),
      });
      return new RunHandle(exchange, exchange.follow(run, 0, undefined), thread);
    },

    /** Follows a run that exists, from a cursor on. */
    follow(run: string, cursor: { after?: number; epoch?: number | undefined } = {}): RunHandle {
      return new RunHandle(exchange, exchange.follow(run, cursor.after ?? 0, cursor.epoch));
    },

    /** Ends the connection. Runs go on. */
    close: (): void => connection.close(),
  };
}
