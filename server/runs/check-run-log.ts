import type { Platform } from '../platform/index.ts';
import { examineRunLog } from './examine-run-log.ts';
import type { BreachRow } from './sql/examination.ts';

/** R1 and R2 on this installation, read-only: one line a breach, none when all is well. */
export async function checkRunLog(platform: Pick<Platform, 'postgres'>): Promise<readonly BreachRow[]> {
  return (await examineRunLog({ platform, input: {} })).breaches;
}
