import { z } from 'zod';

/** What an organisation's own systems can hear of. `webhook.test` is sent on request, to whichever types an endpoint asked for. */
export const webhookTypes = [
  'credits.threshold',
  'invoice.issued',
  'invoice.paid',
  'invoice.reopened',
  'purchase.paid',
  'purchase.refunded',
  'payment.failed',
  'subscription.changed',
  'subscription.ended',
  'webhook.disabled',
] as const;

const at = z.iso.datetime();

export const createWebhookBody = z.object({
  /** https, a host of the public internet, no user or password, no fragment. */
  url: z.string().min(1).max(2048),
  description: z.string().trim().max(200).default(''),
  /** Absent = every type, also those to come. */
  types: z.array(z.enum(webhookTypes)).min(1).max(webhookTypes.length).optional(),
});
export type CreateWebhookBody = z.input<typeof createWebhookBody>;

/** Why an endpoint was disabled: it answered 410, or failed for days without one success. */
export const webhook = z.object({
  webhook: z.uuid(),
  url: z.string(),
  description: z.string(),
  types: z.array(z.string()).nullable(),
  state: z.enum(['enabled', 'disabled']),
  disabled_reason: z.enum(['gone', 'failing']).nullable(),
  disabled_at: at.nullable(),
  /** The first failure since the last success. */
  failing_since: at.nullable(),
  created_at: at,
  rotated_at: at,
});
export type Webhook = z.infer<typeof webhook>;

/** `secret` (`whsec_…`, as the libraries of standardwebhooks.com take it) is shown here and never again. */
export const newWebhook = webhook.extend({ secret: z.string() });

/** A message to one endpoint. `message` is its `webhook-id`: the same in each attempt, and whenever it is sent again. */
export const webhookDelivery = z.object({
  message: z.uuid(),
  type: z.string(),
  state: z.enum(['waiting', 'delivered', 'failed']),
  attempts: z.number().int().nonnegative(),
  /** When the next attempt is due; null if there is none. */
  next_at: at.nullable(),
  /** What the last attempt met: the status, the beginning of the answer, or why there was none. */
  status: z.number().int().nullable(),
  error: z.string().nullable(),
  response: z.string().nullable(),
  created_at: at,
  ended_at: at.nullable(),
});

export const webhookMessage = z.object({ message: z.uuid() });
