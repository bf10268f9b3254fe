import { Counter, Gauge } from 'prom-client';
import { startPoll, type Metrics, type Platform } from '../platform/index.ts';
import { sendDelivery } from './send-delivery.ts';
import { claimDeliveriesStatement, type ClaimedRow } from './sql/deliveries.ts';

export interface Sender {
  /** Takes nothing more, lets what is on its way arrive for up to `wait_ms`, then cuts it off. */
  stop(wait_ms?: number): Promise<void>;
}

/** At once, on this node: each is another endpoint, so one that hangs takes one place, for 10 s at most. */
const places = 32;
/** Three times the longest attempt: a sender that died is followed after this. */
const lease_ms = 30_000;
const poll_ms = 1_000;

/** Sends what waits, as every node does: a lease on the endpoint keeps two from sending to it at once. */
export function startSender({ platform }: { readonly platform: Platform }): Sender {
  const active = new Set<Promise<void>>();
  const cut = new AbortController();
  const count = countSends(platform.metrics, () => active.size);

  const send = async (token: string, claimed: ClaimedRow): Promise<void> => {
    try {
      count(await sendDelivery(platform, token, claimed, cut.signal));
    } catch (error) {
      platform.log.warn({ err: error }, 'delivery not recorded');
    }
  };
  const look = async (): Promise<void> => {
    if (active.size >= places) return;
    const token = platform.ids.uuid();
    const statement = claimDeliveriesStatement(token, places - active.size, lease_ms);
    for (const claimed of await platform.postgres.call<ClaimedRow>(statement)) {
      const sending: Promise<void> = send(token, claimed).finally(() => {
        active.delete(sending);
        // The endpoint may have more, and others may wait for the place.
        poll.wake();
      });
      active.add(sending);
    }
  };
  const { log, random } = platform;
  const poll = startPoll({ pause_ms: poll_ms, look, failed: 'deliveries not claimed', log, random });
  return {
    async stop(wait_ms = 2_000) {
      await poll.stop();
      const timer = setTimeout(() => cut.abort(), wait_ms);
      await Promise.all(active);
      clearTimeout(timer);
    },
  };
}

function countSends(metrics: Metrics, active: () => number): (outcome: string | undefined) => void {
  const registers = [metrics];
  for (const name of ['netra_webhook_sends_active', 'netra_webhook_sends_total']) metrics.removeSingleMetric(name);
  new Gauge({
    name: 'netra_webhook_sends_active',
    help: 'Webhook messages on their way from this node',
    registers,
    collect() {
      this.set(active());
    },
  });
  const sends = new Counter({
    name: 'netra_webhook_sends_total',
    help: 'Attempts to send a webhook message, by what became of them',
    labelNames: ['outcome'],
    registers,
  });
  return (outcome) => sends.inc({ outcome: outcome ?? 'cut' });
}
