import type { Platform } from '../platform/index.ts';
import { GroupCall } from '../runs/index.ts';
import { admitRunsStatement, admitRunStatement, type AdmitArguments, type AdmittedRow } from './sql/admit-run.ts';

const groups = new WeakMap<Platform, GroupCall<AdmitArguments, AdmittedRow>>();

/** A node's admissions, one at a time or several in a transaction; each is admitted or refused on its own. */
export function admissionsOf(platform: Platform): GroupCall<AdmitArguments, AdmittedRow> {
  const known = groups.get(platform);
  if (known) return known;
  const { postgres } = platform;
  const made = new GroupCall<AdmitArguments, AdmittedRow>({
    orderBy: ({ org_id }) => org_id,
    async one(admit) {
      const [row] = await postgres.call<AdmittedRow>(admitRunStatement(admit));
      if (!row) throw new Error('admit_run gave no row');
      return row;
    },
    async many(admits) {
      const rows = await postgres.call<AdmittedRow & { slot: number }>(admitRunsStatement(admits));
      const answers: (AdmittedRow | undefined)[] = admits.map(() => undefined);
      for (const { slot, ...row } of rows) answers[slot - 1] = row;
      return answers;
    },
  });
  groups.set(platform, made);
  return made;
}
