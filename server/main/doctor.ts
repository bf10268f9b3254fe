import { parseArgs } from 'node:util';
import { checkSettled } from '../analytics/index.ts';
import { checkBooks } from '../ledger/index.ts';
import { openPlatform, type Platform } from '../platform/index.ts';
import { checkRunLog } from '../runs/index.ts';
import { commonOptions } from './options.ts';
import { withStores } from './with-stores.ts';

interface Finding {
  readonly invariants: string;
  readonly breaches: readonly object[];
}

/** `doctor [--json]`: checks the invariants on this installation, read-only. Exit code 1 on a breach. */
export async function run(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { ...commonOptions, json: { type: 'boolean' } } });
  return withStores(values, 'warn', async (open) => {
    const platform = await openPlatform({ ...open, role: 'app' });
    try {
      const findings = await examine(platform);
      process.stdout.write(values.json === true ? json(findings) : text(findings));
      return findings.every(({ breaches }) => breaches.length === 0) ? 0 : 1;
    } finally {
      await platform.close();
    }
  });
}

async function examine(platform: Platform): Promise<readonly Finding[]> {
  const [books, log, settled] = await Promise.all([
    checkBooks({ platform }),
    checkRunLog(platform),
    checkSettled({ platform }),
  ]);
  return [
    { invariants: 'M1–M3 the books', breaches: books },
    { invariants: `M4 settled = summed${stillWaiting(settled.waiting)}`, breaches: settled.breaches },
    { invariants: 'R1, R2 the run log', breaches: log },
  ];
}

/** Charges reach ClickHouse within a minute; until then an organisation's sums cannot be compared. */
function stillWaiting(organisations: number): string {
  return organisations === 0 ? '' : ` (${organisations} not compared: charges on their way)`;
}

function json(findings: readonly Finding[]): string {
  const healthy = findings.every(({ breaches }) => breaches.length === 0);
  return `${JSON.stringify({ type: 'doctor', healthy, findings }, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))}\n`;
}

function text(findings: readonly Finding[]): string {
  const lines = findings.flatMap(({ invariants, breaches }) => [
    `${breaches.length === 0 ? 'ok    ' : 'BREACH'} ${invariants}`,
    ...breaches.map(
      (breach) =>
        `       ${Object.entries(breach)
          .map(([name, value]) => `${name}=${String(value)}`)
          .join(' ')}`,
    ),
  ]);
  return `${lines.join('\n')}\n`;
}
