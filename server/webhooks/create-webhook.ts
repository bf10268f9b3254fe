import { oneRow, parseInput, type Ctx } from '../platform/index.ts';
import { makeSecret, repeatSecret, sealSecret } from './endpoint-secret.ts';
import { requireManager } from './require-steward.ts';
import { createWebhookInput } from './schemas.ts';
import { createWebhookStatement, type EndpointRow, type SealedRow } from './sql/endpoints.ts';

/** Of an organisation. */
const maxEndpoints = 20;

export interface NewWebhook extends EndpointRow {
  /** Shown now and never again. */
  readonly secret: string;
}

/**
 * Registers an endpoint of the organisation. The same key and request again answers the same, for a day; another request
 * is `idempotency_key_reused`. Throws `invalid_request` for a URL that could lead inside, `conflict` beyond 20.
 */
export async function createWebhook({ ctx, input }: { ctx: Ctx; input: unknown }): Promise<NewWebhook> {
  requireManager(ctx);
  const { url, description, types = null, idempotency_key: key } = parseInput(createWebhookInput, input);
  const { platform, principal } = ctx;
  platform.outgoing.check(url);
  const endpoint_id = platform.ids.uuid();
  const secret = makeSecret();
  const row = oneRow(
    await platform.postgres.call<SealedRow>(
      createWebhookStatement({
        org_id: principal.org_id,
        endpoint_id,
        url,
        description,
        types: types && [...new Set(types)].toSorted(),
        sealed: sealSecret(platform, endpoint_id, secret),
        by: principal.user_id,
        key,
        max: maxEndpoints,
      }),
    ),
  );
  if (!row.known) return { ...row, secret };
  return { ...row, secret: repeatSecret(platform, row.webhook, row.sealed_secret, row.created_at) };
}
