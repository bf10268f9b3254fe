import {
  createWebhookBody,
  done,
  newWebhook,
  pageOf,
  pageQuery,
  webhook,
  webhookDelivery,
  webhookMessage,
} from '@netra/contract';
import { z } from 'zod';
import * as webhooks from '../../webhooks/index.ts';
import { route, type NetraApp } from '../index.ts';

const webhookParam = z.object({ webhook: z.uuid() });
const messageParam = webhookParam.extend({ message: z.uuid() });

/** An organisation's endpoints, and what they were sent. */
export function webhookRoutes(app: NetraApp): void {
  route(app, 'createWebhook', {
    body: createWebhookBody,
    response: newWebhook,
    handle: ({ ctx, body, idempotency_key }) => webhooks.createWebhook({ ctx, input: { ...body, idempotency_key } }),
  });
  route(app, 'listWebhooks', {
    query: pageQuery,
    response: pageOf(webhook),
    handle: ({ ctx, query }) => webhooks.listWebhooks({ ctx, input: query }),
  });
  route(app, 'readWebhook', {
    params: webhookParam,
    response: webhook,
    handle: ({ ctx, params }) => webhooks.readWebhook({ ctx, input: params }),
  });
  route(app, 'deleteWebhook', {
    params: webhookParam,
    response: done,
    handle: async ({ ctx, params }) => {
      await webhooks.deleteWebhook({ ctx, input: params });
      return { done: true } as const;
    },
  });
  route(app, 'rotateWebhook', {
    params: webhookParam,
    response: newWebhook,
    handle: ({ ctx, params, idempotency_key }) =>
      webhooks.rotateWebhook({ ctx, input: { ...params, idempotency_key } }),
  });
  route(app, 'enableWebhook', {
    params: webhookParam,
    response: webhook,
    handle: ({ ctx, params }) => webhooks.enableWebhook({ ctx, input: params }),
  });
  deliveryRoutes(app);
}

function deliveryRoutes(app: NetraApp): void {
  route(app, 'testWebhook', {
    params: webhookParam,
    response: webhookMessage,
    handle: ({ ctx, params, idempotency_key }) => webhooks.testWebhook({ ctx, input: { ...params, idempotency_key } }),
  });
  route(app, 'listDeliveries', {
    params: webhookParam,
    query: pageQuery,
    response: pageOf(webhookDelivery),
    handle: ({ ctx, params, query }) => webhooks.listDeliveries({ ctx, input: { ...params, ...query } }),
  });
  route(app, 'resendDelivery', {
    params: messageParam,
    response: webhookMessage,
    handle: ({ ctx, params }) => webhooks.resendDelivery({ ctx, input: params }),
  });
}
