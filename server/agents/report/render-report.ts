import { count } from '../findings/finding.ts';
import type { Report } from './assemble-report.ts';

/** The report as Markdown, from its figures alone. */
export function renderReport(report: Omit<Report, 'text'>): string {
  return [
    `# ${report.title}`,
    ...(report.synthetic ? ['*The usage is synthetic: generated, not measured.*'] : []),
    ...usageLines(report),
    ...report.observations.map(({ text, query }) => `- ${text} (${query})`),
    ...recommendationLines(report),
    ...scenarioLines(report),
    ...gapLines(report),
  ].join('\n');
}

function usageLines({ usage }: Omit<Report, 'text'>): string[] {
  if (usage === null) return [];
  if (usage.calls === 0) return ['There is no usage yet. Import some: `netra ingest`, or POST /v1/usage/import.'];
  const tokens = `${count(Number(usage.input_tokens))} input and ${count(Number(usage.output_tokens))} output tokens`;
  return [`${count(usage.calls)} calls, ${tokens}, $${shortUsd(usage.cost_usd)} (${usage.query}).`];
}

function recommendationLines({ recommendations, searched }: Omit<Report, 'text'>): string[] {
  if (recommendations.length === 0) return searched ? ['', 'Nothing was found that is worth changing.'] : [];
  const lines = recommendations.flatMap((finding, index) => {
    const { low, expected, high } = finding.saving_usd_month;
    return [
      `${index + 1}. **${finding.title}**: $${shortUsd(expected)} a month ($${shortUsd(low)} to $${shortUsd(high)}), ` +
        `confidence ${finding.confidence}, effort ${finding.effort}.`,
      `   ${finding.evidence}`,
      `   ${finding.arithmetic}.`,
      `   Risk: ${finding.risk} To confirm: ${finding.experiment}`,
    ];
  });
  return ['', '## What can be saved', 'A call can be in several of these: don’t add them up.', ...lines];
}

function scenarioLines({ scenarios }: Omit<Report, 'text'>): string[] {
  if (scenarios.length === 0) return [];
  const assumptions = [...new Set(scenarios.flatMap((scenario) => scenario.assumptions))];
  return [
    '',
    '## What would be if',
    'By prices alone, a quarter, half or all of the calls, against the forecast. Alternatives: don’t add them up.',
    ...scenarios.map(({ change, saving_usd_month: { low, expected, high }, price_ratio }) => {
      const range = `$${shortUsd(low)} to $${shortUsd(high)}`;
      return `- ${change}: $${shortUsd(expected)} a month less (${range}); costs ${price_ratio} × as much`;
    }),
    ...assumptions.map((assumption) => `- Assumed: ${assumption}`),
  ];
}

function gapLines({ not_enough_data }: Omit<Report, 'text'>): string[] {
  if (not_enough_data.length === 0) return [];
  return ['', '## Not enough data', ...not_enough_data.map(({ about, missing }) => `- ${about}: ${missing}`)];
}

/** Cents are enough for reading, and small amounts keep two digits that say something. */
export function shortUsd(amount: string): string {
  const value = Number(amount);
  if (value === 0) return '0';
  if (value >= 0.01) return value.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  return value.toPrecision(2);
}
