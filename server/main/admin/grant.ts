import { parseArgs } from 'node:util';
import { NetraError } from '@netra/contract';
import {
  listGrantSchedules,
  scheduleGrant,
  stopGrantSchedule,
  toCredits,
  toMicro,
  type GrantSchedule,
  type ScheduleGrantInput,
  type Step,
} from '../../plans/index.ts';
import { systemIds } from '../../platform/index.ts';
import type { AdminCommand } from '../admin.ts';
import { commonOptions } from '../options.ts';
import { editorName, momentOf } from './editor.ts';
import { printAnswer, wrongUsage } from './print.ts';
import { withHouse } from './with-house.ts';

const options = {
  ...commonOptions,
  org: { type: 'string' },
  credits: { type: 'string' },
  source: { type: 'string', default: 'promotion' },
  reason: { type: 'string' },
  from: { type: 'string' },
  every: { type: 'string' },
  times: { type: 'string' },
  'expires-after': { type: 'string' },
  cap: { type: 'string' },
  key: { type: 'string' },
  by: { type: 'string' },
  json: { type: 'boolean' },
} as const;

type Values = ReturnType<typeof parse>['values'];
const parse = (args: readonly string[]) => parseArgs({ args: [...args], allowPositionals: true, options });

const terms = '--org ORG --credits N --reason WHY [--source promotion|adjustment|purchase] [--expires-after 30d|3m]';

/** `admin grant`: credits that an operator gives, now or on a schedule. */
export const grant: AdminCommand = {
  usage: [
    `grant give ${terms} [--key K]`,
    `grant schedule ${terms} --every 1d|1m [--from TIME] [--times N] [--cap CREDITS] [--key K]`,
    'grant list --org ORG [--json] [--data DIR]',
    'grant stop SCHEDULE --org ORG [--by NAME]',
  ],
  async run(args) {
    const { values, positionals } = parse(args);
    const [verb, schedule, ...more] = positionals;
    if (more.length > 0 || values.org === undefined) throw wrongUsage(grant);
    const org = values.org;
    if (verb === 'give' && schedule === undefined) return give(values, org, null);
    if (verb === 'schedule' && schedule === undefined && values.every !== undefined) {
      return give(values, org, stepOf(values.every));
    }
    if (verb === 'list' && schedule === undefined) return list(values, org);
    if (verb === 'stop' && schedule !== undefined) return stop(values, org, schedule);
    throw wrongUsage(grant);
  },
};

async function give(values: Values, org: string, every: Step | null): Promise<number> {
  const { credits, reason, cap, from, times, 'expires-after': lives } = values;
  if (credits === undefined || reason === undefined) throw wrongUsage(grant);
  const input: ScheduleGrantInput = {
    org,
    amount_micro: amountOf(credits),
    // Whether there is such a source, the verb says.
    source: values.source as ScheduleGrantInput['source'],
    reason,
    key: values.key ?? systemIds.uuid(),
    by: editorName(values.by),
    first_at: from === undefined ? null : momentOf(from),
    every,
    times: times === undefined ? null : Number(times),
    expires_after: lives === undefined ? null : stepOf(lives),
    cap_micro: cap === undefined ? null : amountOf(cap),
  };
  const { schedule_id } = await withHouse(values, ({ platform }) => scheduleGrant({ platform, input }));
  printAnswer(values.json, { schedule: schedule_id, key: input.key }, () => `schedule ${schedule_id}\n`);
  return 0;
}

async function list(values: Values, org: string): Promise<number> {
  const schedules = await withHouse(values, ({ platform }) => listGrantSchedules({ platform, input: { org } }));
  printAnswer(values.json, { schedules }, () =>
    schedules.length === 0 ? 'nothing is scheduled\n' : schedules.map(describe).join(''),
  );
  return 0;
}

async function stop(values: Values, org: string, schedule: string): Promise<number> {
  const input = { org, schedule, by: editorName(values.by) };
  await withHouse(values, ({ platform }) => stopGrantSchedule({ platform, input }));
  printAnswer(values.json, { stopped: schedule }, () => `stopped ${schedule}\n`);
  return 0;
}

function describe(schedule: GrantSchedule): string {
  const { schedule_id, source, amount_micro, reason, every_unit, every_count, next_at, given, skipped, stopped_at } =
    schedule;
  const often = every_unit === null ? 'once' : `every ${every_count} ${every_unit}`;
  const next = next_at === null ? (stopped_at === null ? 'all given' : 'stopped') : `next ${next_at.toISOString()}`;
  return `${schedule_id} ${toCredits(amount_micro)} credits ${often}, ${source} (${reason}): given ${given}, skipped ${skipped}, ${next}\n`;
}

/** `30d` or `3m`: days, or calendar months. */
function stepOf(text: string): Step {
  const [, count = '', unit] = /^(\d{1,4})([dm])$/.exec(text) ?? [];
  if (unit === undefined) throw new NetraError('invalid_request', `${text} is no length of time; write 30d or 3m`);
  return { unit: unit === 'd' ? 'day' : 'month', count: Number(count) };
}

function amountOf(text: string): bigint {
  if (!/^\d{1,12}(\.\d{1,6})?$/.test(text)) {
    throw new NetraError('invalid_request', `${text} is no number of credits with at most 6 decimals`);
  }
  return toMicro(text);
}
