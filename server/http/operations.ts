/**
 * Every operation of the REST surface, by name: the one place that says which paths there are, who may call them and
 * what a success answers with. A route file gives an operation its schemas and its verb.
 *
 * - `access: 'public'` needs no token and is limited by caller address; `'tenant'` needs one, and counts towards the
 *   plan's requests an hour.
 * - `access: 'signed'` is for another system's notices: the signature over their body is all they have to show. Those whose
 *   signature is good are not counted; others are, by caller address.
 * - `creates: true` makes the `Idempotency-Key` header required.
 */
interface Operation {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: `/${string}`;
  readonly access: 'public' | 'tenant' | 'signed';
  readonly status: 200 | 201 | 202;
  readonly creates: boolean;
  readonly tag: string;
  readonly summary: string;
}

function get<const Access extends Operation['access']>(
  url: Operation['url'],
  tag: string,
  summary: string,
  access: Access,
) {
  return { method: 'GET', url, access, status: 200, creates: false, tag, summary } as const;
}

function post<const Rest extends Pick<Operation, 'access' | 'status' | 'creates'>>(
  url: Operation['url'],
  tag: string,
  summary: string,
  rest: Rest,
) {
  return { method: 'POST', url, tag, summary, ...rest } as const;
}

const create = { access: 'tenant', status: 201, creates: true } as const;
const command = { access: 'tenant', status: 202, creates: false } as const;
const change = { access: 'tenant', status: 200, creates: false } as const;
/** Other people's clients send no key of ours: a retry is known by what their protocol names. */
const stream = { access: 'tenant', status: 200, creates: false } as const;
const open = { access: 'public', status: 200, creates: false } as const;
const signed = { access: 'signed', status: 200, creates: false } as const;

export const operations = {
  signUp: post('/v1/auth/sign-up', 'accounts', 'Create an organisation and its first user', { ...open, status: 201 }),
  signIn: post('/v1/auth/sign-in', 'accounts', 'Exchange email and password for a token', open),
  refreshSession: post('/v1/auth/refresh', 'accounts', 'Exchange a refresh token for a new access token', open),
  signOut: post('/v1/auth/sign-out', 'accounts', 'End a session: its refresh token stops working', open),
  acceptInvitation: post('/v1/auth/accept-invitation', 'accounts', 'Join the organisation that invited you', open),
  readJwks: get('/v1/auth/jwks', 'accounts', 'Public keys that check our access tokens (RFC 7517)', 'public'),
  readMe: get('/v1/me', 'accounts', 'Who the token belongs to', 'tenant'),
  listMembers: get('/v1/members', 'accounts', "The organisation's members", 'tenant'),
  inviteMember: post('/v1/invitations', 'accounts', 'Invite an address into the organisation', create),
  changeRole: {
    method: 'PATCH',
    url: '/v1/members/:user',
    tag: 'accounts',
    summary: 'Give a member another role',
    ...change,
  },
  removeMember: {
    method: 'DELETE',
    url: '/v1/members/:user',
    tag: 'accounts',
    summary: 'End a membership, its sessions and its API keys',
    ...change,
  },
  createApiKey: post('/v1/api-keys', 'accounts', 'Make an API key; its secret is shown once', create),
  listApiKeys: get('/v1/api-keys', 'accounts', "The organisation's API keys, without their secrets", 'tenant'),
  revokeApiKey: {
    method: 'DELETE',
    url: '/v1/api-keys/:key',
    tag: 'accounts',
    summary: 'Revoke an API key, everywhere within 5 seconds',
    ...change,
  },

  listPlans: get('/v1/plans', 'plans', 'The plans on sale', 'public'),
  readSubscription: get('/v1/subscription', 'plans', "Your organisation's subscription", 'tenant'),
  changePlan: {
    method: 'PUT',
    url: '/v1/subscription',
    tag: 'plans',
    summary: 'Change the plan: up at once, down at the end of the period',
    ...change,
  },
  cancelSubscription: post('/v1/subscription/cancel', 'plans', 'End the plan with its period', change),
  reactivateSubscription: post('/v1/subscription/reactivate', 'plans', 'Take a cancellation back', change),
  listAgents: get('/v1/agents', 'agents', 'The agents, their fees, and whether your plan has them', 'tenant'),

  createThread: post('/v1/threads', 'runs', 'Start a conversation', create),
  listMessages: get('/v1/threads/:thread/messages', 'runs', 'What was said in a thread, from either end', 'tenant'),
  exportThread: get(
    '/v1/threads/:thread/export',
    'runs',
    'A thread with its messages, runs and events, as JSONL',
    'tenant',
  ),
  createRun: post('/v1/threads/:thread/runs', 'runs', 'Run an agent in a thread', create),
  listRuns: get('/v1/runs', 'runs', "The organisation's runs, from either end", 'tenant'),
  readRun: get('/v1/runs/:run', 'runs', 'One run', 'tenant'),
  readEvents: get('/v1/runs/:run/events', 'runs', "A run's events, as a live event stream (SSE)", 'tenant'),
  cancelRun: post('/v1/runs/:run/cancel', 'runs', 'Ask a run to stop', command),
  giveApproval: post('/v1/runs/:run/approvals/:call', 'runs', 'Answer a request for approval', command),

  createSchedule: post('/v1/schedules', 'schedules', 'Run an agent at the times of a cron expression', create),
  listSchedules: get('/v1/schedules', 'schedules', "The organisation's schedules", 'tenant'),
  readSchedule: get('/v1/schedules/:schedule', 'schedules', 'One schedule, and what came of its last time', 'tenant'),
  changeSchedule: {
    method: 'PATCH',
    url: '/v1/schedules/:schedule',
    tag: 'schedules',
    summary: 'Change a schedule, pause it or let it go on',
    ...change,
  },
  deleteSchedule: {
    method: 'DELETE',
    url: '/v1/schedules/:schedule',
    tag: 'schedules',
    summary: 'End a schedule; its runs go on',
    ...change,
  },

  readCredits: get('/v1/credits', 'credits', 'Balance and credits on hold', 'tenant'),
  listTransfers: get('/v1/credits/transfers', 'credits', 'Every movement of credits, newest first', 'tenant'),

  createWebhook: post('/v1/webhooks', 'webhooks', 'Register an endpoint; its secret is shown once', create),
  listWebhooks: get('/v1/webhooks', 'webhooks', "The organisation's endpoints, without their secrets", 'tenant'),
  readWebhook: get('/v1/webhooks/:webhook', 'webhooks', 'One endpoint', 'tenant'),
  deleteWebhook: {
    method: 'DELETE',
    url: '/v1/webhooks/:webhook',
    tag: 'webhooks',
    summary: 'End an endpoint, and what waits for it',
    ...change,
  },
  rotateWebhook: post('/v1/webhooks/:webhook/rotate', 'webhooks', 'A new secret; the old one signs too for a day', {
    ...create,
    status: 200,
  }),
  enableWebhook: post('/v1/webhooks/:webhook/enable', 'webhooks', 'Send to a disabled endpoint again', change),
  testWebhook: post('/v1/webhooks/:webhook/test', 'webhooks', 'Send a test message', { ...create, status: 202 }),
  listDeliveries: get('/v1/webhooks/:webhook/deliveries', 'webhooks', 'What an endpoint was sent', 'tenant'),
  resendDelivery: post('/v1/webhooks/:webhook/deliveries/:message/resend', 'webhooks', 'Send a message again', command),

  readBillingProfile: get('/v1/billing/profile', 'billing', 'Whom invoices are made out to', 'tenant'),
  writeBillingProfile: {
    method: 'PUT',
    url: '/v1/billing/profile',
    tag: 'billing',
    summary: 'Say whom invoices are made out to',
    ...change,
  },
  listInvoices: get('/v1/invoices', 'billing', 'Invoices and credit notes, newest first', 'tenant'),
  readInvoice: get('/v1/invoices/:invoice', 'billing', 'One invoice, with its lines', 'tenant'),
  readInvoicePdf: get('/v1/invoices/:invoice/pdf', 'billing', 'An invoice as PDF', 'tenant'),
  readInvoiceCsv: get('/v1/invoices/:invoice/csv', 'billing', "An invoice's lines as CSV", 'tenant'),

  listPacks: get('/v1/credits/packs', 'payments', 'Credits on sale', 'public'),
  createPurchase: post(
    '/v1/credits/purchases',
    'payments',
    'Ask for a pack of credits: its cost, where to pay',
    create,
  ),
  listPurchases: get('/v1/credits/purchases', 'payments', "The organisation's purchases, newest first", 'tenant'),
  readPurchase: get('/v1/credits/purchases/:purchase', 'payments', 'One purchase', 'tenant'),
  cancelPurchase: post('/v1/credits/purchases/:purchase/cancel', 'payments', 'End a purchase that is not paid', change),
  listPayments: get('/v1/payments', 'payments', 'Money that came and went back, newest first', 'tenant'),
  createPlanCheckout: post('/v1/subscription/checkout', 'payments', 'Ask for a dearer plan: what to pay first', create),
  readPlanCheckout: get('/v1/subscription/checkout/:checkout', 'payments', 'How a paid plan stands', 'tenant'),
  payInvoice: post('/v1/invoices/:invoice/pay', 'payments', 'Where to pay what an invoice has left', {
    ...create,
    status: 200,
  }),
  receiveStripeEvent: post('/v1/payments/stripe/webhook', 'payments', 'Where Stripe tells of payments; signed', signed),

  readSpending: get('/v1/spending', 'credits', 'What may be spent in this period, and what is', 'tenant'),
  setSpendingCaps: {
    method: 'PUT',
    url: '/v1/spending/caps',
    tag: 'credits',
    summary: 'Replace the caps of a period',
    ...change,
  },
  quoteRun: post('/v1/quotes', 'credits', 'What a run would cost; nothing is held', change),
  readStatement: get('/v1/statement', 'credits', 'What was spent, by user, agent, model or day', 'tenant'),
  exportStatement: get('/v1/statement/export', 'credits', 'Every movement of credits, as CSV or NDJSON', 'tenant'),

  readUsage: get('/v1/usage', 'usage', 'LLM usage, with the query behind each figure', 'tenant'),
  importUsage: post('/v1/usage/import', 'usage', 'Upload a file of LLM calls', { ...create, status: 200 }),
  ingestTraces: post('/v1/otlp/v1/traces', 'usage', 'OTLP/HTTP: spans of model calls, as they happen', stream),

  chatAiSdk: post('/compat/ai-sdk/chat', 'compat', 'useChat of the AI SDK: ask, and stream the answer', stream),
  resumeAiSdk: get('/compat/ai-sdk/chat/:chat/stream', 'compat', 'useChat of the AI SDK: resume', 'tenant'),
  runAgUi: post('/compat/ag-ui/:agent', 'compat', 'AG-UI 1.0: run an agent, and stream its events', stream),
  listOpenAiModels: get('/compat/openai/v1/models', 'compat', 'OpenAI: the agents, as models', 'tenant'),
  chatOpenAi: post('/compat/openai/v1/chat/completions', 'compat', 'OpenAI: chat completions', stream),
  createOpenAiResponse: post('/compat/openai/v1/responses', 'compat', 'OpenAI: create a response', stream),
  readOpenAiResponse: get(
    '/compat/openai/v1/responses/:response',
    'compat',
    'OpenAI: a response, or its stream',
    'tenant',
  ),
  cancelOpenAiResponse: post(
    '/compat/openai/v1/responses/:response/cancel',
    'compat',
    'OpenAI: cancel a response',
    stream,
  ),
} as const satisfies Record<string, Operation>;

export type OperationName = keyof typeof operations;
