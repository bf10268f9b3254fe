import type { Platform } from '../platform/index.ts';
import { GroupCall } from './group-call.ts';
import { retryUnknown } from './retry-unknown.ts';
import { finishRunsStatement, finishRunStatement, type FinishArguments, type FinishedRow } from './sql/run.ts';

/** Ends of runs, one at a time or several in a transaction. Repeated when an answer was lost: that changes nothing. */
export function groupFinishes(platform: Platform): GroupCall<FinishArguments, FinishedRow> {
  const { postgres } = platform;
  return new GroupCall<FinishArguments, FinishedRow>({
    orderBy: ({ org_id }) => org_id,
    async one(finish) {
      const statement = finishRunStatement(finish);
      const [row] = await retryUnknown(platform, () => postgres.call<FinishedRow>(statement));
      if (!row) throw new Error('finish_run gave no row');
      return row;
    },
    async many(finishes) {
      const statement = finishRunsStatement(finishes);
      const rows = await retryUnknown(platform, () => postgres.call<FinishedRow & { slot: number }>(statement));
      const answers: (FinishedRow | undefined)[] = finishes.map(() => undefined);
      for (const { slot, at, receipt } of rows) answers[slot - 1] = { at, receipt };
      return answers;
    },
  });
}
