import pc from 'picocolors';
import type { DemoView } from './run-demo.ts';
import { reportOf, type Summary } from './report.ts';
import { eventLine, receiptLine, reportLines } from './terminal-view.ts';

/** For people: a line a step, the events live, then the report and the receipt. */
export function terminalView(write: (text: string) => void): DemoView {
  const line = (text: string): void => write(`${text}\n`);
  return {
    step: (text) => line(`${pc.dim('→')} ${text}`),
    imported: ({ accepted, rejected, totals }, seconds) => {
      const bad = rejected === 0 ? '' : pc.yellow(`, ${rejected.toLocaleString('en')} bad rows skipped`);
      line(`  ${accepted.toLocaleString('en')} calls in ${seconds.toFixed(1)} s, $${totals.cost_usd}${bad}`);
    },
    frame: () => undefined,
    event: (event) => line(`  ${eventLine(event)}`),
    finished: (_summary, completed) => {
      for (const text of reportLines(reportOf(completed.data.output))) line(text);
      line('');
      line(receiptLine(completed.data.credits));
    },
    books: (balanced, detail) =>
      line(balanced ? pc.green('The books balance.') : pc.red(`The books do not balance: ${detail}`)),
  };
}

const frameTypes = new Set(['ready', 'accepted', 'subscribed', 'live', 'end', 'reset', 'error', 'drain']);

/** For programs: each event exactly as it came over the socket, then the summary; people's words go to stderr. */
export function jsonView(stdout: (text: string) => void, stderr: (text: string) => void): DemoView {
  let summary: Summary | undefined;
  return {
    step: (text) => stderr(`${text}\n`),
    imported: (result) => stderr(`imported ${result.accepted}, rejected ${result.rejected}\n`),
    frame: (text) => {
      if (!frameTypes.has((JSON.parse(text) as { type: string }).type)) stdout(`${text}\n`);
    },
    event: () => undefined,
    finished: (result) => {
      summary = result;
    },
    // Last of all, so that a summary is only ever seen of books that were looked at.
    books: (balanced, detail) => {
      if (summary !== undefined) stdout(`${JSON.stringify(summary)}\n`);
      if (!balanced) stderr(`the books do not balance: ${detail}\n`);
    },
  };
}
