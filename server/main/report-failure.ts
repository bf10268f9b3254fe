import { NetraError } from '@netra/contract';

/** Prints one readable line (and its facts) to stderr; returns the exit code. Unknown errors keep their stack. */
export function reportFailure(error: unknown): number {
  if (error instanceof NetraError) {
    process.stderr.write(`netra: ${error.message}\n`);
    for (const [fact, value] of Object.entries(error.detail)) {
      if (fact !== 'message') process.stderr.write(`  ${fact}: ${JSON.stringify(value)}\n`);
    }
    return 1;
  }
  if (isUsageMistake(error)) {
    process.stderr.write(`netra: ${error.message}\n`);
    return 2;
  }
  process.stderr.write(`netra: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return 1;
}

/** What `parseArgs` says of a flag that is not there. */
function isUsageMistake(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
}
