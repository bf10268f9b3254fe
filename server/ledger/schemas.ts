import { z } from 'zod';

/** Largest bigint that PostgreSQL holds: 92 billion dollars of credits. */
const maxMicro = 2n ** 63n - 1n;

export const amountMicro = z.bigint().min(0n).max(maxMicro);
/** What a retry is known by, within the organisation and the kind of movement. */
export const movementKey = z.string().min(1).max(255);
export const reason = z.string().min(1).max(200);
export const uuid = z.uuid();
