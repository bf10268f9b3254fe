import {
  acceptInvitationBody,
  changeRoleBody,
  createApiKeyBody,
  inviteBody,
  pageQuery,
  signInBody,
  signUpBody,
} from '@netra/contract';
import { z } from 'zod';
import { maxTokenTtl_s } from './token-claims.ts';

/** Addresses are compared without case, and stored in lower case. */
const email = z.email().max(254).toLowerCase();

export const signUpInput = signUpBody.extend({ email });
export const signInInput = signInBody.extend({ email });

export const operatorUserInput = z.object({
  email,
  org: z.string().trim().min(1).max(200),
  plan: z.string().min(1).max(64),
  ttl_s: z
    .number()
    .int()
    .positive()
    .max(maxTokenTtl_s)
    .default(24 * 3600),
  name: z.string().trim().min(1).max(200).optional(),
  password: z.string().min(12).max(128).optional(),
});

export const acceptInvitationInput = acceptInvitationBody.extend({ email });

/** Never `owner`: an invitation that leaks must not give the organisation away. */
export const inviteInput = inviteBody.extend({ email });
export const memberInput = z.object({ user: z.uuid() });
export const changeRoleInput = memberInput.extend(changeRoleBody.shape);

/** Cursors of this room are ids: they order by time. */
export const pageInput = pageQuery.extend({ cursor: z.uuid().optional() });

export const createApiKeyInput = createApiKeyBody.extend({ idempotency_key: z.string().min(1).max(255).optional() });
export const apiKeyInput = z.object({ key: z.uuid() });
