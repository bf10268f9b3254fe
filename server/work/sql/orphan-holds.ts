import type { Statement } from '../../platform/index.ts';

export interface OrphanHold {
  readonly org_id: string;
  readonly hold_id: string;
}

export function selectOrphanHolds(older_ms: number, limit: number): Statement {
  return { text: 'select org_id, hold_id from netra.orphan_holds($1, $2)', values: [older_ms, limit] };
}
