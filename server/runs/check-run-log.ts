import type { Platform } from '../platform/index.ts';
import { checkRunLogStatement, type BreachRow } from './sql/run.ts';

/** A lease this long over means that no node picks up what others drop. */
const stale_ms = 60_000;

/** R1 and R2 on this installation, read-only: one line a breach, none when all is well. For `netra doctor`. */
export async function checkRunLog(platform: Platform): Promise<readonly BreachRow[]> {
  return platform.postgres.call<BreachRow>(checkRunLogStatement(stale_ms));
}
