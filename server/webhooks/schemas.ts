import { createWebhookBody, pageQuery } from '@netra/contract';
import { z } from 'zod';

const key = z.string().min(1).max(255);

export const webhookInput = z.object({ webhook: z.uuid() });
export const createWebhookInput = createWebhookBody.extend({ idempotency_key: key });
export const keyedWebhookInput = webhookInput.extend({ idempotency_key: key });
export const listWebhooksInput = pageQuery.extend({ cursor: z.uuid('a cursor as a page before gave it').optional() });
export const listDeliveriesInput = webhookInput.extend({
  limit: pageQuery.shape.limit,
  cursor: z
    .string()
    .regex(/^[1-9]\d{0,17}$/, 'a cursor as a page before gave it')
    .optional(),
});
export const messageInput = webhookInput.extend({ message: z.uuid() });
