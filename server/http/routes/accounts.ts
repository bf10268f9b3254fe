import {
  acceptInvitationBody,
  apiKey,
  changeRoleBody,
  createApiKeyBody,
  done,
  invitation,
  inviteBody,
  jwks,
  me,
  member,
  newApiKey,
  pageOf,
  pageQuery,
  refreshBody,
  session,
  signInBody,
  signUpBody,
} from '@netra/contract';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Accounts, Caller } from '../../accounts/index.ts';
import { planOf } from '../../plans/index.ts';
import { route, type NetraApp } from '../index.ts';

const userParam = z.object({ user: z.uuid() });
const keyParam = z.object({ key: z.uuid() });
const ended = { done: true } as const;

function callerOf(request: FastifyRequest): Caller {
  return { address: request.ip, trace_id: request.id };
}

/** Signing up and in, members, API keys. */
export function accountRoutes(accounts: Accounts): (app: NetraApp) => void {
  return (app) => {
    sessionRoutes(app, accounts);
    memberRoutes(app, accounts);
    apiKeyRoutes(app, accounts);
  };
}

function sessionRoutes(app: NetraApp, accounts: Accounts): void {
  route(app, 'signUp', {
    body: signUpBody,
    response: session,
    handle: ({ request, body }) => accounts.signUp({ caller: callerOf(request), input: body }),
  });
  route(app, 'signIn', {
    body: signInBody,
    response: session,
    handle: ({ request, body }) => accounts.signIn({ caller: callerOf(request), input: body }),
  });
  route(app, 'refreshSession', {
    body: refreshBody,
    response: session,
    handle: ({ request, body }) => accounts.refreshToken({ caller: callerOf(request), input: body }),
  });
  route(app, 'signOut', {
    body: refreshBody,
    response: done,
    handle: async ({ request, body }) => {
      await accounts.signOut({ caller: callerOf(request), input: body });
      return ended;
    },
  });
  route(app, 'acceptInvitation', {
    body: acceptInvitationBody,
    response: session,
    handle: ({ request, body }) => accounts.acceptInvitation({ caller: callerOf(request), input: body }),
  });
  route(app, 'readJwks', { response: jwks, handle: () => accounts.jwks() });
  route(app, 'readMe', {
    response: me,
    handle: async ({ ctx }) => {
      const [who, plan] = await Promise.all([accounts.readMe({ ctx }), planOf({ ctx, input: {} })]);
      return { ...who, plan: plan.plan_id };
    },
  });
}

function memberRoutes(app: NetraApp, accounts: Accounts): void {
  route(app, 'listMembers', {
    query: pageQuery,
    response: pageOf(member),
    handle: ({ ctx, query }) => accounts.listMembers({ ctx, input: query }),
  });
  route(app, 'inviteMember', {
    body: inviteBody,
    response: invitation,
    handle: ({ ctx, body }) => accounts.inviteMember({ ctx, input: body }),
  });
  route(app, 'changeRole', {
    params: userParam,
    body: changeRoleBody,
    response: done,
    handle: async ({ ctx, params, body }) => {
      await accounts.changeRole({ ctx, input: { ...params, ...body } });
      return ended;
    },
  });
  route(app, 'removeMember', {
    params: userParam,
    response: done,
    handle: async ({ ctx, params }) => {
      await accounts.removeMember({ ctx, input: params });
      return ended;
    },
  });
}

function apiKeyRoutes(app: NetraApp, accounts: Accounts): void {
  route(app, 'createApiKey', {
    body: createApiKeyBody,
    response: newApiKey,
    handle: ({ ctx, body, idempotency_key }) => accounts.createApiKey({ ctx, input: { ...body, idempotency_key } }),
  });
  route(app, 'listApiKeys', {
    query: pageQuery,
    response: pageOf(apiKey),
    handle: ({ ctx, query }) => accounts.listApiKeys({ ctx, input: query }),
  });
  route(app, 'revokeApiKey', {
    params: keyParam,
    response: done,
    handle: async ({ ctx, params }) => {
      await accounts.revokeApiKey({ ctx, input: params });
      return ended;
    },
  });
}
