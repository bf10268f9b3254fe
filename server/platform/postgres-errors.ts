import { NetraError, isErrorCode } from '@netra/contract';
import { networkErrors } from './network-errors.ts';

/** SQLSTATE of netra.refuse(): a refusal on purpose. */
const refusalState = 'NT000';
/** Deadlock and serialization failure: the transaction did nothing, so it may run again. */
const retryableStates = new Set(['40P01', '40001']);
// Server going down or starting, too many connections, connection exceptions (class 08), and node's socket errors.
const unavailableStates = new Set(['57P01', '57P02', '57P03', '53300']);
// ENOENT: the server's Unix socket is not there.
const unavailableCodes = new Set([...networkErrors, 'ENOENT']);
const lostConnection =
  /connection terminated|timeout exceeded when trying to connect|query read timeout|client has encountered a connection/i;

/** A statement that PostgreSQL refused and that nobody meant to be refused: a bug of ours, or a constraint that held. */
export class PostgresError extends Error {
  readonly sqlstate: string;
  readonly constraint: string | null;
  readonly statement: string | null;

  constructor(message: string, sqlstate: string, constraint: string | null, statement: string | null) {
    super(message);
    this.name = 'PostgresError';
    this.sqlstate = sqlstate;
    this.constraint = constraint;
    this.statement = statement;
  }
}

interface DriverError {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly detail?: unknown;
  readonly constraint?: unknown;
  readonly where?: unknown;
}

function driverError(error: unknown): DriverError {
  return typeof error === 'object' && error !== null ? error : { message: error };
}

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);

export function isRetryable(error: unknown): boolean {
  return retryableStates.has(textOf(driverError(error).code) ?? '');
}

export function isConnectionLoss(error: unknown): boolean {
  const { code, message } = driverError(error);
  const state = textOf(code) ?? '';
  if (unavailableStates.has(state) || unavailableCodes.has(state) || /^08...$/.test(state)) return true;
  return lostConnection.test(textOf(message) ?? '');
}

function refusal(error: DriverError): NetraError | null {
  const code = textOf(error.message);
  if (textOf(error.code) !== refusalState || !isErrorCode(code)) return null;
  const detail: unknown = JSON.parse(textOf(error.detail) ?? '{}');
  if (typeof detail !== 'object' || detail === null) return new NetraError(code, code);
  const { message, ...facts }: { message?: unknown } = detail;
  return new NetraError(code, textOf(message) ?? code, facts);
}

/**
 * What the rooms see instead of the driver's error: a refusal as its NetraError, a lost connection as `unavailable`,
 * the rest as PostgresError without the driver's `detail` (it quotes rows) and without host, user or URL.
 */
export function mapPostgresError(error: unknown, statement: string | null): Error {
  if (error instanceof NetraError || error instanceof PostgresError) return error;
  const driver = driverError(error);
  const refused = refusal(driver);
  if (refused) return refused;
  if (isConnectionLoss(error)) return new NetraError('unavailable', 'The database cannot be reached; try again');
  const state = textOf(driver.code);
  if (state === null && error instanceof Error) return error;
  // Class 28 and 3D name users and databases: facts of the DSN.
  const secretive = /^(28|3D)/.test(state ?? '');
  const where = textOf(driver.where)?.split('\n')[0];
  const message = secretive ? 'PostgreSQL refused the login' : (textOf(driver.message) ?? 'unknown');
  const place = [statement && `in ${statement}`, where && `at ${where}`].filter(Boolean).join(' ');
  return new PostgresError(
    `${message} [${state ?? '?'}] ${place}`.trim(),
    state ?? '',
    textOf(driver.constraint),
    statement,
  );
}
