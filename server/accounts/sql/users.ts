import type { Statement } from '../../platform/index.ts';

export function userByEmail(email: string): Statement {
  return { name: 'accounts_user_by_email', text: 'select id from auth.user where email = $1', values: [email] };
}
