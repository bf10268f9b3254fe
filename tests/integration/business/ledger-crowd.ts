import { randomUUID } from 'node:crypto';
import { NetraError } from '@netra/contract';
import {
  captureHold,
  expireGrants,
  extendHold,
  grantCredits,
  moveCredits,
  openWallet,
  placeHold,
  refundHold,
  settleHold,
} from '../../../server/ledger/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import type { LedgerNode } from '../ledger-node.ts';

/** A ring: credits move from each wallet to the next. */
const wallets = 5;
const inWallet = 2_000n;

const verbs = ['grant', 'place', 'extend', 'capture', 'settle', 'refund', 'move', 'book'] as const;
type Verb = (typeof verbs)[number];
/** How often each is drawn, of a hundred. */
const shares: Readonly<Record<Verb, number>> = {
  grant: 6,
  place: 26,
  extend: 10,
  capture: 12,
  settle: 18,
  refund: 8,
  move: 18,
  book: 2,
};

/** What somebody wants to happen. Requests of one key want the same, but for those that were altered on the way. */
export interface Request {
  readonly verb: Verb;
  /** Kind and key of the transfer that it makes; null for an expiry, which has a key of its own. */
  readonly movement: string | null;
  readonly org: number;
  readonly key: string;
  readonly amount: bigint;
  readonly wallet: number;
  /** Which of the holds of its organisation, counted from the newest. */
  readonly pick: number;
}

export interface Asked {
  readonly request: Request;
  /** The answer, as far as it is one for all who ask under this key; or the code of the refusal. */
  readonly outcome: Readonly<Record<string, bigint | string>> | string;
}

/**
 * The same requests for the same seed, in the order in which they are asked. A third is asked two or three times, close
 * together, so that equal requests race; some of those with another amount under the same key.
 */
export function drawRequests(
  random: () => number,
  { round, count, orgs }: { readonly round: number; readonly count: number; readonly orgs: number },
): readonly Request[] {
  const below = (end: number): number => Math.floor(random() * end);
  return Array.from({ length: count }, (_, number) => {
    const verb = drawVerb(below(100));
    const amount = BigInt(1 + below(verb === 'grant' ? 400 : 700));
    const [org, wallet, pick] = [below(orgs), below(wallets), below(12)];
    const key = `${round}/${number}`;
    const request: Request = { verb, movement: movementOf(verb, key), org, key, amount, wallet, pick };
    const times = random() < 1 / 3 ? 2 + below(2) : 1;
    return Array.from({ length: times }, (__, time) =>
      time > 0 && random() < 1 / 4 ? { ...request, amount: amount + BigInt(time) } : request,
    );
  }).flat();
}

function movementOf(verb: Verb, key: string): string | null {
  if (verb === 'book') return null;
  if (verb === 'grant') return `grant given:${key}`;
  return `${verb === 'place' ? 'hold' : verb} ${key}`;
}

function drawVerb(share: number): Verb {
  let upto = 0;
  return verbs.find((verb) => share < (upto += shares[verb])) ?? 'book';
}

/** Organisations that many work on at once. */
export class Crowd {
  readonly ctxs: readonly Ctx[];
  /** Holds by the request that placed them: the same for all who asked under its key. */
  readonly #holds: string[][];

  private constructor(ctxs: readonly Ctx[]) {
    this.ctxs = ctxs;
    this.#holds = ctxs.map(() => []);
  }

  /** An organisation for each line: what it may draw beyond its balance (undefined = nothing, null = no limit). */
  static async gather(node: LedgerNode, lines: readonly (bigint | null | undefined)[]): Promise<Crowd> {
    const ctxs = await Promise.all(lines.map(() => node.newOrg()));
    for (const [place, ctx] of ctxs.entries()) {
      const { org_id } = ctx.principal;
      const line = lines[place];
      if (line !== undefined) await node.owner('insert into netra.test_line values ($1, $2)', [org_id, line]);
      const terms = { source: 'adjustment', reason: 'start', key: 'start' } as const;
      await grantCredits({ ctx, input: { ...terms, amount_micro: inWallet * BigInt(wallets) } });
      for (let wallet = 1; wallet < wallets; wallet += 1) {
        await openWallet({ ctx, input: { wallet, name: `wallet ${wallet}` } });
        const input = { from: 0, to: wallet, amount_micro: inWallet, reason: 'start', key: `start ${wallet}` };
        await moveCredits({ ctx, input });
      }
    }
    return new Crowd(ctxs);
  }

  /** Has all requests asked by so many callers at once, each taking the next; resolves when all are answered. */
  async ask(requests: readonly Request[], callers: number): Promise<readonly Asked[]> {
    const asked: Asked[] = [];
    let next = 0;
    const call = async (): Promise<void> => {
      for (let request = requests[next++]; request !== undefined; request = requests[next++]) {
        asked.push({ request, outcome: await this.#answer(request) });
      }
    };
    await Promise.all(Array.from({ length: callers }, call));
    return asked;
  }

  async #answer(request: Request): Promise<Asked['outcome']> {
    try {
      return await this.#send(request);
    } catch (error) {
      if (error instanceof NetraError) return error.code;
      return String(error);
    }
  }

  async #send({ verb, org, key, amount, wallet, pick }: Request): Promise<Asked['outcome']> {
    const ctx = this.ctxs[org];
    if (ctx === undefined) throw new Error('nobody there');
    const hold_id = this.#holds[org]?.at(-1 - pick) ?? randomUUID();
    switch (verb) {
      case 'grant': {
        const input = { amount_micro: amount, source: 'purchase', reason: 'crowd', key } as const;
        const { grant_id, balance_micro } = await grantCredits({ ctx, input });
        return { grant_id, balance_micro };
      }
      case 'place': {
        const placed = await placeHold({ ctx, input: { amount_micro: amount, reason: 'crowd', key, wallet } });
        const known = this.#holds[org];
        if (known?.includes(placed.hold_id) === false) known.push(placed.hold_id);
        return { ...placed };
      }
      case 'extend':
        return { hold_id, ...(await extendHold({ ctx, input: { hold_id, by_micro: amount, key } })) };
      case 'capture': {
        const { balance_micro } = await captureHold({
          ctx,
          input: { hold_id, amount_micro: amount, reason: 'crowd', key },
        });
        return { hold_id, balance_micro };
      }
      case 'settle':
        return {
          hold_id,
          ...(await settleHold({ ctx, input: { hold_id, capture_micro: amount, reason: 'crowd', key } })),
        };
      case 'refund':
        return {
          hold_id,
          ...(await refundHold({ ctx, input: { hold_id, amount_micro: amount, reason: 'crowd', key } })),
        };
      case 'move': {
        const input = { from: wallet, to: (wallet + 1) % wallets, amount_micro: amount, reason: 'crowd', key };
        return { ...(await moveCredits({ ctx, input })) };
      }
      case 'book':
        await expireGrants({ ctx, input: {} });
        return {};
    }
  }
}
