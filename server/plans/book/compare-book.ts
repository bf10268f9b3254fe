import type { DatedFee, DatedPlan } from '../sql/plan-book.ts';
import type { FileFee, FilePlan, PlanFile } from './plan-file.ts';

/** The plans and fees of the installation, as they were read. */
export interface PlanBook {
  readonly revision: bigint;
  /** The database's time. */
  readonly now: Date;
  readonly plans: readonly DatedPlan[];
  readonly fees: readonly DatedFee[];
}

type Terms = Readonly<Record<string, unknown>>;

/** What an import would do: one new dated row, or another in place of one that has not begun. */
export interface BookDifference {
  readonly book: 'plan' | 'fee';
  readonly subject: string;
  /** Null = the moment that it is written. */
  readonly valid_from: Date | null;
  readonly action: 'add' | 'replace' | 'retire';
  /** What was in force then; null for something new. */
  readonly before: Terms | null;
  readonly row: Terms;
}

interface Dated {
  readonly valid_from: Date;
  readonly terms: Terms;
}

/** The differences between a file and the book, in order of time, and what forbids them. Reads nothing else. */
export function compareBook(
  book: PlanBook,
  file: PlanFile,
): { readonly differences: readonly BookDifference[]; readonly problems: readonly string[] } {
  const fees = compareAll(book, 'fee', file.fees.map(ofFileFee), datedOf(book.fees, feeTerms, 'agent'));
  const plans = compareAll(book, 'plan', file.plans.map(ofFilePlan), datedOf(book.plans, planTerms, 'plan_id'));
  const agents = new Set([...book.fees.map(({ agent }) => agent), ...file.fees.map(({ agent }) => agent)]);
  const unpaid = file.plans.flatMap((plan) =>
    plan.agents
      .filter((agent) => !agents.has(agent))
      .map((agent) => `plan ${plan.plan}: agents: there is no fee for ${agent}`),
  );
  return {
    differences: [...fees.differences, ...plans.differences],
    problems: [...fees.problems, ...plans.problems, ...unpaid],
  };
}

interface Wanted {
  readonly subject: string;
  readonly valid_from: Date | null;
  readonly terms: Terms;
}

function compareAll(
  { now }: PlanBook,
  book: 'plan' | 'fee',
  wanted: readonly Wanted[],
  known: ReadonlyMap<string, readonly Dated[]>,
): { differences: BookDifference[]; problems: string[] } {
  const differences: BookDifference[] = [];
  const problems: string[] = [];
  const rows = new Map([...known].map(([subject, dated]) => [subject, [...dated]]));
  const from = ({ valid_from }: Wanted): number => (valid_from ?? now).getTime();
  for (const each of wanted.toSorted((one, other) => from(one) - from(other))) {
    const dated = rows.get(each.subject) ?? [];
    const at_ms = from(each);
    const same = dated.find(({ valid_from }) => valid_from.getTime() === at_ms);
    const before = dated.findLast(({ valid_from }) => valid_from.getTime() <= at_ms);
    // What is said already need not be said again, so that a file can be imported twice.
    if (before !== undefined && sameTerms(before.terms, each.terms) && (same !== undefined || at_ms >= now.getTime())) {
      continue;
    }
    if (at_ms < now.getTime() || (same !== undefined && at_ms === now.getTime())) {
      const why = same === undefined ? 'lies in the past' : 'has begun: periods may run on it';
      problems.push(
        `${book} ${each.subject}: valid_from ${new Date(at_ms).toISOString()} ${why}; leave it out, or give a later one`,
      );
      continue;
    }
    const action = same === undefined ? 'add' : 'replace';
    const { subject, valid_from, terms } = each;
    differences.push({ book, subject, valid_from, action, before: before?.terms ?? null, row: terms });
    const place = { valid_from: new Date(at_ms), terms };
    rows.set(
      subject,
      [...dated.filter((row) => row !== same), place].toSorted(
        (one, other) => one.valid_from.getTime() - other.valid_from.getTime(),
      ),
    );
  }
  return { differences, problems };
}

function datedOf<Row extends { readonly valid_from: Date }>(
  rows: readonly Row[],
  terms: (row: Row) => Terms,
  key: keyof Row,
): ReadonlyMap<string, readonly Dated[]> {
  const dated = rows.map((row) => ({ subject: String(row[key]), valid_from: row.valid_from, terms: terms(row) }));
  return Map.groupBy(dated, ({ subject }) => subject);
}

function sameTerms(one: Terms, other: Terms): boolean {
  return JSON.stringify(Object.entries(one).toSorted()) === JSON.stringify(Object.entries(other).toSorted());
}

/** Amounts as text, and lists sorted: equal terms are equal, and JSON can carry them. */
export function planTerms(plan: DatedPlan): Terms {
  const { valid_from: _from, ...terms } = plan;
  return {
    ...terms,
    price_usd: decimal(plan.price_usd),
    credits_micro: plan.credits_micro.toString(),
    agents: plan.agents.toSorted(),
    features: plan.features.toSorted(),
    overage_usd_credit: plan.overage_usd_credit === null ? null : decimal(plan.overage_usd_credit),
  };
}

function feeTerms(fee: DatedFee): Terms {
  return { agent: fee.agent, fee_micro: fee.fee_micro.toString() };
}

function ofFilePlan({ plan, valid_from, credits, ...rest }: FilePlan): Wanted {
  const dated = { ...rest, plan_id: plan, credits_micro: credits, valid_from: new Date(0) };
  return { subject: plan, valid_from: valid_from ?? null, terms: planTerms(dated) };
}

function ofFileFee({ agent, valid_from, fee_credits }: FileFee): Wanted {
  const terms = feeTerms({ agent, fee_micro: fee_credits, valid_from: new Date(0) });
  return { subject: agent, valid_from: valid_from ?? null, terms };
}

/** One way to write each amount: `29.90` and `29.9` are the same price. */
function decimal(text: string): string {
  const [whole = '0', fraction = ''] = text.split('.');
  const rest = fraction.replace(/0+$/, '');
  return `${whole.replace(/^0+(?=\d)/, '')}${rest === '' ? '' : `.${rest}`}`;
}
