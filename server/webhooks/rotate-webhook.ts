import { oneRow, parseInput, type Ctx } from '../platform/index.ts';
import type { NewWebhook } from './create-webhook.ts';
import { makeSecret, repeatSecret, sealSecret } from './endpoint-secret.ts';
import { requireManager } from './require-steward.ts';
import { keyedWebhookInput } from './schemas.ts';
import { rotateWebhookStatement, type SealedRow } from './sql/endpoints.ts';

/** Both secrets sign for this long: a receiver changes over without losing a message. */
const overlap_ms = 24 * 3_600_000;

/** Gives an endpoint a new secret. The same key again answers the same secret, for a day. Throws `not_found`. */
export async function rotateWebhook({ ctx, input }: { ctx: Ctx; input: unknown }): Promise<NewWebhook> {
  requireManager(ctx);
  const { webhook, idempotency_key } = parseInput(keyedWebhookInput, input);
  const { platform, principal } = ctx;
  const secret = makeSecret();
  const sealed = sealSecret(platform, webhook, secret);
  const row = oneRow(
    await platform.postgres.call<SealedRow>(
      rotateWebhookStatement(principal.org_id, webhook, sealed, idempotency_key, overlap_ms),
    ),
  );
  if (!row.known) return { ...row, secret };
  return { ...row, secret: repeatSecret(platform, webhook, row.sealed_secret, row.rotated_at) };
}
