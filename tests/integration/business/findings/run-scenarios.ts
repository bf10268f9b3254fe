import { isDeepStrictEqual } from 'node:util';
import { importUsage, type NamedQuery } from '../../../../server/analytics/index.ts';
import type { Ctx } from '../../../../server/platform/index.ts';
import { only, type AgentsNode } from '../../agents-node.ts';
import { failedEquations } from './check-equations.ts';
import { judge, tableOf, type Tally } from './measure.ts';
import { csvOf, makeScenario } from './scenario.ts';

export interface Recommendation {
  readonly kind: string;
  readonly title: string;
  readonly query: { readonly name: string };
  readonly arithmetic: string;
  readonly evidence_rows: readonly { readonly query: string; readonly row: Record<string, unknown> }[];
  readonly saving_usd_month: { readonly low: string; readonly expected: string; readonly high: string };
}
export interface Report {
  readonly usage: { readonly calls: number; readonly cost_usd: string } & Record<string, unknown>;
  readonly recommendations: readonly Recommendation[];
  readonly scenarios: readonly (Omit<Recommendation, 'title' | 'query' | 'evidence_rows' | 'kind'> & {
    readonly change: string;
    readonly assumptions: readonly string[];
  })[];
  readonly not_enough_data: readonly { readonly about: string; readonly missing: string }[];
  readonly queries: readonly NamedQuery[];
}

export interface Asked {
  readonly file: Buffer;
  readonly agent?: string;
  /** More for the importer: what stands for columns that the file lacks. */
  readonly constants?: object;
}

/** Imports the file and asks the agent for its report, by a run as every user's. */
export async function reportOn(
  node: AgentsNode,
  ctx: Ctx,
  { file, agent = 'optimization', constants }: Asked,
): Promise<Report> {
  const source = (async function* () {
    yield file;
  })();
  await importUsage({ ctx, input: { source, format: 'csv', key: 'file', synthetic: true, ...constants } });
  const events = await node.ended(ctx, await node.ask(ctx, agent, null));
  const [end] = only(events, 'agent_completed');
  if (end === undefined) throw new Error(`the run did not complete: ${JSON.stringify(events.at(-1))}`);
  // The shape is the agent's own; what matters of it is asserted by the tests.
  return (end.data.output as { report: Report }).report;
}

/** What cannot be computed again: rows that their query does not give, equations that do not hold, failed queries. */
export async function faultsOf(node: AgentsNode, report: Report): Promise<string[]> {
  const faults = report.not_enough_data
    .filter(({ missing }) => missing === 'the query failed')
    .map(({ about }) => about);
  for (const { arithmetic, evidence_rows, query: asked, saving_usd_month, title } of report.recommendations) {
    faults.push(...failedEquations(arithmetic));
    if (!arithmetic.includes(`= ${saving_usd_month.expected}`))
      faults.push(`${title}: its saving is not in its arithmetic`);
    if (evidence_rows.length === 0) faults.push(`${title}: no evidence`);
    const query = report.queries.find(({ name }) => name === asked.name);
    const rows = await node.platform.clickhouse.query<object>(query?.text ?? '', query?.params ?? {});
    const gone = evidence_rows.filter(({ row }) => !rows.some((given) => isDeepStrictEqual(given, row)));
    if (gone.length > 0) faults.push(`${title}: its query gives another row`);
  }
  return faults;
}

export interface Measured {
  readonly tallies: ReadonlyMap<string, Tally>;
  readonly table: string;
  readonly faults: readonly string[];
  readonly recall: number;
  readonly precision: number;
  readonly planted: number;
}

/** Runs the optimization agent over each scenario, two at a time, and measures what it said against the truth. */
export async function runScenarios(node: AgentsNode, first_seed: number, number: number): Promise<Measured> {
  const tallies = new Map<string, Tally>();
  const wrong: string[] = [];
  const faults: string[] = [];
  const seeds = Array.from({ length: number }, (_, place) => first_seed + place);
  const next = async (): Promise<void> => {
    for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
      const scenario = makeScenario(seed);
      const report = await reportOn(node, await node.newOrg('mid'), { file: csvOf(scenario) });
      if (report.usage.calls !== scenario.calls.length) faults.push(`seed ${seed}: ${report.usage.calls} calls`);
      // Asking each query again takes as long as the run: one scenario in eight is enough.
      if (seed % 8 === 0) faults.push(...(await faultsOf(node, report)));
      const times = scenario.calls.map(({ at_ms }) => at_ms);
      const span_ms = Math.max(...times) - Math.min(...times);
      wrong.push(...judge(tallies, scenario, report.recommendations, Math.ceil(span_ms / 86_400_000)));
    }
  };
  await Promise.all([next(), next()]);
  const total = (of: (tally: Tally) => number): number =>
    [...tallies.values()].reduce((sum, tally) => sum + of(tally), 0);
  const [planted, found, alarms] = [
    total((one) => one.planted),
    total((one) => one.found),
    total((one) => one.false_alarms),
  ];
  const table = [tableOf(tallies), ...wrong].join('\n');
  return { tallies, table, faults, recall: found / planted, precision: found / (found + alarms), planted };
}
