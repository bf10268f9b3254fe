import { z } from 'zod';
import { defineTool } from '../define-tool.ts';
import { rankFindings } from '../findings/rank-findings.ts';

const amount = z.string().regex(/^\d{1,18}(\.\d{1,12})?$/);

/** Puts findings into the order in which to act on them. The report ranks again itself: no model moves its figures. */
export const planActionsTool = defineTool({
  name: 'plan_actions',
  description: 'Orders the findings by what to do first: saving, weighed by confidence and effort.',
  effects: 'none',
  input: z.object({
    findings: z
      .array(
        z.object({
          title: z.string().max(300),
          confidence: z.enum(['low', 'medium', 'high']),
          effort: z.enum(['hours', 'days', 'weeks']),
          saving_usd_month: z.object({ low: amount, expected: amount, high: amount }),
        }),
      )
      .max(100),
  }),
  execute({ input }) {
    const actions = rankFindings(input.findings).map(({ title, effort, confidence }, index) => ({
      place: index + 1,
      title,
      effort,
      confidence,
    }));
    return Promise.resolve({ actions });
  },
});
