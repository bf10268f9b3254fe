import { isIP } from 'node:net';
import type { ConfigKey, Settings } from './config-keys.ts';

export interface Problem {
  readonly key: ConfigKey | 'NETRA_ENV_FILE';
  readonly problem: string;
}

const modes = ['require', 'verify-ca', 'verify-full'];

/** Loopback in any spelling, or a unix socket: the database of a laptop. */
function isLocalHost(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase();
  if (name === 'localhost' || name.endsWith('.localhost') || name.startsWith('/')) return true;
  return (
    isIP(name) !== 0 &&
    (/^127\.|^0\.0\.0\.0$/.test(name) || name === '::1' || name === '::' || /^::ffff:(127\.|7f)/.test(name))
  );
}

function isGuarded(settings: Settings): boolean {
  return settings.NETRA_ENV === 'staging' || settings.NETRA_ENV === 'production';
}

type Rule = (settings: Settings) => Problem[];

function postgresProblems(key: ConfigKey, value: string | undefined, guarded: boolean): Problem[] {
  if (value === undefined) return [];
  const url = new URL(value);
  const host = url.searchParams.get('host') ?? url.hostname;
  const problems: string[] = [];
  if (host === '') problems.push('the host is empty');
  if (url.port === '0') problems.push('the port must be 1 to 65535');
  if (url.pathname.length < 2) problems.push('the database is missing (…/name)');
  if (guarded && isLocalHost(host)) problems.push('must not be this machine in staging or production');
  if (guarded && !modes.includes(url.searchParams.get('sslmode') ?? '')) {
    problems.push('must use TLS in staging or production (?sslmode=verify-full)');
  }
  return problems.map((problem) => ({ key, problem }));
}

const postgres: Rule = (settings) => {
  const guarded = isGuarded(settings);
  const { NETRA_POSTGRES_URL: owner, NETRA_POSTGRES_APP_URL: app } = settings;
  const problems = postgresProblems('NETRA_POSTGRES_URL', owner, guarded);
  if (owner === undefined && guarded)
    problems.push({ key: 'NETRA_POSTGRES_URL', problem: 'is required in staging and production' });
  if (owner !== undefined && app === undefined && new URL(owner).password === '') {
    problems.push({
      key: 'NETRA_POSTGRES_APP_URL',
      problem: 'is required when the owner URL has no password to derive one from',
    });
  }
  if (owner === undefined && app !== undefined) {
    problems.push({ key: 'NETRA_POSTGRES_APP_URL', problem: 'needs NETRA_POSTGRES_URL: migrations run as the owner' });
  }
  return [...problems, ...postgresProblems('NETRA_POSTGRES_APP_URL', app, guarded)];
};

function remote(key: ConfigKey, scheme: string, required: boolean): Rule {
  return (settings) => {
    const value = settings[key];
    if (value === undefined)
      return required && isGuarded(settings) ? [{ key, problem: 'is required in staging and production' }] : [];
    const url = new URL(String(value));
    const problems: Problem[] = url.hostname === '' ? [{ key, problem: 'the host is empty' }] : [];
    if (!isGuarded(settings)) return problems;
    if (isLocalHost(url.hostname)) problems.push({ key, problem: 'must not be this machine in staging or production' });
    if (url.protocol !== scheme)
      problems.push({ key, problem: `must start with ${scheme}// in staging or production` });
    return problems;
  };
}

const secret: Rule = (settings) => {
  const { NETRA_SECRET: value } = settings;
  const key = 'NETRA_SECRET';
  if (!isGuarded(settings)) return [];
  if (value === undefined) return [{ key, problem: 'is required in staging and production' }];
  // Typed by hand or padded: 32 random bytes in any encoding have more than 12 different characters.
  return new Set(value).size < 12 ? [{ key, problem: 'is not random (openssl rand -base64 48)' }] : [];
};

const origins: Rule = (settings) => {
  if (!isGuarded(settings)) return [];
  const key = 'NETRA_CORS_ORIGINS';
  return settings.NETRA_CORS_ORIGINS.flatMap((value, index) => {
    const url = new URL(value);
    const place = `entry ${index + 1}`;
    const local = isLocalHost(url.hostname)
      ? [{ key, problem: `${place} must not be this machine in staging or production` } as const]
      : [];
    const plain =
      url.protocol === 'http:' ? [{ key, problem: `${place} must be https in staging or production` } as const] : [];
    return [...local, ...plain];
  });
};

const logLevel: Rule = (settings) =>
  isGuarded(settings) && (settings.NETRA_LOG_LEVEL === 'debug' || settings.NETRA_LOG_LEVEL === 'trace')
    ? [{ key: 'NETRA_LOG_LEVEL', problem: 'must not be debug or trace in staging or production' }]
    : [];

const model: Rule = ({ NETRA_MODEL_URL: url, NETRA_MODEL_NAME: name, NETRA_MODEL_KEY: key }) => {
  const problems: Problem[] = [];
  if (url !== undefined && name === undefined)
    problems.push({ key: 'NETRA_MODEL_NAME', problem: 'is required with NETRA_MODEL_URL' });
  if (url === undefined && (name ?? key) !== undefined)
    problems.push({ key: 'NETRA_MODEL_URL', problem: 'is required with the other NETRA_MODEL keys' });
  return problems;
};

const outgoing: Rule = (settings) =>
  isGuarded(settings) && settings.NETRA_OUTGOING_LOOPBACK === 'on'
    ? [{ key: 'NETRA_OUTGOING_LOOPBACK', problem: 'must be off in staging or production' }]
    : [];

const payments: Rule = (settings) => {
  const { NETRA_STRIPE_KEY: key, NETRA_STRIPE_WEBHOOK_SECRET: secret, NETRA_STRIPE_URL: url } = settings;
  if (settings.NETRA_PAYMENTS === 'manual') {
    return (key ?? secret ?? url) === undefined
      ? []
      : [{ key: 'NETRA_PAYMENTS', problem: 'must be stripe when the NETRA_STRIPE keys are set' }];
  }
  const problem = 'is required with NETRA_PAYMENTS=stripe';
  const problems: Problem[] = [];
  if (key === undefined) problems.push({ key: 'NETRA_STRIPE_KEY', problem });
  if (secret === undefined) problems.push({ key: 'NETRA_STRIPE_WEBHOOK_SECRET', problem });
  // A payment with a test card would be credits for nothing.
  if (settings.NETRA_ENV === 'production' && key?.includes('_test_') === true) {
    problems.push({ key: 'NETRA_STRIPE_KEY', problem: 'must not be a test key in production' });
  }
  return problems;
};

const cluster: Rule = ({ NETRA_CLICKHOUSE_CLUSTER: name, NETRA_CLICKHOUSE_URL: url_of }) =>
  name !== undefined && url_of === undefined
    ? [{ key: 'NETRA_CLICKHOUSE_URL', problem: 'is required with NETRA_CLICKHOUSE_CLUSTER: the embedded store is one' }]
    : [];

/** The rules between keys, and those of each environment. All are asked, so that all problems are named at once. */
export const rules: readonly Rule[] = [
  postgres,
  remote('NETRA_CLICKHOUSE_URL', 'https:', true),
  cluster,
  remote('NETRA_REDIS_URL', 'rediss:', false),
  remote('NETRA_PUBLIC_URL', 'https:', true),
  remote('NETRA_STRIPE_URL', 'https:', false),
  secret,
  origins,
  logLevel,
  model,
  payments,
  outgoing,
];
