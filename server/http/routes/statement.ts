import { statement, statementExportQuery, statementQuery } from '@netra/contract';
import { z } from 'zod';
import { exportTransfers, readStatement } from '../../ledger/index.ts';
import { requireFeature } from '../../plans/index.ts';
import { route, sendLines, type NetraApp } from '../index.ts';

const types = { csv: 'text/csv; charset=utf-8', ndjson: 'application/x-ndjson' } as const;

/** What an organisation spent, by whom and what, and every movement behind it. */
export function statementRoutes(app: NetraApp): void {
  route(app, 'readStatement', {
    query: statementQuery,
    response: statement,
    handle: ({ ctx, query }) => readStatement({ ctx, input: query }),
  });
  route(app, 'exportStatement', {
    query: statementExportQuery,
    response: z.string(),
    timeout_ms: 0,
    async handle({ ctx, query, reply }) {
      await requireFeature({ ctx, input: { feature: 'ledger_export' } });
      const pieces = await exportTransfers({ ctx, input: query });
      return sendLines(reply, { name: `ledger.${query.format}`, type: types[query.format], pieces });
    },
  });
}
