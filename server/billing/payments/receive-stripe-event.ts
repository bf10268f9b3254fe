import type Stripe from 'stripe';
import { NetraError } from '@netra/contract';
import { oneRow, type Platform } from '../../platform/index.ts';
import { applyNoticeStatement, dueEventsStatement, postponeEventStatement, storeEventStatement } from './sql/events.ts';
import { noticeOf } from './stripe/notice.ts';

/** How old a signature may be; Stripe signs each delivery anew. */
const tolerance_s = 300;
const provider = 'stripe';
const eventsPerRun = 200;

interface Access {
  readonly key: string;
  readonly webhook_secret: string;
}

/** How this installation is known to Stripe; null where it does not use Stripe. */
function accessOf(platform: Platform): Access | null {
  const { payments } = platform.config;
  return payments.provider === provider ? payments : null;
}

/**
 * The inbox of Stripe: verifies the signature over the bytes as they came, stores the event, and only then acts on it.
 * Delivered again it is known; what cannot be done now stays stored and is taken up by `processPaymentEvents`. So an
 * answer without an error means "stored", no more. Throws `not_found` where Stripe is not in use, `invalid_request`
 * for a bad or old signature: then nothing is stored.
 */
export async function receiveStripeEvent({
  platform,
  body,
  signature,
}: {
  platform: Platform;
  body: Buffer;
  signature: string;
}): Promise<void> {
  const access = accessOf(platform);
  if (access === null) throw new NetraError('not_found', 'There is nothing at this path.');
  const event = await verify(access, body, signature);
  await platform.postgres.call(storeEventStatement(provider, event.id, event.type, body.toString('utf8')));
  await act(platform, access, event);
}

async function verify({ key, webhook_secret }: Access, body: Buffer, signature: string): Promise<Stripe.Event> {
  // Loaded where it is used: the library is large.
  const { default: Library } = await import('stripe');
  let event: Stripe.Event;
  try {
    event = new Library(key).webhooks.constructEvent(body, signature, webhook_secret, tolerance_s);
  } catch (error) {
    throw new NetraError(
      'invalid_request',
      'This is not signed by Stripe for this endpoint, or too long ago.',
      {},
      {
        cause: error,
      },
    );
  }
  const named = (value: unknown): boolean => typeof value === 'string' && value.length > 0 && value.length <= 255;
  if (!named(event.id) || !named(event.type)) throw new NetraError('invalid_request', 'This is not an event.');
  return event;
}

/** Acts on a stored event. Failing is no error: the event stays and is due again. */
async function act(platform: Platform, access: Access, event: Stripe.Event): Promise<void> {
  try {
    const { signup_plan: fallback } = platform.config;
    const notice = noticeOf(event, { livemode: access.key.includes('_live_'), fallback });
    const applied = applyNoticeStatement(provider, event.id, notice);
    const { state } = oneRow(await platform.postgres.call<{ state: string }>(applied));
    if (state === 'flagged') platform.log.warn({ event: event.id, type: event.type }, 'a payment event needs a look');
  } catch (error) {
    platform.log.error({ err: error, event: event.id, type: event.type }, 'a payment event could not be taken up');
    const note = error instanceof NetraError ? error.message : 'failed: see the log of the server';
    await platform.postgres
      .call(postponeEventStatement(provider, event.id, note))
      .catch((lost: unknown) => platform.log.error({ err: lost, event: event.id }, 'nor postponed'));
  }
}

/**
 * Takes up the events that are stored and not done: after a crash between the two, or where one waits for another.
 * Resolves to how many it looked at.
 */
export async function processPaymentEvents({ platform }: { platform: Platform }): Promise<{ events: number }> {
  const access = accessOf(platform);
  if (access === null) return { events: 0 };
  const due = dueEventsStatement(provider, eventsPerRun);
  const rows = await platform.postgres.call<{ event_id: string; body: string }>(due);
  for (const { body } of rows) {
    // Verified before it was stored.
    await act(platform, access, JSON.parse(body) as Stripe.Event);
  }
  return { events: rows.length };
}
