import { Webhook } from 'standardwebhooks';
import { oneRow, OutgoingError, type OutgoingAnswer, type Platform } from '../platform/index.ts';
import { unsealSecret } from './endpoint-secret.ts';
import { patience_ms, retryWait_ms } from './retry-schedule.ts';
import { recordDeliveryStatement, type ClaimedRow } from './sql/deliveries.ts';

/** A receiver answers at once and works afterwards: 10 s are long. */
const timeout_ms = 10_000;
/** Kept of an answer, for the owner to see what their receiver said. */
const maxResponse = 300;

interface Met {
  readonly status: number | null;
  readonly error: string | null;
  readonly response: string | null;
}

/**
 * One attempt: signs, sends and records what it met. Aborted, it records nothing, and the lease's end lets another sender
 * try: at least once, always under the same `webhook-id`. Resolves to what became of it, undefined if aborted.
 */
export async function sendDelivery(
  platform: Platform,
  token: string,
  claimed: ClaimedRow,
  signal: AbortSignal,
): Promise<'delivered' | 'retry' | 'failed' | 'gone' | undefined> {
  const met = await attempt(platform, claimed, signal);
  if (met === null) return undefined;
  const { org_id, endpoint_id, event_id } = claimed;
  const delivered = met.error === null;
  const wait_ms = delivered ? null : retryWait_ms(claimed.attempts + 1, platform.random());
  const outcome = delivered ? 'delivered' : met.status === 410 ? 'gone' : wait_ms === null ? 'failed' : 'retry';
  const values = { org_id, endpoint_id, event_id, token, outcome, ...met, wait_ms, patience_ms } as const;
  const { disabled } = oneRow(await platform.postgres.call<{ disabled: boolean }>(recordDeliveryStatement(values)));
  if (disabled) platform.log.warn({ org_id, endpoint_id, status: met.status }, 'webhook disabled');
  return outcome;
}

/** Null = aborted. */
async function attempt(platform: Platform, claimed: ClaimedRow, signal: AbortSignal): Promise<Met | null> {
  const body = JSON.stringify({ type: claimed.type, timestamp: claimed.at.toISOString(), data: claimed.data });
  const headers = headersOf(platform, claimed, body);
  if (headers === null) {
    platform.log.error({ org_id: claimed.org_id, endpoint_id: claimed.endpoint_id }, 'webhook secret not readable');
    return { status: null, error: 'Its secret cannot be read: rotate it.', response: null };
  }
  try {
    const { url } = claimed;
    const request = { url, method: 'POST', headers, body, timeout_ms, max_bytes: 4 * maxResponse, signal } as const;
    return metOf(await platform.outgoing.send(request));
  } catch (error) {
    if (signal.aborted) return null;
    if (!(error instanceof OutgoingError)) platform.log.error({ err: error }, 'webhook not sent');
    // A URL that was allowed when it was registered and no longer is says so in its own words.
    const message = error instanceof Error ? error.message : 'It could not be sent.';
    return { status: null, error: message.slice(0, maxResponse), response: null };
  }
}

/** Signed anew for each attempt: receivers refuse an old timestamp. By both secrets while one follows the other. */
function headersOf(platform: Platform, claimed: ClaimedRow, body: string): Record<string, string> | null {
  const { endpoint_id, event_id, sealed_secret, sealed_previous } = claimed;
  const at = new Date(platform.clock.nowMs());
  const secrets = [sealed_secret, sealed_previous]
    .filter((sealed) => sealed !== null)
    .map((sealed) => unsealSecret(platform, endpoint_id, sealed))
    .filter((secret) => secret !== null);
  if (secrets.length === 0) return null;
  return {
    'content-type': 'application/json',
    'user-agent': 'netra-webhooks/1',
    'webhook-id': event_id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(event_id, at, body)).join(' '),
  };
}

function metOf({ status, body }: OutgoingAnswer): Met {
  // PostgreSQL keeps no NUL in a text.
  const response = body.replaceAll('\0', '').slice(0, maxResponse);
  if (status >= 200 && status < 300) return { status, error: null, response };
  const redirected = status >= 300 && status < 400 ? ' Redirects are not followed.' : '';
  return { status, error: `It answered ${status}.${redirected}`, response };
}
