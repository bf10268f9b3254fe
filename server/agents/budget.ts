import { NetraError, type NewEvent } from '@netra/contract';

/** The tool name of a request for more credits: nobody's tool, but what clients show. */
const tool = 'budget';

/** What a run may cost, as its log says: its caller’s cap, and each raise that somebody approved. */
export class Budget {
  /** null = no cap of its own. */
  max_micro: bigint | null = null;
  /** Somebody said no: the run ends where it is. */
  denied = false;
  #charged_micro = 0n;
  #asked_for_micro = 0n;
  #asked = 0;
  #raises = new Map<string, bigint>();

  add(event: NewEvent): void {
    if (event.type === 'agent_started') {
      const { max_credits_micro } = event.data;
      if (max_credits_micro !== undefined) this.max_micro = this.#asked_for_micro = BigInt(max_credits_micro);
    } else if (event.type === 'approval_requested' && event.data.tool === tool && isBudgetCall(event.data.call_id)) {
      this.#asked += 1;
      // Written by `ask`.
      const { raise_micro } = event.data.input as { readonly raise_micro: string };
      this.#raises.set(event.data.call_id, BigInt(raise_micro));
    } else if (event.type === 'credits_charged') {
      this.#charged_micro += BigInt(event.data.amount_micro);
    } else if (event.type === 'approval_given' && isBudgetCall(event.data.call_id)) {
      if (event.data.approved) this.max_micro = (this.max_micro ?? 0n) + (this.#raises.get(event.data.call_id) ?? 0n);
      else this.denied = true;
    }
  }

  /** Why a run that got no more ends. */
  reached(fee_micro: bigint): NetraError {
    return new NetraError('budget_reached', 'The run has reached what it may cost, and was allowed no more.', {
      limit: 'max_credits',
      used: `${fee_micro + this.#charged_micro}`,
      max: `${this.max_micro ?? 0n}`,
      plan_that_lifts_it: null,
    });
  }

  /** Asks for the first amount again, or for what the next call needs where that is more: one yes is always enough. */
  ask(
    hold: { readonly spent_micro: bigint; readonly held_micro: bigint },
    fee_micro: bigint,
    needed: bigint,
  ): NewEvent {
    const max_micro = this.max_micro ?? 0n;
    const over_micro = hold.spent_micro + fee_micro + needed - max_micro;
    const raise_micro = over_micro > this.#asked_for_micro ? over_micro : this.#asked_for_micro;
    const input = {
      spent_micro: `${hold.spent_micro}`,
      held_micro: `${hold.held_micro - hold.spent_micro}`,
      max_credits_micro: `${max_micro}`,
      needed_micro: `${needed}`,
      raise_micro: `${raise_micro}`,
    };
    const reason =
      `The next step may cost ${credits(needed)} credits, and would take the run past the ${credits(max_micro)} ` +
      `that it may cost. Allow ${credits(raise_micro)} more?`;
    return { type: 'approval_requested', data: { call_id: `${tool}_${this.#asked + 1}`, tool, input, reason } };
  }
}

function isBudgetCall(call_id: string): boolean {
  return /^budget_\d+$/.test(call_id);
}

/** For people: whole credits, rounded up. */
function credits(amount_micro: bigint): bigint {
  return (amount_micro + 999_999n) / 1_000_000n;
}
