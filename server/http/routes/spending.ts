import { quote, quoteBody, spending, spendingCapsBody } from '@netra/contract';
import { quoteRun } from '../../agents/index.ts';
import { readSpending, setSpending } from '../../plans/index.ts';
import { route, type NetraApp } from '../index.ts';

/** What may be spent, and what a run would cost. */
export function spendingRoutes(app: NetraApp): void {
  route(app, 'readSpending', { response: spending, handle: ({ ctx }) => readSpending({ ctx, input: {} }) });
  route(app, 'setSpendingCaps', {
    body: spendingCapsBody,
    response: spending,
    handle: ({ ctx, body }) => {
      const micro = (amount: string | null): bigint | null => (amount === null ? null : BigInt(amount));
      const { overage_micro, total_micro, member_micro } = body;
      const input = {
        overage_micro: micro(overage_micro),
        total_micro: micro(total_micro),
        member_micro: micro(member_micro),
      };
      return setSpending({ ctx, input });
    },
  });
  route(app, 'quoteRun', {
    body: quoteBody,
    response: quote,
    handle: ({ ctx, body }) => quoteRun({ ctx, input: body }),
  });
}
