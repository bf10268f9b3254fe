import { parseArgs } from 'node:util';
import { NetraError } from '@netra/contract';
import {
  importPlans,
  listBookChanges,
  readPlanBook,
  retirePlan,
  toCredits,
  type DatedPlan,
} from '../../plans/index.ts';
import { commonOptions } from '../options.ts';
import { bookCommand } from './book-command.ts';
import { describeDifferences, editorName, momentOf, readEditorFile } from './editor.ts';
import { printAnswer } from './print.ts';
import { withHouse } from './with-house.ts';

const options = {
  ...commonOptions,
  by: { type: 'string' },
  from: { type: 'string' },
  'dry-run': { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

type Values = ReturnType<typeof parse>['values'];
const parse = (args: readonly string[]) => parseArgs({ args: [...args], allowPositionals: true, options });

/** `admin plan`: what is sold. An import adds dated rows; periods that run keep their terms. */
export const plan = bookCommand({
  usage: [
    'plan list [--json] [--data DIR]',
    'plan show PLAN [--json] [--data DIR]',
    'plan import FILE [--dry-run] [--by NAME] [--json] [--data DIR]',
    'plan retire PLAN [--from TIME] [--by NAME] [--json] [--data DIR]',
  ],
  parse,
  list,
  show,
  importFile,
  retire,
});

/** A plan as a file has it, so that what is shown can be edited and imported. */
function asFile({ plan_id, credits_micro, ...terms }: DatedPlan) {
  return { plan: plan_id, ...terms, credits: toCredits(credits_micro) };
}

async function list(values: Values): Promise<number> {
  const { now, plans, fees } = await withHouse(values, ({ platform }) => readPlanBook({ platform }));
  const inForce = <Row extends { readonly valid_from: Date }>(rows: readonly Row[], key: (row: Row) => string) =>
    [
      ...Map.groupBy(
        rows.filter(({ valid_from }) => valid_from <= now),
        key,
      ).values(),
    ].flatMap((each) => each.slice(-1));
  const sold = inForce(plans, ({ plan_id }) => plan_id).toSorted(
    (one, other) => Number(one.credits_micro - other.credits_micro) || one.plan_id.localeCompare(other.plan_id),
  );
  const paid = inForce(fees, ({ agent }) => agent).map(({ agent, valid_from, fee_micro }) => ({
    agent,
    valid_from,
    fee_credits: toCredits(fee_micro),
  }));
  printAnswer(values.json, { plans: sold.map(asFile), fees: paid }, () =>
    [
      ...sold.map(
        (each) =>
          `${each.plan_id.padEnd(16)} $${each.price_usd.padStart(9)} ${toCredits(each.credits_micro).padStart(10)} credits` +
          `  since ${each.valid_from.toISOString()}${each.on_sale ? '' : '  off sale'}${planned(plans, each, now)}`,
      ),
      ...paid.map(({ agent, fee_credits }) => `a run of ${agent.padEnd(13)} ${fee_credits.padStart(10)} credits`),
      '',
    ].join('\n'),
  );
  return 0;
}

function planned(plans: readonly DatedPlan[], { plan_id }: DatedPlan, now: Date): string {
  const later = plans.filter((each) => each.plan_id === plan_id && each.valid_from > now);
  return later.map(({ valid_from }) => `, other terms from ${valid_from.toISOString()}`).join('');
}

async function show(values: Values, name: string): Promise<number> {
  const { dated, changes } = await withHouse(values, async ({ platform }) => ({
    dated: (await readPlanBook({ platform })).plans.filter(({ plan_id }) => plan_id === name),
    changes: await listBookChanges({ platform, input: { subject: name } }),
  }));
  if (dated.length === 0) throw new NetraError('not_found', `There is no plan ${name}.`, { plan: name });
  printAnswer(values.json, { plans: dated.map(asFile), changes }, () =>
    [
      ...dated.map((each) => JSON.stringify(asFile(each))),
      ...changes.map(
        ({ at, changed_by, action, valid_from }) =>
          `${at.toISOString()} ${changed_by}: ${action}, from ${valid_from.toISOString()}`,
      ),
      '',
    ].join('\n'),
  );
  return 0;
}

async function importFile(values: Values, path: string): Promise<number> {
  const text = await readEditorFile(path);
  const dry_run = values['dry-run'] === true;
  const differences = await withHouse(values, ({ platform }) =>
    importPlans({ platform, input: { text, by: editorName(values.by), dry_run } }),
  );
  printAnswer(values.json, { dry_run, differences }, () => describeDifferences(differences, dry_run));
  return 0;
}

async function retire(values: Values, name: string): Promise<number> {
  const from = values.from === undefined ? null : momentOf(values.from);
  const change = await withHouse(values, ({ platform }) =>
    retirePlan({ platform, input: { plan: name, by: editorName(values.by), from } }),
  );
  printAnswer(values.json, { change }, () => describeDifferences(change === null ? [] : [change], false));
  return 0;
}
