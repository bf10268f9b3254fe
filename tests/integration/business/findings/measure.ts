import type { Truth } from './plants.ts';
import type { Scenario } from './scenario.ts';

/** A finding, as far as it is judged. */
export interface Said {
  readonly kind: string;
  readonly title: string;
  readonly saving_usd_month: { readonly expected: string };
}

/** One kind over all scenarios. */
export interface Tally {
  planted: number;
  found: number;
  false_alarms: number;
  /** Relative error of each saving found. */
  errors: number[];
  exact: boolean;
}

/** Below this share of the cost nobody has to find it, and whoever does is right. */
const min_share = 0.005;

/** Judges what was said of a scenario; returns what is wrong, for people. */
export function judge(tallies: Map<string, Tally>, scenario: Scenario, said: readonly Said[], days: number): string[] {
  const wrong: string[] = [];
  for (const truth of scenario.truths) {
    const tally = tallyOf(tallies, truth.kind, truth.exact);
    const finding = said.find((one) => names(one, truth));
    if (truth.saving_usd / (truth.days ?? days) < (scenario.cost_usd / days) * min_share) continue;
    tally.planted += 1;
    if (finding === undefined) {
      wrong.push(`seed ${scenario.seed}: missed ${truth.kind} in ${truth.subject}, $${truth.saving_usd.toFixed(2)}`);
      continue;
    }
    tally.found += 1;
    const month = (truth.saving_usd * 30) / (truth.days ?? days);
    tally.errors.push(Math.abs(Number(finding.saving_usd_month.expected) / month - 1));
  }
  for (const finding of said.filter((one) => !scenario.truths.some((truth) => names(one, truth)))) {
    tallyOf(tallies, finding.kind, false).false_alarms += 1;
    wrong.push(`seed ${scenario.seed}: false alarm, ${finding.title}`);
  }
  return wrong;
}

function names(finding: Said, { kind, subject }: Truth): boolean {
  if (finding.kind !== kind) return false;
  return finding.title.includes(`“${subject}”`) || finding.title.endsWith(`: ${subject}`);
}

function tallyOf(tallies: Map<string, Tally>, kind: string, exact: boolean): Tally {
  const tally = tallies.get(kind) ?? { planted: 0, found: 0, false_alarms: 0, errors: [], exact };
  if (exact) tally.exact = true;
  tallies.set(kind, tally);
  return tally;
}

export function recallOf({ planted, found }: Tally): number {
  return planted === 0 ? 1 : found / planted;
}

export function precisionOf({ found, false_alarms }: Tally): number {
  return found + false_alarms === 0 ? 1 : found / (found + false_alarms);
}

/** One line a kind: precision, recall, and by how much the savings are off. */
export function tableOf(tallies: ReadonlyMap<string, Tally>): string {
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
  const lines = [...tallies].toSorted().map(([kind, tally]) => {
    const errors = tally.errors.toSorted((a, b) => a - b);
    const middle = errors[Math.floor(errors.length / 2)] ?? 0;
    return [
      kind.padEnd(18),
      String(tally.planted).padStart(7),
      percent(precisionOf(tally)).padStart(10),
      percent(recallOf(tally)).padStart(9),
      percent(middle).padStart(13),
      percent(errors.at(-1) ?? 0).padStart(11),
      tally.exact ? '  exact' : '  estimated',
    ].join('');
  });
  return [`${'kind'.padEnd(18)}planted precision   recall median error  worst error`, ...lines].join('\n');
}
