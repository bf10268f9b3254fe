import { apiKey } from '@better-auth/api-key';
import { betterAuth } from 'better-auth';
import { jwt, organization } from 'better-auth/plugins';
import { CamelCasePlugin, Kysely, PostgresDialect } from 'kysely';
import type { Pool } from 'pg';
import type { Ids, Log } from '../platform/index.ts';
import { access, accessRoles } from './access.ts';
import { maxTokenTtl_s, tokenAlgorithm } from './token-claims.ts';

export interface AuthOptions {
  readonly pool: Pool;
  readonly ids: Ids;
  readonly log: Log;
  readonly secret: string;
  readonly public_url: string;
  readonly origins: readonly string[];
}

export type Auth = ReturnType<typeof openAuth>;

/** What every API key starts with; tells it from a JWT, and lets secret scanners and our own log redaction see it. */
export const apiKeyPrefix = 'netra_sk_';
export const sessionTtl_s = 30 * 24 * 3600;

const keyLife_s = 90 * 24 * 3600;

/**
 * better-auth as a library: users, password hashes (scrypt), sessions, organisations, signing keys, API keys. Its own
 * HTTP handler is not mounted, so nothing of it is reachable but through our verbs. Its tables are made by migration
 * 0002 (snake_case, schema auth); its migrator never runs.
 */
export function openAuth({ pool, ids, log, secret, public_url, origins }: AuthOptions) {
  const db = new Kysely({ dialect: new PostgresDialect({ pool }), plugins: [new CamelCasePlugin()] });
  return betterAuth({
    database: { db, type: 'postgres', schemaName: 'auth', transaction: true },
    secret,
    baseURL: public_url,
    trustedOrigins: [...origins],
    telemetry: { enabled: false },
    // Its messages carry e-mail addresses at lower levels, and its errors carry rows: only that something failed.
    logger: { level: 'error', log: (level, message) => log[level]({ source: 'better-auth' }, message) },
    advanced: { database: { generateId: () => ids.uuid() } },
    emailAndPassword: { enabled: true, autoSignIn: true, minPasswordLength: 12, maxPasswordLength: 128 },
    session: { expiresIn: sessionTtl_s, updateAge: 24 * 3600 },
    plugins: [
      organization({
        creatorRole: 'owner',
        ac: access,
        roles: accessRoles,
        schema: { organization: { additionalFields: { plan: { type: 'string', required: true } } } },
      }),
      jwt({
        disableSettingJwtHeader: true,
        jwks: {
          keyPairConfig: { alg: tokenAlgorithm, crv: 'Ed25519' },
          rotationInterval: keyLife_s,
          gracePeriod: 2 * maxTokenTtl_s,
        },
      }),
      apiKey({
        references: 'organization',
        defaultPrefix: apiKeyPrefix,
        defaultKeyLength: 48,
        enableMetadata: true,
        maximumNameLength: 200,
        startingCharactersConfig: { shouldStore: true, charactersLength: apiKeyPrefix.length + 4 },
        // Requests are counted by the plan, not by the key; this would write a row on each request.
        rateLimit: { enabled: false },
      }),
    ],
  });
}
