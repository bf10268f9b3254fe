import { credits, pageOf, pageQuery, transfer } from '@netra/contract';
import { listTransfers, readBalance } from '../../ledger/index.ts';
import { route, type NetraApp } from '../index.ts';

/** What an organisation has, and every movement that made it so. */
export function creditRoutes(app: NetraApp): void {
  route(app, 'readCredits', { response: credits, handle: ({ ctx }) => readBalance({ ctx, input: {} }) });
  route(app, 'listTransfers', {
    query: pageQuery,
    response: pageOf(transfer),
    handle: ({ ctx, query }) => listTransfers({ ctx, input: query }),
  });
}
