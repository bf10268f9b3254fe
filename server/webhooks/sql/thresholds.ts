import type { Statement } from '../../platform/index.ts';

export function noteThresholdsStatement(org_ids: readonly string[]): Statement {
  return {
    name: 'webhooks.note_thresholds',
    text: 'select netra.note_thresholds(o.org_id) from unnest($1::uuid[]) with ordinality o (org_id, n) order by o.n',
    values: [org_ids],
  };
}
