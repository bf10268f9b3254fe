import { z } from 'zod';
import { planName } from '../schemas.ts';
import { refuseFile } from './change-book.ts';

/** What an operator writes: the terms of plans, and what a run of each agent costs. */
export interface PlanFile {
  readonly plans: readonly FilePlan[];
  readonly fees: readonly FileFee[];
}

const microPerCredit_digits = 6;
/** A bigint of micro-credits holds nine billion credits a thousand times over. */
const credits = z
  .string('write credits as a string: "1000"')
  .regex(/^\d{1,12}(\.\d{1,6})?$/, 'a number of credits with at most 6 decimals, as a string')
  .transform(toMicro);
const usd = z
  .string('write money as a string: "29.99"')
  .regex(/^\d{1,9}(\.\d{1,2})?$/, 'dollars and cents, zero or more, as a string: "29.99"');
const usdCredit = z
  .string('write money as a string: "0.035"')
  .regex(/^\d{1,5}(\.\d{1,6})?$/, 'dollars with at most 6 decimals, as a string: "0.035"')
  .refine((text) => Number(text) > 0, 'a price is more than zero');
const limit = z.number().int().min(1).max(2_000_000_000);
const validFrom = z.iso
  .datetime({ offset: true })
  .transform((text) => new Date(text))
  .optional();
const name = z.string().regex(/^[a-z][a-z0-9_-]{0,63}$/, 'a name: lower case, digits, _ and -');

const filePlan = z
  .strictObject({
    plan: planName,
    /** Absent = now. */
    valid_from: validFrom,
    price_usd: usd,
    credits,
    runs_month: limit.nullable(),
    seconds_run: limit,
    concurrent_runs: limit,
    requests_hour: limit.nullable(),
    agents: z.array(name).min(1),
    features: z.array(z.enum(['usage_import', 'ledger_export'])),
    priority: z.number().int().min(0).max(1000),
    rollover_periods: z.number().int().min(0).max(12),
    overage: z.enum(['stop', 'cap', 'soft']),
    overage_usd_credit: usdCredit.nullable(),
    on_sale: z.boolean().default(true),
  })
  .refine((plan) => (plan.overage === 'stop') === (plan.overage_usd_credit === null), {
    path: ['overage_usd_credit'],
    message: 'a price for credits beyond the plan goes with overage "cap" or "soft", and none with "stop"',
  })
  .refine((plan) => new Set(plan.agents).size === plan.agents.length, { path: ['agents'], message: 'one agent twice' });
export type FilePlan = z.output<typeof filePlan>;

const fileFee = z.strictObject({
  agent: name,
  valid_from: validFrom,
  fee_credits: credits.refine((micro) => micro > 0n, 'a fee is more than zero'),
});
export type FileFee = z.output<typeof fileFee>;

const shape = z.strictObject({ plans: z.array(z.unknown()).default([]), fees: z.array(z.unknown()).default([]) });

/** Reads a file whole: its good entries, and every problem of the others by its entry. Throws if it is no such file. */
export function readPlanFile(text: string): { readonly file: PlanFile; readonly problems: readonly string[] } {
  const whole = shape.safeParse(parseJson(text));
  if (!whole.success) throw refuseFile(whole.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`));
  const problems: string[] = [];
  const entries = <Schema extends z.ZodType>(list: readonly unknown[], what: string, schema: Schema) =>
    list.flatMap((entry, place): z.output<Schema>[] => {
      const parsed = schema.safeParse(entry);
      if (parsed.success) return [parsed.data];
      for (const { path, message } of parsed.error.issues) {
        problems.push(`${what} ${place + 1}${calledIn(entry)}: ${[...path.map(String), message].join(': ')}`);
      }
      return [];
    });
  const plans = entries(whole.data.plans, 'plan', filePlan);
  const fees = entries(whole.data.fees, 'fee', fileFee);
  problems.push(...twice(plans.map((each) => [`plan ${each.plan}`, each.valid_from])));
  problems.push(...twice(fees.map((each) => [`fee of ${each.agent}`, each.valid_from])));
  return { file: { plans, fees }, problems };
}

/** Credits, as text, of an amount. */
export function toCredits(micro: bigint): string {
  const digits = micro.toString().padStart(microPerCredit_digits + 1, '0');
  const fraction = digits.slice(-microPerCredit_digits).replace(/0+$/, '');
  return `${digits.slice(0, -microPerCredit_digits)}${fraction === '' ? '' : `.${fraction}`}`;
}

/** Micro-credits of credits as text, of which the shape was checked. */
export function toMicro(text: string): bigint {
  const [whole = '0', fraction = ''] = text.split('.');
  return BigInt(`${whole}${fraction.padEnd(microPerCredit_digits, '0')}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw refuseFile([`The file is no JSON: ${error instanceof Error ? error.message : String(error)}`]);
  }
}

function calledIn(entry: unknown): string {
  const named = z.looseObject({ plan: z.string().optional(), agent: z.string().optional() }).safeParse(entry);
  const found = named.data?.plan ?? named.data?.agent;
  return found === undefined ? '' : ` (${found.slice(0, 64)})`;
}

function twice(entries: readonly (readonly [string, Date | undefined])[]): readonly string[] {
  const keys = entries.map(([what, at]) => `${what} from ${at?.toISOString() ?? 'now'}`);
  return [...new Set(keys.filter((key, place) => keys.indexOf(key) !== place))].map((key) => `${key}: given twice`);
}
