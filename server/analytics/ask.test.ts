import { describe, expect, it } from 'vitest';
import { buildQuery } from './ask.ts';
import { breakdownInput, buildBreakdown } from './break-down-usage.ts';
import { factsText, metricSummaryText, presentText } from './sql/facts.ts';
import { linesPresentText } from './sql/usage-imports.ts';
import * as usage from './sql/usage-questions.ts';
import * as waste from './sql/waste-questions.ts';

const org = '019331a0-0000-7000-8000-000000000001';
const questions = [...Object.values(usage), ...Object.values(waste)];
const tables = /\b(from|join)\s+(usage|event|activity|metric|charge)\b/g;

// Planted bug that turns it red: a body that reads `from usage` instead of `from scoped`.
describe('T1: a query of analytics', () => {
  it.each(questions.map((question) => [question.name, question] as const))(
    '%s reads the tables once, and first of all by its organisation',
    (_name, question) => {
      const { text, params } = buildQuery(org, question, { from: '2026-01-01', user_id: 'u', model: 'm' });
      expect(text).toMatch(/^with scoped as \(\n {2}select \* from usage\n {2}where org_id = \{org:UUID\}\n {4}and /);
      expect(text.match(tables)).toHaveLength(1);
      expect(params['org']).toBe(org);
    },
  );

  it('about facts reads one table, and first of all by its organisation', () => {
    const every = ['kind', 'user_id', 'run_id', 'from', 'to'] as const;
    const kinds = ['event', 'activity', 'metric'] as const;
    const texts = kinds.flatMap((kind) => [factsText(kind, []), factsText(kind, every), presentText(kind)]);
    for (const text of [...texts, metricSummaryText([]), metricSummaryText(every), linesPresentText]) {
      expect(text.match(tables)).toHaveLength(1);
      expect(text).toMatch(/\b(from (event|activity|metric) final|from usage)\nwhere org_id = \{org:UUID\}/);
    }
  });

  it('binds what the caller says and pastes nothing of it', () => {
    const model = "x' or 1 = 1 --";
    const { text, params } = buildQuery(org, usage.totals, { model, feature: model, user_id: model });
    expect(text).not.toContain(model);
    expect(params).toMatchObject({ model, feature: model, user_id: model });
  });

  it('of a breakdown reads the tables once, by its organisation, and pastes nothing', () => {
    const text = "x' or 1 = 1 --";
    for (const by of [[], ['day', 'user'], ['hour', 'model', 'agent']] as const) {
      const asked = breakdownInput.parse({ by: [...by], user: [text], model: [text], quantiles: ['latency', 'cost'] });
      const { query } = buildBreakdown(org, asked);
      expect(query.text).toMatch(
        /^with scoped as \(\n {2}select \* from usage\n {2}where org_id = \{org:UUID\}\n {4}and /,
      );
      expect(query.text.match(tables)).toHaveLength(1);
      expect(query.text).not.toContain(text);
      expect(query.params).toMatchObject({ org, user: [text], model: [text] });
    }
  });

  it('refuses a time that is none', () => {
    expect(() => buildQuery(org, usage.totals, { from: "2026' or '1" })).toThrow('from is not a date');
  });
});
