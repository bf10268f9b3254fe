import { z } from 'zod';

/** Largest bigint that PostgreSQL holds: 92 billion dollars of credits. */
const maxMicro = 2n ** 63n - 1n;

export const amountMicro = z.bigint().min(0n).max(maxMicro);
/** What a retry is known by, within the organisation and the kind of movement. */
export const movementKey = z.string().min(1).max(255);
export const reason = z.string().min(1).max(200);
export const uuid = z.uuid();
/** 0 is the organisation's own; further ones are opened for teams or projects. */
export const wallet = z.number().int().min(0).max(1_000_000);
/** What may be drawn when the balance is not enough: the plan's line, or whatever is needed, only counted. */
export const beyond = z.enum(['plan', 'observe']).default('plan');
