import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { NetraError } from '@netra/contract';
import {
  configKeys,
  configSchema,
  envFileKey,
  type ConfigKey,
  type CreditMode,
  type Environment,
  type Settings,
} from './config-keys.ts';
import { hashValue } from './config-hash.ts';
import { rules, type Problem } from './config-rules.ts';
import type { LogLevel } from './log.ts';

export type Source = 'environment' | 'file' | 'default';

/** What this node runs with, frozen. Parsed once by main.ts and passed as a value (style rule 8). */
export interface Config {
  readonly env: Environment;
  /** Absolute. */
  readonly data_dir: string;
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly public_url: string | null;
  readonly cors_origins: readonly string[];
  readonly log_level: LogLevel;
  /** The owner's login: migrations and jobs. null = embedded. */
  readonly postgres_url: string | null;
  /** The application's login as told; null = derived from the owner's (`appUrl`). */
  readonly postgres_app_url: string | null;
  readonly postgres_pool: number;
  /** Named statements: planned once a connection. Off behind a pooler in transaction mode that does not know them. */
  readonly postgres_prepared: boolean;
  /** null = embedded. */
  readonly clickhouse_url: string | null;
  /** Migrations run on each node of it, with replicated tables; null = one server. */
  readonly clickhouse_cluster: string | null;
  /** null = the in-process engine. */
  readonly redis_url: string | null;
  /** At least 32 bytes: what tokens and keys are made from. */
  readonly secret: string;
  readonly rehearsal: boolean;
  readonly signup_plan: string;
  readonly model: { readonly url: string; readonly name: string; readonly key: string | null } | null;
  /** What this node does about credits; plan limits hold in each mode. */
  readonly credits: CreditMode;
  /** Who carries money: the operator by hand, or Stripe. */
  readonly payments:
    | { readonly provider: 'manual' }
    | {
        readonly provider: 'stripe';
        readonly key: string;
        readonly webhook_secret: string;
        /** Where its API is; null = at Stripe. */
        readonly url: string | null;
      };
  /** Runs at once on this node; 0 = it serves, and leaves the work to others. */
  readonly capacity: number;
  /** WebSockets at once on all nodes together: of one user, and of one organisation. */
  readonly sockets: { readonly user: number; readonly org: number };
  readonly lease_ms: number;
  readonly max_attempts: number;
  readonly drain_ms: number;
  /** How long a model may be silent in the middle of a call. */
  readonly model_silence_ms: number;
  /** How long a run may wait for somebody's answer, or for credits. */
  readonly parked_ms: number;
  /** How long a draining node still takes requests: until the balancer has noticed what /readyz says. */
  readonly drain_notice_ms: number;
  /** Requests to addresses that tenants chose may go to this machine, and by http. */
  readonly outgoing_loopback: boolean;
  /** Where this installation's own agents are; absolute. null = it has none. */
  readonly agents_dir: string | null;
  /** `host` or `host:port` that own agents may be reached at though they are not of the public internet. */
  readonly agents_hosts: readonly string[];
  /** What a variable says that a file of the agents folder names: environment, else env file. Never one of ours. */
  readonly variable: (name: string) => string | undefined;
  /** Where each key came from, for `netra config check`. */
  readonly sources: Readonly<Record<ConfigKey, Source>>;
  readonly settings: Settings;
}

/** A configuration whose secret may not be told: `settleConfig` then keeps one in the data folder. */
export type LoadedConfig = Omit<Config, 'secret'> & { readonly secret: string | null };

type Raw = Readonly<Record<string, string | undefined>>;

export interface ConfigInput {
  /** The process environment unless a test brings its own. */
  readonly env?: Raw;
  /** Path of an env file; NETRA_ENV_FILE of `env` by default. */
  readonly file?: string;
  /** What a command line says: it wins over the environment. */
  readonly flags?: Raw;
}

/**
 * Reads the configuration: process environment > env file > default. Pure but for reading the file: nothing is
 * cached, so two configurations in one process don't see each other. Throws one NetraError `config_invalid` that
 * names every missing or bad key, and no value.
 */
export function loadConfig(input: ConfigInput = {}): LoadedConfig {
  const env = { ...(input.env ?? process.env), ...input.flags };
  const path = input.file ?? env[envFileKey];
  const problems: Problem[] = [];
  const file = path === undefined || path === '' ? {} : readEnvFile(path, problems);
  const { raw, sources } = merge(env, file, problems);
  const parsed = configSchema.safeParse(raw);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) problems.push({ key: issue.path[0] as ConfigKey, problem: issue.message });
  }
  // A key that the schema refused would only be refused again: the rules see the others, so that all are named.
  const settings = parsed.data ?? configSchema.safeParse(without(raw, problems)).data;
  const bad = new Set(problems.map(({ key }) => key));
  // Parts that do not make a URL were named one by one; that there is no URL says nothing new.
  if (partKeys.some((key) => bad.has(key))) bad.add('NETRA_POSTGRES_URL').add('NETRA_POSTGRES_APP_URL');
  const broken = settings ? [...rules.flatMap((rule) => rule(settings)), ...sharedSecret(settings)] : [];
  problems.push(...broken.filter(({ key }) => !bad.has(key)));
  if (problems.length > 0 || !settings) throw invalid(problems);
  return freeze(settings, sources, (name) => (name.startsWith('NETRA_') ? undefined : (env[name] ?? file[name])));
}

function without(raw: Raw, problems: readonly Problem[]): Raw {
  const bad = new Set<string>(problems.map(({ key }) => key));
  return Object.fromEntries(Object.entries(raw).filter(([key]) => !bad.has(key)));
}

function readEnvFile(path: string, problems: Problem[]): Raw {
  let file: NodeJS.Dict<string>;
  try {
    file = parseEnv(readFileSync(path, 'utf8'));
  } catch {
    problems.push({ key: envFileKey, problem: 'cannot be read' });
    return {};
  }
  const known = new Set<string>(configKeys);
  for (const key of Object.keys(file)) {
    // Only a file of ours is checked for strangers: the process environment belongs to others too.
    if (key.startsWith('NETRA_') && !known.has(key))
      problems.push({ key: envFileKey, problem: `has the unknown key ${key}` });
  }
  return file;
}

function merge(env: Raw, file: Raw, problems: Problem[]): { raw: Raw; sources: Record<ConfigKey, Source> } {
  const raw: Record<string, string> = {};
  const sources = {} as Record<ConfigKey, Source>;
  for (const key of configKeys) {
    const [told, source] =
      env[key] !== undefined ? ([env[key], 'environment'] as const) : ([file[key], 'file'] as const);
    sources[key] = told === undefined ? 'default' : source;
    if (told !== undefined) raw[key] = told;
  }
  joinPostgresParts(raw, sources, problems);
  return { raw, sources };
}

const partKeys = configKeys.filter((key) => /^NETRA_POSTGRES_(HOST|PORT|USER|PASSWORD|DATABASE|SSLMODE)$/.test(key));
const rank: Record<Source, number> = { environment: 2, file: 1, default: 0 };

/** One URL or its parts, whichever was told at the higher place; both at the same place is a contradiction. */
function joinPostgresParts(raw: Record<string, string>, sources: Record<ConfigKey, Source>, problems: Problem[]): void {
  const partsRank = Math.max(...partKeys.map((key) => rank[sources[key]]));
  const urlRank = rank[sources.NETRA_POSTGRES_URL];
  if (partsRank === 0) return;
  if (urlRank === partsRank) {
    problems.push({ key: 'NETRA_POSTGRES_URL', problem: 'is set together with its parts: use one or the others' });
  }
  if (urlRank >= partsRank) return;
  const missing = (['NETRA_POSTGRES_HOST', 'NETRA_POSTGRES_USER', 'NETRA_POSTGRES_DATABASE'] as const).filter(
    (key) => !raw[key],
  );
  for (const key of missing) {
    // An empty one the schema refuses by itself.
    if (raw[key] === undefined) problems.push({ key, problem: 'is required when the URL is given in parts' });
  }
  if (missing.length === 0) raw['NETRA_POSTGRES_URL'] = urlOfParts(raw);
  sources.NETRA_POSTGRES_URL = partsRank === 2 ? 'environment' : 'file';
}

function urlOfParts(raw: Raw): string {
  const part = (name: string): string => raw[`NETRA_POSTGRES_${name}`] ?? '';
  const [user, password, database] = ['USER', 'PASSWORD', 'DATABASE'].map((name) => encodeURIComponent(part(name)));
  const login = password === '' ? user : `${user}:${password}`;
  const host = part('HOST').includes(':') ? `[${part('HOST')}]` : encodeURIComponent(part('HOST'));
  // A bad port is named by the schema under its own key; here it must not make the whole URL unreadable too.
  const port =
    Number(part('PORT')) >= 1 && Number(part('PORT')) <= 65_535 ? `:${Math.trunc(Number(part('PORT')))}` : '';
  const tls = part('SSLMODE') === '' ? '' : `?sslmode=${encodeURIComponent(part('SSLMODE'))}`;
  return `postgres://${login}@${host}${port}/${database}${tls}`;
}

/** A key that another environment runs with makes its tokens valid here. */
function sharedSecret(settings: Settings): Problem[] {
  if (settings.NETRA_SECRET === undefined || settings.NETRA_SECRET_HASHES_ELSEWHERE.length === 0) return [];
  const own = hashValue('NETRA_SECRET', settings.NETRA_SECRET);
  if (!settings.NETRA_SECRET_HASHES_ELSEWHERE.includes(own)) return [];
  return [{ key: 'NETRA_SECRET', problem: 'is the key of another environment' }];
}

function invalid(problems: readonly Problem[]): NetraError {
  const lines = problems.map(({ key, problem }) => `  ${key} ${problem}`);
  return new NetraError('config_invalid', `The configuration is not valid:\n${lines.join('\n')}`, { problems });
}

function freeze(settings: Settings, sources: Record<ConfigKey, Source>, variable: Config['variable']): LoadedConfig {
  const { NETRA_MODEL_URL: url, NETRA_MODEL_NAME: name, NETRA_MODEL_KEY: key } = settings;
  return Object.freeze({
    env: settings.NETRA_ENV,
    data_dir: resolve(settings.NETRA_DATA),
    host: settings.NETRA_HOST,
    port: settings.NETRA_PORT,
    public_url: settings.NETRA_PUBLIC_URL ?? null,
    cors_origins: Object.freeze(settings.NETRA_CORS_ORIGINS),
    log_level: settings.NETRA_LOG_LEVEL,
    postgres_url: settings.NETRA_POSTGRES_URL ?? null,
    postgres_app_url: settings.NETRA_POSTGRES_APP_URL ?? null,
    postgres_pool: settings.NETRA_POSTGRES_POOL,
    postgres_prepared: settings.NETRA_POSTGRES_PREPARED === 'on',
    clickhouse_url: settings.NETRA_CLICKHOUSE_URL ?? null,
    clickhouse_cluster: settings.NETRA_CLICKHOUSE_CLUSTER ?? null,
    redis_url: settings.NETRA_REDIS_URL ?? null,
    secret: settings.NETRA_SECRET ?? null,
    rehearsal: settings.NETRA_REHEARSAL === 'on',
    signup_plan: settings.NETRA_SIGNUP_PLAN,
    model: url === undefined || name === undefined ? null : Object.freeze({ url, name, key: key ?? null }),
    credits: settings.NETRA_CREDITS,
    payments: Object.freeze(paymentsOf(settings)),
    capacity: settings.NETRA_CAPACITY,
    sockets: { user: settings.NETRA_SOCKETS_USER, org: settings.NETRA_SOCKETS_ORG },
    lease_ms: settings.NETRA_LEASE_MS,
    max_attempts: settings.NETRA_MAX_ATTEMPTS,
    drain_ms: settings.NETRA_DRAIN_MS,
    model_silence_ms: settings.NETRA_MODEL_SILENCE_MS,
    parked_ms: settings.NETRA_PARKED_HOURS * 3_600_000,
    drain_notice_ms: settings.NETRA_DRAIN_NOTICE_MS,
    outgoing_loopback: settings.NETRA_OUTGOING_LOOPBACK === 'on',
    agents_dir: settings.NETRA_AGENTS_DIR === undefined ? null : resolve(settings.NETRA_AGENTS_DIR),
    agents_hosts: Object.freeze(settings.NETRA_AGENTS_HOSTS),
    variable,
    sources: Object.freeze(sources),
    settings: Object.freeze(settings),
  });
}

function paymentsOf(settings: Settings): Config['payments'] {
  const { NETRA_PAYMENTS: provider, NETRA_STRIPE_KEY: key, NETRA_STRIPE_WEBHOOK_SECRET: webhook_secret } = settings;
  // The rules have asked for both.
  return provider === 'stripe' && key !== undefined && webhook_secret !== undefined
    ? { provider, key, webhook_secret, url: settings.NETRA_STRIPE_URL ?? null }
    : { provider: 'manual' };
}
