import { NetraError } from '@netra/contract';
import { expect, test } from 'vitest';
import { GroupCall } from './group-call.ts';

interface Seen {
  readonly calls: GroupCall<string, string>;
  readonly alone: string[];
  readonly together: string[][];
}

/** Doubles every ask; `refuse` names those that a group does nothing for, and that fail alone. */
function doubling(refuse: readonly string[], failure?: Error): Seen {
  const alone: string[] = [];
  const together: string[][] = [];
  const calls = new GroupCall<string, string>({
    orderBy: (ask) => ask,
    async one(ask) {
      alone.push(ask);
      if (refuse.includes(ask)) throw new Error(`refused ${ask}`);
      return ask + ask;
    },
    async many(asks) {
      together.push([...asks]);
      if (failure) throw failure;
      return asks.map((ask) => (refuse.includes(ask) ? undefined : ask + ask));
    },
  });
  return { calls, alone, together };
}

// Planted bugs that turn it red: answers given by place of arrival; a refused ask that rejects its group.
test('calls that come together share a group, in order, and each gets its own answer or refusal', async () => {
  const { calls, alone, together } = doubling(['b']);
  const outcomes = await Promise.allSettled(['c', 'b', 'a'].map((ask) => calls.call(ask)));
  expect(outcomes).toMatchObject([
    { status: 'fulfilled', value: 'cc' },
    { status: 'rejected', reason: { message: 'refused b' } },
    { status: 'fulfilled', value: 'aa' },
  ]);
  expect(together).toEqual([['a', 'b', 'c']]);
  expect(alone).toEqual(['b']);
});

test('a call alone is a call, and groups have a bound', async () => {
  const { calls, alone, together } = doubling([]);
  expect(await calls.call('a')).toBe('aa');
  expect([alone, together]).toEqual([['a'], []]);
  const many = Array.from({ length: 100 }, (_, i) => String(i));
  expect(await Promise.all(many.map((ask) => calls.call(ask)))).toEqual(many.map((ask) => ask + ask));
  expect(Math.max(...together.map((group) => group.length))).toBe(16);
});

// Planted bug that turns it red: a group whose outcome is unknown is asked again one by one.
test('when nobody can answer, the group is told so; any other failure is found out one by one', async () => {
  const gone = doubling([], new NetraError('unavailable', 'gone'));
  const told = await Promise.allSettled(['a', 'b'].map((ask) => gone.calls.call(ask)));
  expect(told.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(gone.alone).toEqual([]);
  const broken = doubling([], new Error('broken'));
  expect(await Promise.all(['a', 'b'].map((ask) => broken.calls.call(ask)))).toEqual(['aa', 'bb']);
});
