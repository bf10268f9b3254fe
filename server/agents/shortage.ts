import type { NetraError, NewEvent } from '@netra/contract';

/** The tool name of a request for credits: nobody's tool, but what clients show. */
const tool = 'credits';

/**
 * What a run has asked its organisation for because the balance did not cover its next step, as its log says. The answer
 * comes by itself when the credits are there, or from a person: yes = try now, no = end here.
 */
export class Shortage {
  /** Somebody said no: the run ends where it is. */
  denied = false;
  #asked = 0;

  add(event: NewEvent): void {
    if (event.type === 'approval_requested' && isShortage(event.data.call_id)) this.#asked += 1;
    if (event.type === 'approval_given' && isShortage(event.data.call_id)) this.denied = !event.data.approved;
  }

  /** Asks for what the ledger's refusal says is missing; the run waits for `needed_micro`, netra.needed_by() reads it. */
  ask({ message, detail }: NetraError): NewEvent {
    const { needed_micro, balance_micro } = detail;
    const input = { needed_micro, balance_micro };
    const reason = `${message} The run goes on by itself when they are there.`;
    return { type: 'approval_requested', data: { call_id: `${tool}_${this.#asked + 1}`, tool, input, reason } };
  }
}

function isShortage(call_id: string): boolean {
  return /^credits_\d+$/.test(call_id);
}
