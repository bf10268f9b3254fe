import { z } from 'zod';
import { parseInput, type Platform } from '../../platform/index.ts';
import { changeBook, refuseFile } from './change-book.ts';
import { compareBook, type BookDifference } from './compare-book.ts';
import { readPlanFile } from './plan-file.ts';
import { readPlanBook } from './read-plan-book.ts';

const input = z.object({
  text: z.string().max(10_000_000),
  /** Who changes it; kept. */
  by: z.string().min(1).max(200),
  /** Says what it would do, and writes nothing. */
  dry_run: z.boolean().default(false),
});
export type ImportPlansInput = z.input<typeof input>;

/**
 * Adds the plans and fees of a JSON file to the book, all or none, now or from their `valid_from`. Periods that run
 * keep their terms. The same file again changes nothing. Answers the differences. Throws `invalid_request` with every
 * problem of the file, `conflict` if somebody else edits at the same time.
 */
export async function importPlans({
  platform,
  input: raw,
}: {
  platform: Platform;
  input: ImportPlansInput;
}): Promise<readonly BookDifference[]> {
  const { text, by, dry_run } = parseInput(input, raw);
  const { file, problems } = readPlanFile(text);
  const book = await readPlanBook({ platform });
  const compared = compareBook(book, file);
  const { signup_plan } = platform.config;
  const closed = file.plans.some(({ plan, on_sale }) => plan === signup_plan && !on_sale)
    ? [`plan ${signup_plan}: on_sale: new organisations sign up on it (NETRA_SIGNUP_PLAN)`]
    : [];
  const all = [...problems, ...compared.problems, ...closed];
  if (all.length > 0) throw refuseFile(all);
  if (!dry_run && compared.differences.length > 0) {
    const { revision } = book;
    await changeBook({ platform, input: { by, revision, changes: compared.differences } });
  }
  return compared.differences;
}
