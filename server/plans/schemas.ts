import { z } from 'zod';

/** Names a row of netra.plan; whether there is one is the database's to say. */
export const planName = z.string().regex(/^[a-z][a-z0-9_]{0,31}$/, 'the name of a plan');
