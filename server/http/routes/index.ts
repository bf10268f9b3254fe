import type { Accounts } from '../../accounts/index.ts';
import type { NetraApp } from '../index.ts';
import { accountRoutes } from './accounts.ts';
import { agentRoutes } from './agents.ts';
import { creditRoutes } from './credits.ts';
import { invoiceRoutes } from './invoices.ts';
import { paymentRoutes } from './payments.ts';
import { planRoutes } from './plans.ts';
import { runRoutes } from './runs.ts';
import { scheduleRoutes } from './schedules.ts';
import { subscriptionRoutes } from './subscription.ts';
import { spendingRoutes } from './spending.ts';
import { statementRoutes } from './statement.ts';
import { otlpRoutes } from './otlp.ts';
import { threadRoutes } from './threads.ts';
import { usageRoutes } from './usage.ts';
import { webhookRoutes } from './webhooks.ts';

/** What routes need beyond `app.netra`. */
export interface RoutesOptions {
  readonly accounts: Accounts;
}

/** Every route file, in one list: an operation without its line here is not served. */
export function routes({ accounts }: RoutesOptions): readonly ((app: NetraApp) => void)[] {
  return [
    accountRoutes(accounts),
    agentRoutes,
    creditRoutes,
    invoiceRoutes,
    otlpRoutes,
    paymentRoutes,
    planRoutes,
    runRoutes,
    scheduleRoutes,
    subscriptionRoutes,
    spendingRoutes,
    statementRoutes,
    threadRoutes,
    usageRoutes,
    webhookRoutes,
  ];
}
