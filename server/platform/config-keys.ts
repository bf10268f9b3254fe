import { z } from 'zod';
import { logLevels } from './log.ts';

export const environments = ['development', 'test', 'staging', 'production'] as const;
export type Environment = (typeof environments)[number];

/** enforce: refuses what cannot be paid. observe: counts all, refuses and bills nothing. off: no credits at all. */
export const creditModes = ['enforce', 'observe', 'off'] as const;
export type CreditMode = (typeof creditModes)[number];

const whole = (min: number, max: number, fallback: number) =>
  z.coerce.number('must be a whole number').int('must be a whole number').min(min).max(max).default(fallback);

const text = z.string().min(1, 'must not be empty');
const url = (...schemes: readonly string[]) =>
  text.refine((value) => URL.canParse(value) && schemes.includes(new URL(value).protocol), {
    message: `must be a URL that starts with ${schemes.map((scheme) => `${scheme}//`).join(' or ')}`,
  });

const httpUrl = url('http:', 'https:');
const origin = httpUrl.refine((value) => URL.canParse(value) && new URL(value).origin === value, {
  message: 'must be origins: scheme, host and port, nothing after',
});
const origins = text
  .transform((value) => value.split(',').map((part) => part.trim()))
  .pipe(z.array(origin))
  .default([]);

const port = String.raw`(:\d{1,5})?`;
const hostName = new RegExp(String.raw`^([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])${port}$`, 'i');
const hosts = text
  .transform((value) => value.split(',').map((part) => part.trim().toLowerCase()))
  .pipe(z.array(z.string().regex(hostName, 'must be hosts: name or address, and a port if it is not the usual one')))
  .default([]);

/** The one schema. Everything the server can be told, by the name it is told under. */
export const configSchema = z.object({
  NETRA_ENV: z.enum(environments).default('development'),
  NETRA_DATA: text.default('.netra'),
  NETRA_HOST: text.default('127.0.0.1'),
  NETRA_PORT: whole(0, 65_535, 4100),
  NETRA_POSTGRES_URL: url('postgres:', 'postgresql:').optional(),
  NETRA_POSTGRES_HOST: text.optional(),
  NETRA_POSTGRES_PORT: z.coerce.number('must be a port').int().min(1).max(65_535).optional(),
  NETRA_POSTGRES_USER: text.optional(),
  NETRA_POSTGRES_PASSWORD: text.optional(),
  NETRA_POSTGRES_DATABASE: text.optional(),
  NETRA_POSTGRES_SSLMODE: z.enum(['disable', 'require', 'verify-ca', 'verify-full']).optional(),
  NETRA_POSTGRES_APP_URL: url('postgres:', 'postgresql:').optional(),
  NETRA_POSTGRES_POOL: whole(2, 1_000, 20),
  NETRA_POSTGRES_PREPARED: z.enum(['on', 'off']).default('on'),
  NETRA_CLICKHOUSE_URL: httpUrl.optional(),
  NETRA_CLICKHOUSE_CLUSTER: text
    .regex(/^[A-Za-z]\w{0,62}$/, 'must be the name of a cluster: letters, digits and _')
    .optional(),
  NETRA_REDIS_URL: url('redis:', 'rediss:').optional(),
  NETRA_SECRET: z
    .string()
    .refine((value) => Buffer.byteLength(value) >= 32, { message: 'must have at least 32 bytes' })
    .optional(),
  NETRA_SECRET_HASHES_ELSEWHERE: text
    .transform((value) => value.split(',').map((part) => part.trim()))
    .pipe(z.array(z.string().regex(/^[0-9a-f]{16}$/, 'must be hashes as `netra config check` prints them')))
    .default([]),
  NETRA_PUBLIC_URL: httpUrl.optional(),
  NETRA_CORS_ORIGINS: origins,
  NETRA_LOG_LEVEL: z.enum(logLevels).default('info'),
  NETRA_REHEARSAL: z.enum(['on', 'off']).default('off'),
  NETRA_SIGNUP_PLAN: text.default('free'),
  NETRA_MODEL_URL: httpUrl.optional(),
  NETRA_MODEL_NAME: text.optional(),
  NETRA_MODEL_KEY: text.optional(),
  NETRA_MODEL_SILENCE_MS: whole(100, 600_000, 60_000),
  NETRA_CREDITS: z.enum(creditModes).default('enforce'),
  NETRA_PAYMENTS: z.enum(['manual', 'stripe']).default('manual'),
  NETRA_STRIPE_URL: httpUrl.optional(),
  NETRA_STRIPE_KEY: text.regex(/^(sk|rk)_(test|live)_\w+$/, 'must be a secret or restricted key of Stripe').optional(),
  NETRA_STRIPE_WEBHOOK_SECRET: text.regex(/^whsec_\S{16,}$/, 'must be the signing secret of the endpoint').optional(),
  NETRA_SOCKETS_USER: whole(1, 1_000_000, 256),
  NETRA_SOCKETS_ORG: whole(1, 10_000_000, 10_000),
  NETRA_CAPACITY: whole(0, 100_000, 256),
  NETRA_LEASE_MS: whole(200, 600_000, 4_000),
  NETRA_MAX_ATTEMPTS: whole(1, 100, 5),
  NETRA_PARKED_HOURS: whole(1, 8_760, 168),
  NETRA_DRAIN_MS: whole(0, 600_000, 10_000),
  NETRA_DRAIN_NOTICE_MS: whole(0, 600_000, 0),
  NETRA_OUTGOING_LOOPBACK: z.enum(['on', 'off']).default('off'),
  NETRA_AGENTS_DIR: text.optional(),
  NETRA_AGENTS_HOSTS: hosts,
});

export type Settings = z.output<typeof configSchema>;
export type ConfigKey = keyof Settings;
export const configKeys = Object.keys(configSchema.shape) as readonly ConfigKey[];

/** Where the file with more of them is; read before the schema, so not part of it. */
export const envFileKey = 'NETRA_ENV_FILE';

/** Holds a credential: shown only as "set", hashed slowly. */
export const secretKeys: ReadonlySet<ConfigKey> = new Set<ConfigKey>([
  'NETRA_POSTGRES_URL',
  'NETRA_POSTGRES_PASSWORD',
  'NETRA_POSTGRES_APP_URL',
  'NETRA_CLICKHOUSE_URL',
  'NETRA_REDIS_URL',
  'NETRA_SECRET',
  'NETRA_MODEL_KEY',
  'NETRA_STRIPE_KEY',
  'NETRA_STRIPE_WEBHOOK_SECRET',
]);

/** Differs between honest nodes: left out when nodes are compared. */
export const nodeKeys: ReadonlySet<ConfigKey> = new Set<ConfigKey>([
  'NETRA_DATA',
  'NETRA_HOST',
  'NETRA_PORT',
  'NETRA_AGENTS_DIR',
]);
