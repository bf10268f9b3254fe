/**
 * Segment: teams.
 * Goal: owners say who may do what, and what they said holds, whoever asks at the same moment.
 * Value: a colleague joins in a minute and is out in a minute; nobody is locked out of their own organisation.
 * Strategic impact: roles and keys are what a customer's security review asks about first.
 */
import { randomBytes } from 'node:crypto';
import { eventually, suite } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { startAccountsNode, type AccountsNode, type Answer } from './accounts-node.ts';

const password = 'correct horse battery staple';
const someone = (): string => `${randomBytes(6).toString('hex')}@example.com`;
const text = (answer: Answer, field: string): string => String(answer.body[field]);

interface Person {
  readonly email: string;
  readonly org: string;
  readonly user: string;
  readonly token: string;
  readonly refresh_token: string;
}

describe('members and keys', () => {
  const home = suite();
  let node: AccountsNode;
  beforeAll(async () => {
    node = await startAccountsNode(home);
  });

  const personOf = (email: string, answer: Answer): Person => {
    expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
    const field = (name: string): string => text(answer, name);
    return {
      email,
      org: field('org'),
      user: field('user'),
      token: field('token'),
      refresh_token: field('refresh_token'),
    };
  };
  const found = async (org: string): Promise<Person> => {
    const email = someone();
    return personOf(email, await node.call('POST', '/v1/auth/sign-up', { body: { email, password, org } }));
  };
  const invite = (by: Person, email: string, role: string): Promise<Answer> =>
    node.call('POST', '/v1/invitations', {
      token: by.token,
      key: randomBytes(8).toString('hex'),
      body: { email, role },
    });
  const join = async (by: Person, role: 'admin' | 'member' | 'viewer'): Promise<Person> => {
    const email = someone();
    const invitation = text(await invite(by, email, role), 'invitation');
    const body = { invitation, email, password };
    return personOf(email, await node.call('POST', '/v1/auth/accept-invitation', { body }));
  };
  const changeRole = async (by: Person, of: Person, role: string): Promise<number> =>
    (await node.call('PATCH', `/v1/members/${of.user}`, { token: by.token, body: { role } })).status;
  const remove = async (by: Person, of: Person): Promise<number> =>
    (await node.call('DELETE', `/v1/members/${of.user}`, { token: by.token })).status;
  const refresh = (of: Person): Promise<Answer> =>
    node.call('POST', '/v1/auth/refresh', { body: { refresh_token: of.refresh_token } });
  const makeKey = (by: Person, body: Readonly<Record<string, unknown>>, key: string = randomBytes(8).toString('hex')) =>
    node.call('POST', '/v1/api-keys', { token: by.token, key, body });

  // Planted bug: accept an invitation by its id alone (drop the e-mail from openInvitation).
  it('an invitation lets in the address that it names, once, in the role that it gives', async () => {
    const owner = await found('Inviters');
    const email = someone();
    const first = text(await invite(owner, email, 'viewer'), 'invitation');
    const invitation = text(await invite(owner, email, 'admin'), 'invitation');
    const accept = (id: string, who: string): Promise<Answer> =>
      node.call('POST', '/v1/auth/accept-invitation', { body: { invitation: id, email: who, password } });
    expect((await accept(first, email)).status, 'replaced by the second').toBe(404);
    expect((await accept(invitation, someone())).status, 'for another address').toBe(404);
    const admin = personOf(email, await accept(invitation, email));
    expect(admin.org).toBe(owner.org);
    expect((await accept(invitation, email)).status, 'used up').toBe(404);
    const members = await node.call('GET', '/v1/members', { token: admin.token });
    expect(members.body['items']).toMatchObject([
      { user: owner.user, role: 'owner' },
      { user: admin.user, role: 'admin', email },
    ]);
  });

  // Planted bug: let refuseRoleChange return null for an admin who touches an owner.
  it('only owners touch owners, only admins and owners touch others, and a guessed user of elsewhere is not found', async () => {
    const owner = await found('Roles');
    const [admin, member, stranger] = [
      await join(owner, 'admin'),
      await join(owner, 'member'),
      await found('Elsewhere'),
    ];
    expect(await changeRole(admin, owner, 'member')).toBe(403);
    expect(await changeRole(admin, admin, 'owner')).toBe(403);
    expect(await changeRole(member, member, 'admin')).toBe(403);
    expect(await remove(member, admin)).toBe(403);
    expect(await remove(admin, owner)).toBe(403);
    expect((await invite(member, someone(), 'member')).status).toBe(403);
    expect(await remove(owner, stranger)).toBe(404);
    expect(await changeRole(stranger, owner, 'viewer')).toBe(404);
    expect(await changeRole(admin, member, 'viewer')).toBe(200);
    expect(text(await refresh(member), 'token')).not.toBe('');
  });

  // Planted bug: trust the role in the token (actor: ctx.principal.role) in change-membership.ts.
  it('a role that was taken away counts at once for changes of membership, though the token still names it', async () => {
    const owner = await found('Stale');
    const [admin, member] = [await join(owner, 'admin'), await join(owner, 'member')];
    expect(await changeRole(owner, admin, 'viewer')).toBe(200);
    expect(await remove(admin, member)).toBe(403);
    expect((await invite(admin, someone(), 'member')).status).toBe(403);
    expect((await makeKey(admin, { name: 'late', role: 'member' })).status).toBe(403);
  });

  // Planted bug: take the lock out of change-membership.ts.
  it('two owners that demote each other at once leave one owner, every time', async () => {
    for (let round = 0; round < 5; round += 1) {
      const one = await found(`Duel ${round}`);
      const other = await join(one, 'admin');
      expect(await changeRole(one, other, 'owner')).toBe(200);
      const statuses = await Promise.all([changeRole(one, other, 'member'), changeRole(other, one, 'member')]);
      expect(statuses.toSorted()).toEqual([200, 403]);
    }
    const alone = await found('Alone');
    expect(await remove(alone, alone)).toBe(409);
    expect(await changeRole(alone, alone, 'admin')).toBe(409);
  });

  // Planted bug: leave `ended` or the keys out of deleteMember.
  it('who is removed has no session and no key left, and joining again brings neither back', async () => {
    const owner = await found('Leavers');
    const leaver = await join(owner, 'admin');
    const secret = text(await makeKey(leaver, { name: 'left behind' }), 'secret');
    expect((await node.call('GET', '/v1/me', { token: secret })).status).toBe(200);
    expect(await remove(owner, leaver)).toBe(200);
    expect((await refresh(leaver)).status).toBe(401);
    const invitation = text(await invite(owner, leaver.email, 'admin'), 'invitation');
    const body = { invitation, email: leaver.email, password };
    expect((await node.call('POST', '/v1/auth/accept-invitation', { body })).status).toBe(200);
    expect((await refresh(leaver)).status).toBe(401);
    const other = await startAccountsNode(home);
    expect((await other.call('GET', '/v1/me', { token: secret })).status).toBe(401);
  });

  // Planted bug: a random slug in createOrganization (register.ts).
  it('who belongs nowhere any more founds one organisation, however often they ask at once', async () => {
    const owner = await found('Former');
    const leaver = await join(owner, 'member');
    expect(await remove(leaver, leaver)).toBe(200);
    const signIn = { body: { email: leaver.email, password } };
    expect((await node.call('POST', '/v1/auth/sign-in', signIn)).status).toBe(403);
    const signUp = { body: { email: leaver.email, password, org: 'Own' } };
    const asked = Array.from({ length: 6 }, () => node.call('POST', '/v1/auth/sign-up', signUp));
    const people = (await Promise.all(asked)).map((answer) => personOf(leaver.email, answer));
    expect(new Set(people.map(({ org }) => org)).size).toBe(1);
    const { rows } = await node.auth_pool.query(
      'select organization_id as org, role from auth.member where user_id = $1',
      [leaver.user],
    );
    expect(rows).toEqual([{ org: people[0]?.org, role: 'owner' }]);
  });

  // Planted bug: store the key instead of its hash (`disableKeyHashing`).
  it('an API key acts in its organisation with its role, and its secret is kept nowhere', async () => {
    const owner = await found('Keys');
    const made = await makeKey(owner, { name: 'ci', role: 'viewer' });
    expect(made.status).toBe(201);
    const secret = text(made, 'secret');
    const me = await node.call('GET', '/v1/me', { token: secret });
    expect(me.body).toMatchObject({ org: owner.org, user: owner.user, role: 'viewer', kind: 'api_key' });
    const { rows } = await node.auth_pool.query<{ row: string }>('select k::text as row from auth.apikey k');
    expect(rows.length).toBeGreaterThan(0);
    for (const { row } of rows) expect(row).not.toContain(secret.slice('netra_sk_'.length + 4));
    const listed = await node.call('GET', '/v1/api-keys', { token: owner.token });
    expect(listed.body['items']).toMatchObject([{ key: made.body['key'], name: 'ci', role: 'viewer' }]);
    expect(JSON.stringify(listed.body)).not.toContain(secret);
  });

  // Planted bugs: drop the index apikey_idempotency; compare roles the other way round in create-api-key.ts.
  it('a key is made once for an Idempotency-Key, never stronger than its maker, and never by a key', async () => {
    const owner = await found('Makers');
    const admin = await join(owner, 'admin');
    expect((await makeKey(admin, { name: 'too strong', role: 'owner' })).status).toBe(403);
    expect((await makeKey(await join(owner, 'member'), { name: 'no', role: 'viewer' })).status).toBe(403);
    const statuses = await Promise.all(
      [1, 2, 3].map(async () => (await makeKey(owner, { name: 'one' }, 'same')).status),
    );
    expect(statuses.toSorted()).toEqual([201, 409, 409]);
    const secret = text(await makeKey(owner, { name: 'parent', role: 'owner' }), 'secret');
    const parent = { ...owner, token: secret };
    expect((await makeKey(parent, { name: 'child', role: 'viewer' })).status).toBe(403);
    expect(await remove(parent, admin)).toBe(403);
  });

  // Planted bug: leave weakerRole out of authenticate-api-key.ts.
  it('a key falls with its maker, on every node within five seconds', async () => {
    const owner = await found('Fallen');
    const admin = await join(owner, 'admin');
    const secret = text(await makeKey(admin, { name: 'admin key', role: 'admin' }), 'secret');
    const other = await startAccountsNode(home);
    const roleOf = async (): Promise<unknown> => (await other.call('GET', '/v1/me', { token: secret })).body['role'];
    expect(await roleOf()).toBe('admin');
    expect(await changeRole(owner, admin, 'viewer')).toBe(200);
    await eventually('the key follows', async () => (await roleOf()) === 'viewer', {
      deadline_ms: 6_000,
      every_ms: 100,
    });
  });

  // Planted bug: leave `reference_id = $1` out of deleteApiKey.
  it('a revoked key stops at once on this node, within five seconds on others; only its own organisation can do it', async () => {
    const [owner, stranger] = [await found('Revokers'), await found('Strangers')];
    const made = await makeKey(owner, { name: 'short', role: 'member' });
    const [key, secret] = [text(made, 'key'), text(made, 'secret')];
    const other = await startAccountsNode(home);
    const status = async (on: AccountsNode): Promise<number> =>
      (await on.call('GET', '/v1/me', { token: secret })).status;
    expect([await status(node), await status(other)]).toEqual([200, 200]);
    expect((await node.call('DELETE', `/v1/api-keys/${key}`, { token: stranger.token })).status).toBe(404);
    expect(await status(node)).toBe(200);
    expect((await node.call('DELETE', `/v1/api-keys/${key}`, { token: owner.token })).status).toBe(200);
    expect(await status(node)).toBe(401);
    const gone = async (): Promise<boolean> => (await status(other)) === 401;
    await eventually('the other node follows', gone, { deadline_ms: 6_000, every_ms: 100 });
  });
});
