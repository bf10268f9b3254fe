import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withOwner, type Suite } from '@netra/testkit';

export type StepFiles = Readonly<Record<string, string>>;

const real = fileURLToPath(new URL('../../../migrations', import.meta.url));
const index = new URL('../../../server/platform/index.ts', import.meta.url).href;

/** Adds columns with a default to a table of ClickHouse, and takes them back. */
export const channelStep: StepFiles = {
  '9001_channel.up.sql': `-- not breaking: adds columns
    alter table event add column if not exists channel LowCardinality(String) default 'web';
    create table if not exists channel_seen (org_id UUID, channel String) engine = MergeTree order by org_id;
    alter table event add column if not exists weight Decimal(18, 6) default 1.5;`,
  '9001_channel.down.sql': `-- breaking: takes them back
    alter table event drop column if exists weight;
    drop table if exists channel_seen;
    alter table event drop column if exists channel;`,
};

/** Folders of migrations: the real ones, and a test's own after them. Gone with the suite. */
export function openSteps(on: Suite): {
  folder(own: {
    readonly postgres?: StepFiles;
    readonly clickhouse?: StepFiles;
    /** Without the real ones after this version. */
    readonly upTo?: number;
  }): string;
} {
  const home = mkdtempSync(join(tmpdir(), 'netra-steps-'));
  let made = 0;
  on.onEnd(() => rmSync(home, { recursive: true, force: true }));
  return {
    folder(own) {
      const dir = join(home, String((made += 1)));
      for (const store of ['postgres', 'clickhouse'] as const) {
        mkdirSync(join(dir, store), { recursive: true });
        for (const file of readdirSync(join(real, store)))
          if (Number(file.slice(0, 4)) <= (own.upTo ?? 9_000)) cpSync(join(real, store, file), join(dir, store, file));
        for (const [file, text] of Object.entries(own[store] ?? {})) writeFileSync(join(dir, store, file), text);
      }
      return dir;
    },
  };
}

/** A migrator in a process of its own, which ends by SIGKILL at `kill` (store/direction/version/phase/statement). */
export async function killedMigrator(options: {
  readonly urls: object;
  readonly dir: string;
  readonly down?: { readonly steps: number; readonly store?: 'postgres' | 'clickhouse' };
  readonly kill: string;
}): Promise<NodeJS.Signals | number | null> {
  const script = `
    import { migrateDown, migrateUp, openLog } from ${JSON.stringify(index)};
    const { urls, dir, down, kill } = JSON.parse(process.argv[1]);
    const onProgress = ({ store, direction, version, phase, statement }) => {
      if ([store, direction, version, phase, statement].join('/') === kill) process.kill(process.pid, 'SIGKILL');
    };
    const options = { urls, dir, onProgress, log: openLog({ level: 'silent' }), lock_timeout_ms: 200 };
    await (down ? migrateDown({ ...options, ...down }) : migrateUp(options));`;
  const args = ['--input-type=module', '-e', script, JSON.stringify(options)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  return new Promise((resolve) => child.once('close', (code, signal) => resolve(signal ?? code)));
}

const fingerprintText = `
with ours as (
  select oid, nspname from pg_namespace
  where nspname not in ('information_schema', 'netra_migration', 'netra_kept') and nspname not like 'pg\\_%'
), facts as (
  select format('column %s.%s.%s %s null=%s default=%s acl=%s', n.nspname, c.relname, a.attname,
      format_type(a.atttypid, a.atttypmod), not a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attacl) as fact
    from pg_class c join ours n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum where c.relkind in ('r', 'p', 'v')
  union all select format('%s %s.%s rls=%s,%s options=%s acl=%s', c.relkind, n.nspname, c.relname, c.relrowsecurity,
      c.relforcerowsecurity, c.reloptions, (select array_agg(x::text order by x::text) from unnest(c.relacl) x))
    from pg_class c join ours n on n.oid = c.relnamespace where c.relkind in ('r', 'p', 'v', 'S')
  union all select format('constraint %s %s', k.conrelid::regclass, pg_get_constraintdef(k.oid))
    from pg_constraint k join ours n on n.oid = k.connamespace where k.contype <> 'n'
  union all select pg_get_indexdef(x.indexrelid) from pg_index x join pg_class c on c.oid = x.indexrelid
    join ours n on n.oid = c.relnamespace
  union all select format('function %s owner=%s acl=%s %s', p.oid::regprocedure, p.proowner::regrole,
      (select array_agg(x::text order by x::text) from unnest(p.proacl) x), pg_get_functiondef(p.oid))
    from pg_proc p join ours n on n.oid = p.pronamespace where p.prokind = 'f'
  union all select format('policy %s %s %s %s %s %s', schemaname, tablename, policyname, roles, cmd, qual || with_check)
    from pg_policies
  union all select format('trigger %s %s', t.tgrelid::regclass, pg_get_triggerdef(t.oid)) from pg_trigger t
    join pg_class c on c.oid = t.tgrelid join ours n on n.oid = c.relnamespace where not t.tgisinternal
  union all select format('schema %s %s', nspname,
      (select array_agg(x::text order by x::text) from pg_namespace o, unnest(o.nspacl) x where o.oid = ours.oid)) from ours
)
select fact from facts order by fact`;

/** All that the catalogue says of the schema, but for names of constraints and the order of columns. */
export async function schemaOf(postgres_url: string): Promise<readonly string[]> {
  return withOwner(postgres_url, async (client) => {
    const { rows } = await client.query<{ fact: string }>(fingerprintText);
    return rows.map(({ fact }) => fact);
  });
}
