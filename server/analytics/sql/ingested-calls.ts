import type { Statement } from '../../platform/index.ts';

export function ingestCalls(org_id: string, calls: string, waiting: number): Statement {
  return {
    name: 'ingest_calls',
    text: 'select netra.ingest_calls($1, $2, $3) as kept',
    values: [org_id, calls, waiting],
  };
}
