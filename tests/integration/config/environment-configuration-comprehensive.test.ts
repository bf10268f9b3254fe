/**
 * Segment: operators of every plan's installation, from a laptop to production.
 * Goal: a node starts only with a configuration that is whole, right for its environment, and the same as its sisters'.
 * Value: a wrong key is found in one read of one message, before the first request, and never by its value in a log.
 * Strategic impact: misconfiguration is the commonest cause of leaked data and of outages; here it cannot start.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NetraError } from '@netra/contract';
import { suite } from '@netra/testkit';
import { afterAll, describe, expect, it } from 'vitest';
import {
  configKeys,
  deriveAppUrl,
  describeConfig,
  findOddNodes,
  loadConfig,
  migrateUp,
  openLog,
  openPostgres,
  publishConfig,
  readNodeReports,
  settleConfig,
  withdrawConfig,
} from '../../../server/platform/index.ts';

// Planted bugs that were seen red, each alone: file before environment in `merge` (config-1 precedence); `throw` at the
// first issue instead of collecting (config-1 all at once); the value in a message (config-1 values); a module-level
// cache of the parsed configuration (config-1 two in one process); `isLocalHost` without 127.0.0.0/8 (config-2); the
// rule on sslmode dropped (config-2); `>= 32` made `>= 31` (config-3); hashing all keys alike (config-3 odd one out).

const folder = mkdtempSync(join(tmpdir(), 'netra-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const secret = (): string => randomBytes(48).toString('base64url');
const password = `pw-${randomBytes(8).toString('hex')}`;

function envFile(name: string, values: Readonly<Record<string, string>>): string {
  const path = join(folder, name);
  writeFileSync(
    path,
    Object.entries(values)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  );
  return path;
}

const production = (over: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  NETRA_ENV: 'production',
  NETRA_POSTGRES_URL: `postgres://owner:${password}@db.netra.example:5432/netra?sslmode=verify-full`,
  NETRA_CLICKHOUSE_URL: `https://netra:${password}@analytics.netra.example/netra`,
  NETRA_PUBLIC_URL: 'https://netra.example',
  NETRA_SECRET: secret(),
  ...over,
});

/** The keys that loadConfig refuses, with what it says; and the whole message. */
function refusal(env: Readonly<Record<string, string>>, file?: string): { keys: string[]; message: string } {
  try {
    loadConfig(file === undefined ? { env } : { env, file });
  } catch (error) {
    if (!(error instanceof NetraError)) throw error;
    expect(error.code).toBe('config_invalid');
    const problems = error.detail['problems'] as readonly { readonly key: string }[];
    return { keys: problems.map(({ key }) => key), message: `${error.message}\n${JSON.stringify(error.detail)}` };
  }
  return { keys: [], message: '' };
}

describe('config-1: loading and isolation', () => {
  it('config-1 keeps two configurations of one process apart, also while one of them is bad', () => {
    const one = loadConfig({ env: { NETRA_PORT: '5001', NETRA_CORS_ORIGINS: 'https://one.example' } });
    expect(refusal({ NETRA_PORT: 'x' }).keys).toEqual(['NETRA_PORT']);
    const two = loadConfig({ env: { NETRA_PORT: '5002' } });
    expect([one.port, two.port, loadConfig({ env: {} }).port]).toEqual([5001, 5002, 4100]);
    expect(two.cors_origins).toEqual([]);
    expect(() => Object.assign(one, { port: 1 })).toThrow(TypeError);
    expect(() => (one.cors_origins as string[]).push('https://other.example')).toThrow(TypeError);
  });

  it('config-1 reads no environment but the one it is given', () => {
    process.env['NETRA_PORT'] = '5999';
    try {
      expect(loadConfig({ env: {} }).port).toBe(4100);
      expect(loadConfig().port).toBe(5999);
    } finally {
      delete process.env['NETRA_PORT'];
    }
  });

  it('config-1 prefers the process environment to the env file, and the file to the default', () => {
    const file = envFile('precedence', { NETRA_PORT: '5003', NETRA_CAPACITY: '9' });
    const config = loadConfig({ env: { NETRA_PORT: '5004' }, file });
    expect([config.port, config.capacity, config.lease_ms]).toEqual([5004, 9, 4000]);
    const { NETRA_PORT, NETRA_CAPACITY, NETRA_LEASE_MS } = config.sources;
    expect([NETRA_PORT, NETRA_CAPACITY, NETRA_LEASE_MS]).toEqual(['environment', 'file', 'default']);
    expect(loadConfig({ env: { NETRA_ENV_FILE: file } }).port).toBe(5003);
  });

  it('config-1 names every missing and bad key in one error', () => {
    const { keys } = refusal({
      NETRA_ENV: 'production',
      NETRA_PORT: '70000',
      NETRA_POSTGRES_URL: 'mysql://db.example/x',
      NETRA_CAPACITY: '1.5',
      NETRA_LOG_LEVEL: 'loud',
      NETRA_REHEARSAL: 'maybe',
      NETRA_MODEL_NAME: 'm',
    });
    const expected = ['PORT', 'POSTGRES_URL', 'CAPACITY', 'LOG_LEVEL', 'REHEARSAL'];
    const missing = ['CLICKHOUSE_URL', 'PUBLIC_URL', 'SECRET', 'MODEL_URL'];
    expect(keys.toSorted()).toEqual([...expected, ...missing].map((key) => `NETRA_${key}`).toSorted());
  });

  it('config-1 names an unknown key of the env file, and a file that cannot be read', () => {
    const { keys, message } = refusal({}, envFile('typo', { NETRA_POSTGRES_URI: `postgres://u:${password}@h/d` }));
    expect(keys).toEqual(['NETRA_ENV_FILE']);
    expect(message).toContain('NETRA_POSTGRES_URI');
    expect(message).not.toContain(password);
    expect(refusal({ NETRA_ENV_FILE: join(folder, 'none') }).keys).toEqual(['NETRA_ENV_FILE']);
  });

  it('config-1 prints no value: not in an error, not in the description, not in the log', () => {
    for (const key of configKeys) {
      const value = `planted-${randomBytes(6).toString('hex')} \n"`;
      const { message } = refusal({ ...production(), [key]: value });
      expect(message, key).not.toContain(value.slice(0, 20));
      expect(message, key).not.toContain(password);
    }
    const config = loadConfig({
      env: production({ NETRA_MODEL_URL: 'https://m.example', NETRA_MODEL_NAME: 'm', NETRA_MODEL_KEY: password }),
    });
    const described = JSON.stringify(describeConfig(config));
    expect(described).not.toContain(password);
    expect(described).not.toContain('db.netra.example');
    expect(described).not.toContain(config.secret);
    const lines: string[] = [];
    const log = openLog({ level: 'info', stream: { write: (line) => lines.push(line) } });
    log.info({ url: config.postgres_url, secret: config.secret }, `connecting to ${config.clickhouse_url}`);
    expect(lines).toHaveLength(1);
    expect(lines.join('')).not.toContain(password);
    expect(lines.join('')).not.toContain(config.secret);
  });

  it('config-1 keeps a generated secret in the data folder, readable by its owner alone, the same each time', () => {
    const data = join(folder, 'data');
    const first = settleConfig(loadConfig({ env: { NETRA_DATA: data } }));
    const again = settleConfig(loadConfig({ env: { NETRA_DATA: data } }));
    expect(Buffer.byteLength(first.secret)).toBeGreaterThanOrEqual(32);
    expect(again.secret).toBe(first.secret);
    expect(statSync(join(data, 'secret')).mode & 0o777).toBe(0o600);
    const told = settleConfig(loadConfig({ env: { NETRA_DATA: data, NETRA_SECRET: 'x'.repeat(32) } }));
    expect(told.secret).toBe('x'.repeat(32));
  });

  it('config-1 is documented key by key in docs/operate.md', () => {
    const page = readFileSync(new URL('../../../docs/operate.md', import.meta.url), 'utf8');
    const missing = [...configKeys, 'NETRA_ENV_FILE'].filter((key) => !page.includes(`| \`${key}\` |`));
    expect(missing).toEqual([]);
  });
});

const url = (value: string, NETRA_ENV = 'development') =>
  refusal(
    NETRA_ENV === 'production' ? production({ NETRA_POSTGRES_URL: value }) : { NETRA_ENV, NETRA_POSTGRES_URL: value },
  );

describe('config-2: database URLs', () => {
  const { stores } = suite();

  it('config-2 makes the same URL from one value and from its parts, whatever characters they have', () => {
    const parts = {
      NETRA_POSTGRES_HOST: 'db.example',
      NETRA_POSTGRES_PORT: '6543',
      NETRA_POSTGRES_USER: 'own er',
      NETRA_POSTGRES_PASSWORD: 'p@ss:w/rd?#%',
      NETRA_POSTGRES_DATABASE: 'netra',
      NETRA_POSTGRES_SSLMODE: 'verify-full',
    };
    const joined = loadConfig({ env: parts }).postgres_url ?? '';
    expect(joined).toBe('postgres://own%20er:p%40ss%3Aw%2Frd%3F%23%25@db.example:6543/netra?sslmode=verify-full');
    expect(loadConfig({ env: { NETRA_POSTGRES_URL: joined } }).postgres_url).toBe(joined);
    expect(new URL(deriveAppUrl(joined)).host).toBe('db.example:6543');
  });

  it('config-2 connects by parts to a real server, as the owner and, after migration, as the application', async () => {
    const real = new URL(stores.postgres_url);
    const { postgres_url } = loadConfig({
      env: {
        NETRA_POSTGRES_HOST: real.hostname,
        NETRA_POSTGRES_PORT: real.port,
        NETRA_POSTGRES_USER: decodeURIComponent(real.username),
        NETRA_POSTGRES_PASSWORD: decodeURIComponent(real.password),
        NETRA_POSTGRES_DATABASE: real.pathname.slice(1),
      },
    });
    if (postgres_url === null) throw new Error('no URL');
    const log = openLog({ level: 'silent' });
    const owner = openPostgres(postgres_url, { pool_size: 2, log });
    const app = openPostgres(deriveAppUrl(postgres_url), { pool_size: 2, log });
    try {
      const who = { text: 'select current_user as name, current_database() as database', values: [] };
      const database = real.pathname.slice(1);
      expect(await owner.call(who)).toEqual([{ name: decodeURIComponent(real.username), database }]);
      expect(await app.call(who)).toEqual([{ name: 'netra_app', database }]);
    } finally {
      await Promise.all([owner.close(), app.close()]);
    }
  });

  it('config-2 takes the URL or the parts from the higher place, and refuses both at the same one', () => {
    const file = envFile('parts', {
      NETRA_POSTGRES_HOST: 'file.example',
      NETRA_POSTGRES_USER: 'u',
      NETRA_POSTGRES_PASSWORD: 'p',
      NETRA_POSTGRES_DATABASE: 'd',
    });
    const over = loadConfig({ env: { NETRA_POSTGRES_URL: 'postgres://u:p@env.example/d' }, file });
    expect(over.postgres_url).toBe('postgres://u:p@env.example/d');
    const { keys } = refusal({
      NETRA_POSTGRES_URL: 'postgres://u:p@h/d',
      NETRA_POSTGRES_HOST: 'h',
      NETRA_POSTGRES_USER: 'u',
      NETRA_POSTGRES_DATABASE: 'd',
    });
    expect(keys).toEqual(['NETRA_POSTGRES_URL']);
    expect(refusal({ NETRA_POSTGRES_HOST: 'h' }).keys).toEqual(['NETRA_POSTGRES_USER', 'NETRA_POSTGRES_DATABASE']);
  });

  it.each([
    ['an empty host', 'postgres:///netra'],
    ['a bad port', 'postgres://u:p@db.example:99999/netra'],
    ['port 0', 'postgres://u:p@db.example:0/netra'],
    ['a port of letters', 'postgres://u:p@db.example:port/netra'],
    ['a missing database', 'postgres://u:p@db.example:5432'],
    ['a missing database after the slash', 'postgres://u:p@db.example:5432/'],
    ['another scheme', 'https://u:p@db.example/netra'],
    ['no URL', 'db.example'],
    ['nothing', ''],
  ])('config-2 refuses %s everywhere', (_what, value) => {
    for (const env of ['development', 'test', 'production'])
      expect(url(value, env).keys, env).toContain('NETRA_POSTGRES_URL');
  });

  it('config-2 refuses bad parts by their own names', () => {
    const parts = {
      NETRA_POSTGRES_HOST: 'h',
      NETRA_POSTGRES_USER: 'u',
      NETRA_POSTGRES_PASSWORD: 'p',
      NETRA_POSTGRES_DATABASE: 'd',
    };
    expect(refusal({ ...parts, NETRA_POSTGRES_HOST: '' }).keys).toContain('NETRA_POSTGRES_HOST');
    for (const port of ['0', '65536', 'x', '1.5', '-1']) {
      expect(refusal({ ...parts, NETRA_POSTGRES_PORT: port }).keys, port).toEqual(['NETRA_POSTGRES_PORT']);
    }
    expect(refusal({ ...parts, NETRA_POSTGRES_DATABASE: '' }).keys).toContain('NETRA_POSTGRES_DATABASE');
    expect(refusal({ ...parts, NETRA_POSTGRES_SSLMODE: 'maybe' }).keys).toEqual(['NETRA_POSTGRES_SSLMODE']);
  });

  it.each([
    'localhost',
    'LOCALHOST',
    'db.localhost',
    '127.0.0.1',
    '127.1.2.3',
    '0.0.0.0',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
  ])('config-2 refuses %s in staging and production, and allows it in development', (host) => {
    const value = `postgres://u:p@${host}/netra?sslmode=verify-full`;
    expect(url(value, 'production').keys).toEqual(['NETRA_POSTGRES_URL']);
    expect(refusal({ ...production({ NETRA_POSTGRES_URL: value }), NETRA_ENV: 'staging' }).keys).toEqual([
      'NETRA_POSTGRES_URL',
    ]);
    expect(url(value).keys).toEqual([]);
  });

  it.each(['', '?sslmode=disable', '?sslmode=prefer', '?sslmode=allow'])(
    'config-2 refuses "%s" (no TLS) in production',
    (tls) => {
      expect(url(`postgres://u:p@db.example/netra${tls}`, 'production').keys).toEqual(['NETRA_POSTGRES_URL']);
      expect(url(`postgres://u:p@db.example/netra${tls}`).keys).toEqual([]);
    },
  );

  it('config-2 holds ClickHouse, Redis and the application login to the same rules', () => {
    const bad = production({
      NETRA_CLICKHOUSE_URL: 'http://localhost:8123/netra',
      NETRA_REDIS_URL: 'redis://127.0.0.1:6379',
      NETRA_POSTGRES_APP_URL: 'postgres://app:p@localhost/netra',
    });
    expect(new Set(refusal(bad).keys)).toEqual(
      new Set(['NETRA_CLICKHOUSE_URL', 'NETRA_REDIS_URL', 'NETRA_POSTGRES_APP_URL']),
    );
    expect(refusal(production()).keys).toEqual([]);
  });
});

describe('config-3: JWT configuration', () => {
  const { stores, onEnd } = suite();

  it('config-3 refuses keys shorter than 32 bytes, counted in bytes', () => {
    for (const env of ['development', 'test', 'staging', 'production']) {
      const short = { ...production({ NETRA_SECRET: 'k'.repeat(31) }), NETRA_ENV: env };
      expect(refusal(short).keys, env).toEqual(['NETRA_SECRET']);
    }
    expect(refusal({ NETRA_SECRET: 'ü'.repeat(16) }).keys).toEqual([]);
    expect(refusal({ NETRA_SECRET: 'ü'.repeat(15) }).keys).toEqual(['NETRA_SECRET']);
  });

  it('config-3 refuses a missing key and one that is not random in staging and production', () => {
    for (const value of ['k'.repeat(64), 'changeme'.repeat(8)]) {
      expect(refusal(production({ NETRA_SECRET: value })).keys).toEqual(['NETRA_SECRET']);
    }
    const { NETRA_SECRET: _none, ...without } = production();
    expect(refusal(without).keys).toEqual(['NETRA_SECRET']);
  });

  it('config-3 refuses the key of another environment, told by its hash', () => {
    const shared = secret();
    const hashOf = (value: string): string =>
      describeConfig(loadConfig({ env: { NETRA_SECRET: value } })).find(({ key }) => key === 'NETRA_SECRET')?.hash ??
      '';
    expect(hashOf(shared)).toMatch(/^[0-9a-f]{16}$/);
    const elsewhere = `${hashOf(secret())},${hashOf(shared)}`;
    const env = production({ NETRA_SECRET: shared, NETRA_SECRET_HASHES_ELSEWHERE: elsewhere });
    expect(refusal(env).keys).toEqual(['NETRA_SECRET']);
    expect(refusal({ ...env, NETRA_SECRET: secret() }).keys).toEqual([]);
  });

  it('config-3 publishes what every node runs with, as hashes, and names the odd one out', async () => {
    const log = openLog({ level: 'silent' });
    await migrateUp({ urls: { postgres_url: stores.postgres_url }, log });
    const postgres = openPostgres(deriveAppUrl(stores.postgres_url), { pool_size: 2, log });
    onEnd(() => postgres.close());
    const shared = secret();
    const node = (over: Readonly<Record<string, string>>) => loadConfig({ env: { NETRA_SECRET: shared, ...over } });
    await publishConfig({ postgres, node_id: 'a', config: node({ NETRA_PORT: '1' }) });
    await publishConfig({ postgres, node_id: 'b', config: node({ NETRA_PORT: '2' }) });
    expect(findOddNodes(await readNodeReports(postgres))).toEqual([]);

    const other = secret();
    await publishConfig({ postgres, node_id: 'c', config: node({ NETRA_SECRET: other, NETRA_LEASE_MS: '700' }) });
    const reports = await readNodeReports(postgres);
    expect(findOddNodes(reports)).toMatchObject([
      { node_id: 'c', key: 'NETRA_SECRET' },
      { node_id: 'c', key: 'NETRA_LEASE_MS' },
    ]);
    for (const value of [shared, other]) expect(JSON.stringify(reports)).not.toContain(value);

    const staging = production({ NETRA_ENV: 'staging', NETRA_SECRET: shared });
    const twin = publishConfig({ postgres, node_id: 'd', config: loadConfig({ env: staging }) });
    await expect(twin).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining('NETRA_SECRET'),
    });

    await withdrawConfig({ postgres, node_id: 'c' });
    expect((await readNodeReports(postgres)).map(({ node_id }) => node_id)).toEqual(['a', 'b']);
    expect(findOddNodes(await readNodeReports(postgres))).toEqual([]);
  });

  it('config-3 keeps the secret file closed even if its folder is open', () => {
    const data = mkdtempSync(join(folder, 'open-'));
    chmodSync(data, 0o755);
    settleConfig(loadConfig({ env: { NETRA_DATA: data } }));
    expect(statSync(join(data, 'secret')).mode & 0o077).toBe(0);
  });
});
