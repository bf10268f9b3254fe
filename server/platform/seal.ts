import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

const algorithm = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

export interface SealOptions {
  /** The installation's (`config.secret`). */
  readonly secret: string;
  /** What is sealed; each purpose has a key of its own. */
  readonly purpose: string;
  /** Whose it is: what was sealed for one opens for no other, so that rows cannot be exchanged. */
  readonly owner: string;
}

/** Encrypts a text that has to be read again, for keeping in a database. The same text seals differently each time. */
export function seal(text: string, { secret, purpose, owner }: SealOptions): string {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(algorithm, keyOf(secret, purpose), nonce).setAAD(Buffer.from(owner));
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return `v1.${Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url')}`;
}

/** What was sealed; null if it was sealed with another secret, for another purpose or owner, or was altered. */
export function unseal(sealed: string, { secret, purpose, owner }: SealOptions): string | null {
  if (!sealed.startsWith('v1.')) return null;
  const bytes = Buffer.from(sealed.slice('v1.'.length), 'base64url');
  if (bytes.length < nonceBytes + tagBytes) return null;
  const options = { authTagLength: tagBytes };
  const decipher = createDecipheriv(algorithm, keyOf(secret, purpose), bytes.subarray(0, nonceBytes), options)
    .setAAD(Buffer.from(owner))
    .setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(nonceBytes + tagBytes)), decipher.final()]).toString('utf8');
  } catch {
    return null;
  }
}

// The secret is long and random (config-rules.ts), so this needs no slow derivation.
function keyOf(secret: string, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `netra/${purpose}`, 32));
}
