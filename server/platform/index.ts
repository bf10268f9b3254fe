export { appRole, authRole, deriveAppUrl, deriveLoginUrl, loginRoles, type LoginRole } from './app-url.ts';
export type { ClickHouse } from './clickhouse.ts';
export { systemClock, type Clock } from './clock.ts';
export { hashConfig, hashValue, type ConfigHashes } from './config-hash.ts';
export { configKeys, environments, type ConfigKey, type CreditMode, type Environment } from './config-keys.ts';
export { loadConfig, type Config, type LoadedConfig } from './config.ts';
export { openEmbeddedStores, type EmbeddedStores } from './embedded/index.ts';
export {
  describeConfig,
  findOddNodes,
  reportConfig,
  type DescribedKey,
  type NodeReport,
  type OddNode,
} from './describe-config.ts';
export {
  adviceOn,
  enterOrg,
  examinationLimits,
  examine,
  type Advice,
  type Breach,
  type Examination,
  type FaultRow,
  type Scope,
} from './examination.ts';
export type { Fault } from './fault.ts';
export { systemIds, uuidV7, type Ids } from './ids.ts';
export { openLog, redact, type Log, type LogLevel } from './log.ts';
export { openMetrics, type Metrics } from './metrics.ts';
export { ClickHouseError, openClickHouse } from './open-clickhouse.ts';
export {
  openPlatform,
  postgresUrlFor,
  type OpenPlatform,
  type PlatformOptions,
  type StoreUrls,
} from './open-platform.ts';
export { openPostgres, type PostgresOptions } from './open-postgres.ts';
export { openRedis } from './open-redis.ts';
export type { Authenticator, Ctx, Platform, Principal, Role } from './platform.ts';
export { startPoll, type Poll } from './poll.ts';
export type { Postgres, Statement, Transaction } from './postgres.ts';
export { isConnectionLoss, mapPostgresError, PostgresError } from './postgres-errors.ts';
export { oneRow } from './one-row.ts';
export { openOutgoing, OutgoingError, type Outgoing, type OutgoingAnswer } from './outgoing.ts';
export { parseInput } from './parse-input.ts';
export { seal, unseal, type SealOptions } from './seal.ts';
export { openInProcessRedis } from './redis-in-process.ts';
export type { Redis } from './redis.ts';
export { cacheBounds_ms } from './cache-bounds.ts';
export { settleConfig } from './settle-config.ts';
export {
  forgetKept,
  listKept,
  migrateDown,
  migrateUp,
  migrationStatus,
  readMigrations,
  restoreKept,
  type Kept,
  type Migrated,
  type MigrateOptions,
  type Migration,
  type MigrationProgress,
  type MigrationStatus,
  type MigrationStore,
  setLogin,
} from './migrate/index.ts';
export { openShutdown, type Shutdown } from './shutdown.ts';
export { publishConfig, readNodeReports, withdrawConfig } from './publish-config.ts';
export { observePool } from './observe-pool.ts';
