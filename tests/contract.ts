/** One promise of the system, with the file that proves it. */
export interface Guarantee {
  /** Every test that proves part of it has a title that starts with this. */
  readonly id: string;
  readonly title: string;
  readonly file: string;
  /** Not claimed yet: nothing is broken, and nothing is proved. A claimed one without a test fails the run. */
  readonly open: boolean;
}

const database = 'tests/integration/database';
const business = 'tests/integration/business';
const clickhouse = `${database}/clickhouse-operations-critical.test.ts`;
const postgres = `${database}/postgresql-transactions-comprehensive.test.ts`;
const migration = `${database}/database-migration-integrity-comprehensive.test.ts`;
const redis = `${database}/redis-caching-critical.test.ts`;
const config = 'tests/integration/config/environment-configuration-comprehensive.test.ts';
const credits = `${business}/user-credit-system-comprehensive.test.ts`;
const agents = `${business}/agent-execution-business-logic-comprehensive.test.ts`;
const health = 'tests/integration/api/health-endpoint-security-comprehensive.test.ts';
const socket = 'tests/e2e/websocket/websocket-agent-communication-e2e.test.ts';
const observe = 'tests/integration/monitoring/observability-systems-comprehensive.test.ts';
const system = 'tests/integration/monitoring/system-health-monitoring-critical.test.ts';

const claimed = (id: string, file: string, title: string): Guarantee => ({ id, file, title, open: false });
const open = (id: string, file: string, title: string): Guarantee => ({ id, file, title, open: true });

/** Every guarantee. The next piece of work that proves an open one turns it into a claimed one. */
export const contract: readonly Guarantee[] = [
  claimed('clickhouse-1', clickhouse, 'Events come back by type, user and time, field for field, at once'),
  claimed('clickhouse-2', clickhouse, 'Metrics aggregate exactly; quantiles within the stated error'),
  claimed('clickhouse-3', clickhouse, 'Under load each user sees its own rows, in order, and no one else’s'),
  claimed('clickhouse-4', clickhouse, 'Settled in PostgreSQL equals summed in ClickHouse; a repeat changes nothing'),
  claimed('clickhouse-5', clickhouse, 'A column is added under live inserts, and killed at every statement'),
  claimed('postgres-1', postgres, 'Atomicity: all commits together, an error at any statement leaves nothing'),
  claimed('postgres-2', postgres, 'Isolation: concurrent spends never overspend; the ten anomalies as documented'),
  claimed('postgres-3', postgres, 'Durability: committed work survives kill -9 of PostgreSQL'),
  claimed('postgres-4', postgres, 'Load: 30 concurrent transactions over 10 organisations'),
  claimed('postgres-5', postgres, 'Deadlocks are found, retried with jitter, and never surface'),
  claimed('migration-1', migration, 'Forward under a live writer; old columns keep their checksums'),
  claimed('migration-2', migration, 'Back, last in first out; killed at every statement, a rerun succeeds'),
  claimed('redis-1', redis, 'What is cached is never staler than its bound, on every node'),
  claimed('redis-2', redis, 'Redis gone: same answers, slower; no limit lifted, nothing lost'),
  claimed('config-1', config, 'Loading, isolation, precedence; all errors named at once, no values'),
  claimed('config-2', config, 'Database URLs from one URL or parts; unsafe ones refused'),
  claimed('config-3', config, 'JWT keys: short or shared ones refused; the odd node out is named'),
  open('config-4', config, 'Drift is recorded, classified and can be rolled back'),
  open('config-5', config, 'Each environment has its own rules'),
  claimed('credits-1', credits, 'Allocation by plan; upgrade prorated at once, downgrade at period end'),
  claimed('credits-2', credits, 'Each charge is one transfer; too large changes nothing; keys are idempotent'),
  claimed('credits-3', credits, 'Limits are enforced; the refusal names the limit and the plan that lifts it'),
  claimed('credits-4', credits, 'Billing: base, overage and tax, to the cent'),
  claimed('agents-1', agents, 'Planted inefficiencies are found; every figure can be recomputed'),
  claimed('agents-2', agents, 'Plan rules hold inside a run too'),
  open('health-1', health, 'Probes are public and say one word; details need an operator'),
  open('health-2', health, 'Bad input is refused or ignored, never reflected, never a 5xx'),
  open('health-3', health, 'A burst is limited; other callers and probes are not'),
  open('health-4', health, 'Security headers and CORS'),
  open('health-5', health, 'No secret, version, stack or host in any answer or log line'),
  claimed('socket-1', socket, 'A complete run shows the five events, in order'),
  claimed('socket-2', socket, 'Two organisations never see each other’s events'),
  claimed('socket-3', socket, 'Cut at every event, or server killed: each event exactly once'),
  claimed('socket-4', socket, '200 concurrent users; latencies beside a bare echo'),
  open('observe-1', observe, 'Logs are structured, searchable, and free of secrets'),
  open('observe-2', observe, 'Business figures equal the ledger’s'),
  open('observe-3', observe, 'Alerts fire, stay silent, resolve; 10,000 repeats are one incident'),
  open('system-1', system, 'Each store stopped in turn: the truth within 5 s, recovery within 10 s'),
  open('system-2', system, 'Pools are exported; exhaustion alerts and recovers'),
];
