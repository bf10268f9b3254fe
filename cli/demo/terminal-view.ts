import type { Receipt, RunEvent } from '@netra/contract';
import pc from 'picocolors';
import type { Report } from './report.ts';

const microPerCredit = 1_000_000n;

/** Exact credits for people: 150000000 → 150, 1500 → 0.0015. */
function credits(micro: string): string {
  const value = BigInt(micro);
  const sign = value < 0n ? '-' : '';
  const absolute = value < 0n ? -value : value;
  const fraction = (absolute % microPerCredit).toString().padStart(6, '0').replace(/0+$/, '');
  return `${sign}${(absolute / microPerCredit).toLocaleString('en')}${fraction === '' ? '' : `.${fraction}`}`;
}

/** One line for each event, as it comes. */
export function eventLine(event: RunEvent): string {
  const place = pc.dim(`${event.at.slice(11, 23)} ${String(event.seq).padStart(3)}`);
  return `${place}  ${describe(event)}`;
}

function describe(event: RunEvent): string {
  switch (event.type) {
    case 'agent_started':
      return `${pc.bold('agent_started')}    ${event.data.agent} on ${event.data.model}, ${credits(event.data.held_micro)} credits held`;
    case 'agent_thinking':
      return `${pc.dim('agent_thinking')}   ${oneLine(event.data.text)}`;
    case 'tool_executing':
      return `${pc.cyan('tool_executing')}   ${event.data.tool}`;
    case 'tool_completed':
      return `${event.data.ok ? pc.green('tool_completed') : pc.red('tool_completed')}   ${event.data.tool} in ${event.data.duration_ms.toFixed(0)} ms${event.data.ok ? '' : `: ${event.data.error?.message ?? 'failed'}`}`;
    case 'agent_message':
      return `${pc.dim('agent_message')}    ${oneLine(event.data.text)}`;
    case 'credits_charged':
      return `${pc.yellow('credits_charged')}  ${credits(event.data.amount_micro)} for ${event.data.reason}`;
    case 'agent_completed':
      return pc.bold(pc.green('agent_completed'));
    case 'agent_failed':
      return `${pc.bold(pc.red('agent_failed'))}     ${event.data.code}: ${event.data.message}`;
    case 'agent_cancelled':
      return `${pc.bold('agent_cancelled')}  by ${event.data.by}`;
    case 'approval_requested':
      return `${pc.yellow('approval_requested')} ${event.data.tool}`;
    case 'approval_given':
      return `approval_given ${event.data.approved ? 'yes' : 'no'}`;
  }
}

function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > 100 ? `${line.slice(0, 99)}…` : line;
}

/** The report: what was used, then what can be saved, the largest first. */
export function reportLines(report: Report): string[] {
  const { usage } = report;
  const lines = [
    '',
    pc.bold(report.title),
    `${grouped(usage.calls)} calls, ${grouped(usage.input_tokens)} input and ${grouped(usage.output_tokens)} output tokens, $${dollars(usage.cost_usd)}`,
    '',
  ];
  if (report.recommendations.length === 0)
    return [...lines, 'Nothing found that can be saved with confidence.', report.text];
  lines.push(pc.dim('saving a month: low / expected / high'));
  for (const { title, saving_usd_month: saving, confidence } of report.recommendations) {
    const range = `$${dollars(saving.low)} / ${pc.bold(`$${dollars(saving.expected)}`)} / $${dollars(saving.high)}`;
    lines.push(`  ${range}  ${title} ${pc.dim(`(confidence ${String(confidence)})`)}`);
  }
  return lines;
}

export function receiptLine(receipt: Receipt): string {
  const { held_micro, spent_micro, released_micro, balance_micro } = receipt;
  return `Credits: ${credits(held_micro)} held, ${pc.bold(`${credits(spent_micro)} spent`)}, ${credits(released_micro)} released, ${credits(balance_micro)} left`;
}

function grouped(integer: string): string {
  return BigInt(integer).toLocaleString('en');
}

/** Cents for the eye; the exact figure is in `--json`. */
function dollars(decimal: string): string {
  return Number(decimal).toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
}
